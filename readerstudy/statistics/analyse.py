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
from readerstudy.statistics.leave_out import Headline, headline, without_reader
from readerstudy.statistics.mrmc import FEW_READERS, OmnibusF, omnibus_f
from readerstudy.statistics.opinion import (
    ReferenceDifference,
    as_worst,
    difference_from_reference,
    unit_means,
)
from readerstudy.statistics.readers import (
    IntraReader,
    SessionBias,
    intra_reader,
    reader_summary,
    session_biases,
)
from readerstudy.statistics.table import ScoreTable, TableError

REFERENCE = "reference"
POOLED = (
    "Pooled over arms: readers who tell the arms apart count as agreeing here, so read the blocks of the arms first."
)


@dataclass(frozen=True)
class Omnibus:
    """Tests over all arms at once; the first is the headline, the rest condition on these readers."""

    mrmc: OmnibusF | Undefined
    friedman: Friedman
    clmm: Clmm | Undefined
    clmm_crossed: Clmm | Undefined


@dataclass(frozen=True)
class ReaderEntry:
    """One reader, by session too, and the headline numbers without this reader (see ``leave_out``)."""

    bias: Result
    correlation_with_others: Result
    standard_deviation: Number
    n_scores: int
    by_session: dict[str, SessionBias]
    mean_score_without: dict[str, Result]
    fleiss_kappa_without: dict[str, Result]
    difference_from_reference_without: dict[str, Result]
    mrmc_without: dict[str, Result]
    omnibus_without: OmnibusF | Undefined


def analyse(
    scores: ScoreTable,
    metrics: MetricsTable | None = None,
    categories: Sequence[int] | None = None,
    seed: int = 0,
    draws: int = 2000,
    clmm: bool = True,
    margin: float | None = None,
    reference: str = REFERENCE,
) -> dict[str, Any]:
    """All statistics of a table of scores, as strict JSON types.

    ``categories`` are the form's; without them all whole numbers from the smallest to the largest score.
    ``clmm=False`` leaves the two mixed models out, which take most of the time. ``margin`` in score points
    asks for non-inferiority and equivalence of every pair; ``reference`` names the hidden reference's arm.
    Raises TableError for a score off the form or a metric of an unknown arm or modality.
    """
    form = tuple(sorted(categories)) if categories is not None else scores.categories()
    if len(set(form)) != len(form) or not form:
        raise TableError("The categories must be different whole numbers; correct --categories.")
    scores.check(form)
    cube, refused, clusters = scores.cube(), scores.cannot_judge_cube(), scores.clusters()
    report = {
        "categories": form,
        "arms": _arm_blocks(scores, cube, refused, form, clusters, seed, draws),
        "pooled": _pooled_block(scores.readers, cube, refused, form, clusters, seed, draws),
        "comparisons": compare(cube, scores.arms, form, clusters, margin),
        "omnibus": _omnibus(scores, cube, form, clusters, clmm),
        "readers": _readers(scores, cube, form, clusters, reference),
        "intra_reader": _intra_readers(scores, cube, form, clusters),
        "correlation": {"fid_med": _fid_med(scores, cube, metrics)},
        "latency": _latency(metrics),
        "difference_from_reference": _reference_differences(scores, cube, clusters, reference),
        "cannot_judge_as_worst": _refusals_as_worst(scores, cube, refused, form, clusters, reference),
        "modalities": _modalities(scores, cube, refused, form, seed, draws),
        "modalities_pooled": _modalities_pooled(scores, cube, refused, form, seed, draws),
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
    readers: Sequence[str],
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
        readers,
        form,
        _pooled_clusters(cube, clusters),
        seed,
        draws,
        POOLED,
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


def _readers(
    scores: ScoreTable, cube: FloatArray, form: Sequence[int], clusters: Clusters, reference: str
) -> dict[str, ReaderEntry]:
    units, pooled = pooled_units(cube), _pooled_clusters(cube, clusters)
    entries: dict[str, ReaderEntry] = {}
    for r, reader in enumerate(scores.readers):
        summary = reader_summary(units, r, pooled)
        rest = without_reader(cube, r, scores.arms, form, clusters, reference)
        entries[reader] = ReaderEntry(
            bias=summary.bias,
            correlation_with_others=summary.correlation_with_others,
            standard_deviation=summary.standard_deviation,
            n_scores=summary.n_scores,
            by_session=session_biases(scores, cube, r),
            mean_score_without=rest.mean_score,
            fleiss_kappa_without=rest.fleiss_kappa,
            difference_from_reference_without=rest.difference_from_reference,
            mrmc_without=rest.mrmc,
            omnibus_without=rest.omnibus,
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


def _reference_differences(
    scores: ScoreTable, cube: FloatArray, clusters: Clusters, reference: str
) -> dict[str, ReferenceDifference | Undefined] | Undefined:
    if reference not in scores.arms:
        return Undefined("the study has no hidden reference")
    base = cube[:, scores.arms.index(reference)]
    return {
        arm: difference_from_reference(cube[:, a], base, clusters)
        for a, arm in enumerate(scores.arms)
        if arm != reference
    }


def _refusals_as_worst(
    scores: ScoreTable,
    cube: FloatArray,
    refused: BoolArray,
    form: Sequence[int],
    clusters: Clusters,
    reference: str,
) -> Headline | Undefined:
    """Sensitivity of the headline: every "cannot judge" counted as the worst score of the form."""
    if not refused.any():
        return Undefined("no reader answered that an image can't be judged")
    return headline(as_worst(cube, refused, form), scores.arms, form, clusters, reference)


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


def _modalities_pooled(
    scores: ScoreTable, cube: FloatArray, refused: BoolArray, form: Sequence[int], seed: int, draws: int
) -> dict[str, Block]:
    """The block of all arms pooled, by modality, where the table has more than one modality."""
    names = tuple(dict.fromkeys(scores.modalities))
    if len(names) < 2:
        return {}
    clusters, blocks = scores.clusters(), {}
    for name in names:
        own = scores.slices_of(name)
        blocks[name] = _pooled_block(scores.readers, cube[own], refused[own], form, clusters.take(own), seed, draws)
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
