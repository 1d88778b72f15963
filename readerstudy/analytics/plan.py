"""What the frozen plan asks for: handling of gaps, the family of comparisons, its hypothesis and correction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from readerstudy.analytics.inputs import StudyFacts
from readerstudy.analytics.lines import CANNOT_JUDGE, ScoreLine
from readerstudy.statistics.estimate import Undefined, as_json
from readerstudy.statistics.mrmc import Hypothesis, MrmcEstimate, against_margin


def planned(lines: Sequence[ScoreLine], facts: StudyFacts) -> list[ScoreLine]:
    """The lines as the plan handles missing scores and "cannot judge".

    A slice is complete when everyone who stayed to the end has scored it: what a withdrawn or replaced reader left
    unread is no gap, and what they scored of complete slices is kept.
    """
    worst = str(min(facts.categories))
    if facts.plan.get("cannot_judge") == "worst score":
        lines = [replace(line, score=worst) if line.score == CANNOT_JUDGE else line for line in lines]
    if facts.plan.get("missing") == "complete slices":
        stayed = [line for line in lines if line.reader not in facts.left and line.repeat == 0]
        gaps = {line.slice for line in stayed if line.score in ("", CANNOT_JUDGE)}
        lines = [line for line in lines if line.slice not in gaps]
    return list(lines)


def plan_comparisons(facts: StudyFacts, comparisons: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The plan's test of each pair from the multi-reader analysis; pairs outside its family are exploratory.

    ``p`` tests the plan's hypothesis, ``p_adjusted`` is corrected over the whole family.
    """
    kind, correction = facts.plan.get("hypothesis", "superiority"), facts.plan.get("correction", "bonferroni")
    inside = [in_family(facts, pair["arms"]) for pair in comparisons]
    tests = [tested(facts, pair) for pair in comparisons]
    values = [p_of(test) for test in tests]
    adjusted = iter(adjust([p for p, kept in zip(values, inside, strict=True) if kept], correction))
    return [
        {
            "arms": pair["arms"],
            "role": "primary" if kept else "exploratory",
            "hypothesis": kind,
            "test": test,
            "p": p,
            "p_adjusted": next(adjusted) if kept else None,
            "correction": correction if kept else None,
            "family_size": sum(inside) if kept else None,
        }
        for pair, kept, test, p in zip(comparisons, inside, tests, values, strict=True)
    ]


def in_family(facts: StudyFacts, arms: Sequence[str]) -> bool:
    """Whether the plan names this pair: of compared arms, or with the comparator."""
    comparator = facts.plan.get("comparator", "")
    known = {arm.key for arm in facts.compared()}
    if facts.plan.get("comparisons") == "against comparator":
        return comparator in arms and set(arms) <= known | {comparator}
    return set(arms) <= known


def tested(facts: StudyFacts, pair: Mapping[str, Any]) -> dict[str, Any]:
    """The hypothesis of one pair as JSON: against no difference, or against the plan's margin.

    Against a margin the difference is that of the other arm minus the comparator, or of the later minus the
    earlier arm where the plan names no comparator.
    """
    mrmc, kind = pair["mrmc"], facts.plan.get("hypothesis", "superiority")
    if mrmc.get("value") is None or kind == "superiority":
        return {"kind": "superiority", "p": mrmc.get("p")}
    sign = -1.0 if pair["arms"][1] == facts.plan.get("comparator") else 1.0
    gap = Undefined(str(mrmc["method"]))
    number = {name: gap if isinstance(mrmc[name], dict) else mrmc[name] for name in ("p", "df", "standard_error")}
    estimate = MrmcEstimate(sign * mrmc["value"], None, None, str(mrmc["method"]), **number)
    margin = float(facts.plan["margin"])
    made: Hypothesis | Undefined = (
        against_margin(estimate, "equivalence", margin)
        if kind == "equivalence"
        else against_margin(estimate, "non_inferiority", margin)
    )
    found: dict[str, Any] = as_json(made)
    return found


def p_of(test: Mapping[str, Any]) -> float | None:
    p = test.get("p")
    return float(p) if isinstance(p, int | float) else None


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
