"""From inputs to the statistics document; the same function serves the snapshot and the recomputation."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import readerstudy.statistics
from readerstudy.analytics import summaries
from readerstudy.analytics.inputs import CANNOT_JUDGE, RESEARCH_USE, Inputs, ScoreLine, SetLine, StudyFacts
from readerstudy.statistics.analyse import analyse
from readerstudy.statistics.csv_tables import FidRow, MetricsTable
from readerstudy.statistics.table import ScoreRow, ScoreTable


def compute(inputs: Inputs) -> dict[str, Any]:
    """The contract of ``analyse`` on the primary criterion, with the study's facts and summaries."""
    facts = inputs.facts
    primary = planned(inputs.scores_of(facts.primary_criterion), facts)
    table = score_table(primary)
    document = analyse(table, arm_metrics(inputs), facts.categories, facts.seed, facts.draws)
    by_modality = tuple(line for line in inputs.sets if line.modality)
    return {
        "notice": RESEARCH_USE,
        "simulated": facts.simulated,
        "code_version": code_version(),
        "study": asdict(facts),
        **document,
        "plan_comparisons": plan_comparisons(facts, document["comparisons"]),
        "modalities": _modalities(table, facts),
        "secondary": _secondary(inputs),
        "metrics": summaries.metrics(facts, inputs.images, inputs.sets),
        "correlation_by_modality": _correlation(table, by_modality, facts),
        "distribution": summaries.distribution(facts, inputs.scores_of(facts.primary_criterion)),
        "reader_means": summaries.reader_means(facts, primary),
    }


def document_text(document: dict[str, Any]) -> str:
    """Strict JSON in full double precision; raises ``ValueError`` for NaN and infinity."""
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def code_version() -> str:
    """A hash over the source of everything that computes, so that a change of code makes a new snapshot."""
    digest = hashlib.sha256()
    own = [Path(__file__).with_name(name) for name in ("compute.py", "inputs.py", "summaries.py")]
    statistics = sorted(Path(readerstudy.statistics.__file__).parent.glob("*.py"))
    for path in [*statistics, *own]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def planned(lines: Sequence[ScoreLine], facts: StudyFacts) -> list[ScoreLine]:
    """The lines as the plan handles missing scores and "cannot judge"."""
    worst = str(min(facts.categories))
    if facts.plan.get("cannot_judge") == "worst score":
        lines = [replace(line, score=worst) if line.score == CANNOT_JUDGE else line for line in lines]
    if facts.plan.get("missing") == "complete slices":
        gaps = {line.slice for line in lines if line.repeat == 0 and line.score in ("", CANNOT_JUDGE)}
        lines = [line for line in lines if line.slice not in gaps]
    return list(lines)


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


def plan_comparisons(facts: StudyFacts, comparisons: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The multi-reader p values corrected within the plan's family; pairs outside it are exploratory."""
    comparator, against = (
        facts.plan.get("comparator", ""),
        facts.plan.get("comparisons") == "against comparator",
    )
    compared = {arm.key for arm in facts.compared()}
    family = [
        set(pair["arms"]) <= compared | ({comparator} if against else set())
        and (not against or comparator in pair["arms"])
        for pair in comparisons
    ]
    correction = facts.plan.get("correction", "bonferroni")
    inside = [pair["mrmc"].get("p") for pair, kept in zip(comparisons, family, strict=True) if kept]
    adjusted = iter(adjust([p if isinstance(p, float) else None for p in inside], correction))
    return [
        {
            "arms": pair["arms"],
            "role": "primary" if kept else "exploratory",
            "family_size": sum(family) if kept else None,
            "correction": correction if kept else None,
            "p_adjusted": next(adjusted) if kept else None,
        }
        for pair, kept in zip(comparisons, family, strict=True)
    ]


def adjust(values: Sequence[float | None], correction: str) -> list[float | None]:
    """Bonferroni or Holm over the whole family; an undefined p still counts as a member of it."""
    family = len(values)
    if correction == "none":
        return list(values)
    if correction == "bonferroni":
        return [None if p is None else min(1.0, p * family) for p in values]
    adjusted: list[float | None] = [None] * family
    running = 0.0
    order = sorted((p, index) for index, p in enumerate(values) if p is not None)
    for rank, (p, index) in enumerate(order):
        running = max(running, min(1.0, p * (family - rank)))
        adjusted[index] = running
    return adjusted


def _points(lines: Any) -> tuple[FidRow, ...]:
    return tuple(FidRow(line.arm, line.modality, line.fid_med) for line in lines if line.fid_med is not None)


def _modalities(table: ScoreTable, facts: StudyFacts) -> dict[str, Any]:
    return {
        modality: {"arms": _arms(table.where(modalities=[modality]), facts)}
        for modality in summaries.modalities(table.modalities)
    }


def _secondary(inputs: Inputs) -> dict[str, Any]:
    """Every other criterion, per arm: secondary, without comparisons."""
    facts = inputs.facts
    return {
        key: {"title": title, "arms": _arms(score_table(planned(inputs.scores_of(key), facts)), facts)}
        for key, title in facts.criteria.items()
        if key != facts.primary_criterion
    }


def _arms(table: ScoreTable, facts: StudyFacts) -> dict[str, Any]:
    arms: dict[str, Any] = analyse(table, None, facts.categories, facts.seed, facts.draws)["arms"]
    return arms


def _correlation(table: ScoreTable, sets: Sequence[SetLine], facts: StudyFacts) -> dict[str, Any]:
    metrics = MetricsTable(_points(sets))
    document = analyse(table, metrics, facts.categories, facts.seed, facts.draws)
    fit: dict[str, Any] = document["correlation"]["fid_med"]
    return fit
