"""From inputs to the statistics document; the same function serves the snapshot and the recomputation."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import readerstudy.statistics
from readerstudy.analytics import slice_metrics as per_slice
from readerstudy.analytics import summaries
from readerstudy.analytics.annotations import annotations_section, fidelity_section
from readerstudy.analytics.guesses import blinding_section
from readerstudy.analytics.inputs import RESEARCH_USE, Inputs
from readerstudy.analytics.ladders import ladders
from readerstudy.analytics.lines import CANNOT_JUDGE, ScoreLine, SetLine
from readerstudy.analytics.pairs import pairs_section
from readerstudy.analytics.plan import plan_comparisons, planned
from readerstudy.analytics.sittings import pace_section, without_flagged_displays
from readerstudy.statistics.analyse import analyse
from readerstudy.statistics.correlation import metric_correlation
from readerstudy.statistics.csv_tables import FidRow, MetricsTable
from readerstudy.statistics.estimate import as_json
from readerstudy.statistics.latency import latency
from readerstudy.statistics.table import ScoreRow, ScoreTable

SOURCES = (
    "annotations.py", "compute.py", "guesses.py", "inputs.py", "ladders.py", "lines.py", "pairs.py", "plan.py",
    "sittings.py", "slice_metrics.py", "summaries.py",
)  # fmt: skip
PAIRWISE = "the study compares pairs, so that its images have no scores"


def compute(inputs: Inputs, *, mixed_models: bool = True) -> dict[str, Any]:
    """The contract of ``analyse`` on the primary criterion, with the study's facts and further sections.

    ``mixed_models=False`` leaves out what takes seconds. In a pairwise study the sections of scores are empty,
    and ``pairs`` holds what was judged.
    """
    facts = inputs.facts
    scored = _pairwise(inputs) if facts.pairwise else _scored(inputs, mixed_models)
    return {
        "notice": RESEARCH_USE,
        "simulated": facts.simulated,
        "code_version": code_version(),
        "study": asdict(facts),
        **scored,
        "metrics": summaries.metrics(facts, inputs.images, inputs.sets),
        "annotations": annotations_section(inputs),
        "fidelity": fidelity_section(inputs),
        "blinding": blinding_section(inputs),
    }


def _scored(inputs: Inputs, mixed_models: bool) -> dict[str, Any]:
    facts = inputs.facts
    lines = inputs.scores_of(facts.primary_criterion)
    primary = planned(lines, facts)
    table = score_table(primary)
    document = analyse(
        table, arm_metrics(inputs), facts.categories, facts.seed, facts.draws, mixed_models, reference=facts.reference
    )
    modalities = _modalities(document, table)
    return {
        **document,
        "plan_comparisons": plan_comparisons(facts, document["comparisons"]),
        "modalities": modalities,
        "secondary": _secondary(inputs),
        "sensitivity": {"without_flagged_displays": without_flagged_displays(inputs, table)},
        "ladders": ladders(inputs, table),
        "correlation_by_modality": _correlation_by_modality(inputs.sets, modalities),
        "slice_metrics": per_slice.slice_metrics(table, inputs.images),
        "distribution": summaries.distribution(facts, lines),
        "reader_means": summaries.reader_means(facts, primary),
        "reading": pace_section(inputs),
        "pairs": {},
    }


def _pairwise(inputs: Inputs) -> dict[str, Any]:
    """The same keys, without scores; latency needs none."""
    facts = inputs.facts
    timed = arm_metrics(inputs).latency_ms
    return {
        "categories": [],
        "arms": {},
        "pooled": summaries.undefined(PAIRWISE),
        "comparisons": [],
        "omnibus": {},
        "readers": {},
        "intra_reader": {},
        "correlation": {"fid_med": summaries.undefined(PAIRWISE)},
        "latency": as_json(latency(timed)) if timed else summaries.undefined("no latency was given"),
        "difference_from_reference": summaries.undefined(PAIRWISE),
        "warnings": [],
        "plan_comparisons": [],
        "modalities": {},
        "secondary": {},
        "sensitivity": {},
        "ladders": {},
        "correlation_by_modality": summaries.undefined(PAIRWISE),
        "slice_metrics": {},
        "distribution": {},
        "reader_means": {},
        "reading": {},
        "seed": facts.seed,
        "draws": facts.draws,
        "pairs": pairs_section(inputs),
    }


def document_text(document: dict[str, Any]) -> str:
    """Strict JSON in full double precision; raises ``ValueError`` for NaN and infinity."""
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


@cache
def code_version() -> str:
    """A hash over the source of everything that computes, so that a change of code makes a new snapshot.

    Read once: a running process computes with the code that it started with.
    """
    digest = hashlib.sha256()
    own = [Path(__file__).with_name(name) for name in SOURCES]
    statistics = sorted(Path(readerstudy.statistics.__file__).parent.glob("*.py"))
    for path in [*statistics, *own]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def score_table(lines: Sequence[ScoreLine]) -> ScoreTable:
    return ScoreTable.from_rows(
        ScoreRow(
            slice=line.slice,
            arm=line.arm,
            reader=line.reader,
            score=None if line.score in ("", CANNOT_JUDGE) else float(line.score),
            cannot_judge=line.score == CANNOT_JUDGE,
            patient=line.patient,
            modality=line.modality,
            session=str(line.session),
            repeat=line.repeat,
            line=number,
        )
        for number, line in enumerate(lines, start=2)
    )


def arm_metrics(inputs: Inputs) -> MetricsTable:
    """One FID-Med point per compared arm, and the compared arms' latencies where all come from one device."""
    compared = [arm.key for arm in inputs.facts.compared()]
    timed = [line for line in inputs.images if line.arm in compared and line.latency_ms is not None]
    latencies: dict[str, list[float]] = {}
    if len({line.device for line in timed}) == 1:
        for line in timed:
            assert line.latency_ms is not None
            latencies.setdefault(line.arm, []).append(line.latency_ms)
    points = _points(line for line in inputs.sets if not line.modality)
    return MetricsTable(points, tuple((arm, tuple(values)) for arm, values in latencies.items()))


def _points(lines: Any) -> tuple[FidRow, ...]:
    return tuple(FidRow(line.arm, line.modality, line.fid_med) for line in lines if line.fid_med is not None)


def _modalities(document: dict[str, Any], table: ScoreTable) -> dict[str, Any]:
    """Blocks by modality and arm; in a study of one modality they are those of the arms."""
    names = summaries.modalities(table.modalities)
    if len(names) == 1:
        return {names[0]: document["arms"]}
    return {name: document["modalities"][name] for name in names}


def _secondary(inputs: Inputs) -> dict[str, Any]:
    """Every other criterion, per arm: secondary, without comparisons."""
    facts = inputs.facts
    found: dict[str, Any] = {}
    for key, title in facts.criteria.items():
        if key != facts.primary_criterion:
            table = score_table(planned(inputs.scores_of(key), facts))
            blocks = analyse(table, None, facts.categories, facts.seed, facts.draws, clmm=False)["arms"]
            found[key] = {"title": title, "arms": blocks}
    return found


def _correlation_by_modality(sets: Sequence[SetLine], modalities: dict[str, Any]) -> Any:
    """Mean score on FID-Med with one point per arm and modality; points of one arm depend on each other."""
    points = []
    for line in sets:
        block = modalities.get(line.modality, {}).get(line.arm)
        mean = block["opinion"]["mean_score"]["value"] if block else None
        if line.fid_med is not None and mean is not None:
            points.append((line.fid_med, mean))
    known = np.array(points, dtype=np.float64).reshape(-1, 2)
    return as_json(metric_correlation(known[:, 0], known[:, 1]))
