"""Everything that ``manage.py analyse`` prints, from a table of scores to the JSON of its contract."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from readerstudy.statistics.block import Block, block
from readerstudy.statistics.clmm import Clmm, fit_clmm
from readerstudy.statistics.comparison import Friedman, compare, friedman
from readerstudy.statistics.correlation import MetricCorrelation, metric_correlation
from readerstudy.statistics.csv_tables import FidRow, MetricsTable
from readerstudy.statistics.estimate import (
    BoolArray,
    FloatArray,
    Number,
    Result,
    Undefined,
    as_json,
)
from readerstudy.statistics.intervals import MINIMUM_PATIENTS, Clusters
from readerstudy.statistics.latency import Latency, latency
from readerstudy.statistics.mrmc import FEW_READERS, OmnibusF, as_estimate, crossed_mean, omnibus_f
from readerstudy.statistics.opinion import difference_from_reference, unit_means
from readerstudy.statistics.readers import (
    IntraReader,
    intra_reader,
    kappa_without,
    mean_without,
    reader_summary,
)
from readerstudy.statistics.table import ScoreTable, TableError

REFERENCE = "reference"


@dataclass(frozen=True)
class Omnibus:
    """Tests over all arms at once; the first is the headline, the rest condition on these readers."""

    mrmc: OmnibusF | Undefined
    friedman: Friedman
    clmm: Clmm | Undefined
    clmm_crossed: Clmm | Undefined


@dataclass(frozen=True)
class ReaderEntry:
    """One reader, and the headline numbers without this reader: of every arm, and "later minus earlier"."""

    bias: Result
    correlation_with_others: Result
    standard_deviation: Number
    n_scores: int
    mean_score_without: dict[str, Result]
    fleiss_kappa_without: dict[str, Result]
    mrmc_without: dict[str, Result]


def analyse(
    scores: ScoreTable,
    metrics: MetricsTable | None = None,
    categories: Sequence[int] | None = None,
    seed: int = 0,
    draws: int = 2000,
    clmm: bool = True,
) -> dict[str, Any]:
    """All statistics of a table of scores, as strict JSON types.

    ``categories`` are the form's; without them all whole numbers from the smallest to the largest score.
    ``clmm=False`` leaves the two mixed models out, which take most of the time. Raises TableError for a
    score off the form or a metric of an unknown arm or modality.
    """
    form = tuple(sorted(categories)) if categories is not None else scores.categories()
    if len(set(form)) != len(form) or not form:
        raise TableError("The categories must be different whole numbers; correct --categories.")
    scores.check(form)
    cube, refused, clusters = scores.cube(), scores.cannot_judge_cube(), scores.clusters()
    report = {
        "categories": form,
        "arms": _arm_blocks(scores, cube, refused, form, clusters, seed, draws),
        "pooled": _pooled_block(scores, cube, refused, form, clusters, seed, draws),
        "comparisons": compare(cube, scores.arms, form, clusters),
        "omnibus": _omnibus(scores, cube, form, clusters, clmm),
        "readers": _readers(scores, cube, form, clusters),
        "intra_reader": _intra_readers(scores, cube, form, clusters),
        "correlation": {"fid_med": _fid_med(scores, cube, metrics)},
        "latency": _latency(metrics),
        "difference_from_reference": _reference_differences(scores, cube, clusters),
        "modalities": _modalities(scores, cube, refused, form, seed, draws),
        "warnings": _warnings(scores, cube, clusters),
        "seed": seed,
        "draws": draws,
    }
    strict: dict[str, Any] = as_json(report)
    return strict


def _arm_blocks(
    scores: ScoreTable,
    cube: FloatArray,
    refused: BoolArray,
    form: Sequence[int],
    clusters: Clusters,
    seed: int,
    draws: int,
) -> dict[str, Block]:
    return {
        arm: block(cube[:, a], refused[:, a], scores.readers, form, clusters, seed, draws)
        for a, arm in enumerate(scores.arms)
    }


def _pooled_block(
    scores: ScoreTable,
    cube: FloatArray,
    refused: BoolArray,
    form: Sequence[int],
    clusters: Clusters,
    seed: int,
    draws: int,
) -> Block:
    """Every slice x arm is a unit; intervals that the contract leaves open cluster by slice or patient."""
    return block(
        pooled_units(cube),
        refused.reshape(-1, refused.shape[2]),
        scores.readers,
        form,
        _pooled_clusters(cube, clusters),
        seed,
        draws,
    )


def pooled_units(cube: FloatArray) -> FloatArray:
    """(slices, arms, readers) -> (slices x arms, readers)."""
    return cube.reshape(-1, cube.shape[2])


def _pooled_clusters(cube: FloatArray, clusters: Clusters) -> Clusters:
    return Clusters(np.repeat(clusters.index, cube.shape[1]), clusters.count, clusters.noun, clusters.minimum)


def _omnibus(scores: ScoreTable, cube: FloatArray, form: Sequence[int], clusters: Clusters, clmm: bool) -> Omnibus:
    left_out = Undefined("the mixed model was not asked for")
    return Omnibus(
        mrmc=omnibus_f(cube, clusters),
        friedman=friedman(unit_means(cube)),
        clmm=fit_clmm(cube, scores.arms, form, crossed=False) if clmm else left_out,
        clmm_crossed=fit_clmm(cube, scores.arms, form, crossed=True) if clmm else left_out,
    )


def _differences_without(scores: ScoreTable, cube: FloatArray, reader: int, clusters: Clusters) -> dict[str, Result]:
    """The multi-reader difference of every pair of arms when one reader is left out."""
    left, arms = np.delete(cube, reader, axis=2), scores.arms
    return {
        f"{arms[b]} - {arms[a]}": as_estimate(crossed_mean(left[:, b] - left[:, a], clusters))
        for a in range(len(arms))
        for b in range(a + 1, len(arms))
    }


def _readers(scores: ScoreTable, cube: FloatArray, form: Sequence[int], clusters: Clusters) -> dict[str, ReaderEntry]:
    units, pooled = pooled_units(cube), _pooled_clusters(cube, clusters)
    entries: dict[str, ReaderEntry] = {}
    for r, reader in enumerate(scores.readers):
        summary = reader_summary(units, r, pooled)
        entries[reader] = ReaderEntry(
            bias=summary.bias,
            correlation_with_others=summary.correlation_with_others,
            standard_deviation=summary.standard_deviation,
            n_scores=summary.n_scores,
            mean_score_without={arm: mean_without(cube[:, a], r) for a, arm in enumerate(scores.arms)},
            fleiss_kappa_without={arm: kappa_without(cube[:, a], r, form) for a, arm in enumerate(scores.arms)},
            mrmc_without=_differences_without(scores, cube, r, clusters),
        )
    return entries


def _intra_readers(
    scores: ScoreTable, cube: FloatArray, form: Sequence[int], clusters: Clusters
) -> dict[str, IntraReader]:
    repeats, pooled = pooled_units(scores.cube(repeat=1)), _pooled_clusters(cube, clusters)
    units = pooled_units(cube)
    return {reader: intra_reader(units[:, r], repeats[:, r], form, pooled) for r, reader in enumerate(scores.readers)}


def _fid_med(scores: ScoreTable, cube: FloatArray, metrics: MetricsTable | None) -> MetricCorrelation | Undefined:
    if metrics is None or not metrics.fid_med:
        return Undefined("no FID-Med was given")
    means = unit_means(cube)
    points = [(row.fid_med, _mean_of(scores, means, row)) for row in metrics.fid_med]
    known = np.array([(x, y) for x, y in points if y is not None], dtype=np.float64).reshape(-1, 2)
    return metric_correlation(known[:, 0], known[:, 1])


def _mean_of(scores: ScoreTable, means: FloatArray, row: FidRow) -> float | None:
    """Mean of slice means of the row's arm and modality, None where it has no score."""
    if row.arm not in scores.arms:
        raise TableError(
            f"Row {row.line} of the metrics, column arm: '{row.arm}' is not an arm of the scores; rename it "
            "or take the row out."
        )
    if row.modality and row.modality not in scores.modalities:
        raise TableError(
            f"Row {row.line} of the metrics, column modality: '{row.modality}' is not a modality of the "
            "scores; rename it or leave it empty."
        )
    column = means[:, scores.arms.index(row.arm)]
    own = column[scores.slices_of(row.modality)] if row.modality else column
    kept = own[np.isfinite(own)]
    return float(kept.mean()) if len(kept) else None


def _latency(metrics: MetricsTable | None) -> Latency | Undefined:
    if metrics is None or not metrics.latency_ms:
        return Undefined("no latency was given")
    return latency(metrics.latency_ms)


def _reference_differences(scores: ScoreTable, cube: FloatArray, clusters: Clusters) -> dict[str, Result] | Undefined:
    if REFERENCE not in scores.arms:
        return Undefined("the study has no hidden reference")
    reference = cube[:, scores.arms.index(REFERENCE)]
    return {
        arm: difference_from_reference(cube[:, a], reference, clusters)
        for a, arm in enumerate(scores.arms)
        if arm != REFERENCE
    }


def _modalities(
    scores: ScoreTable, cube: FloatArray, refused: BoolArray, form: Sequence[int], seed: int, draws: int
) -> dict[str, dict[str, Block]]:
    """Blocks by modality and arm, where the table has more than one modality."""
    names = tuple(dict.fromkeys(scores.modalities))
    if len(names) < 2:
        return {}
    clusters = scores.clusters()
    blocks: dict[str, dict[str, Block]] = {}
    for name in names:
        own = scores.slices_of(name)
        blocks[name] = _arm_blocks(scores, cube[own], refused[own], form, clusters.take(own), seed, draws)
    return blocks


def _warnings(scores: ScoreTable, cube: FloatArray, clusters: Clusters) -> list[str]:
    warnings: list[str] = []
    readers = int(np.isfinite(cube).any(axis=(0, 1)).sum())
    if readers < FEW_READERS:
        warnings.append(
            f"Intervals that take readers as random rest on {readers} readers; fewer than {FEW_READERS} make "
            "them wide and uncertain."
        )
    if scores.patients and clusters.count < MINIMUM_PATIENTS:
        warnings.append(
            f"The slices come from {clusters.count} patients; below {MINIMUM_PATIENTS} no interval over "
            "patients is given."
        )
    elif scores.patients and clusters.count < len(scores.slices):
        warnings.append(
            "Several slices come from one patient: intervals over slices are too narrow, read those over patients."
        )
    return warnings
