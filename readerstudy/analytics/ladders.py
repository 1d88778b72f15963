"""Dose ladders: methods that a study shows at several levels of one modality, with their trends and limits."""

from __future__ import annotations

from typing import Any

from readerstudy.analytics.inputs import ArmFacts, Inputs
from readerstudy.statistics.estimate import as_json
from readerstudy.statistics.ladder import ladder
from readerstudy.statistics.table import ScoreTable

# The share of dose and the signal-to-noise ratio are better high, acceleration is better low.
MORE_IS_BETTER = {"CT": True, "MR": False, "US": True}


def ladders(inputs: Inputs, table: ScoreTable) -> dict[str, dict[str, Any]]:
    """By modality and method, where a study has arms of one method at two levels or more."""
    facts, cube, clusters = inputs.facts, table.cube(), table.clusters()
    reference = facts.reference if facts.reference in table.arms else ""
    found: dict[str, dict[str, Any]] = {}
    for modality in sorted(set(table.modalities)):
        own = table.slices_of(modality)
        part, groups = cube[own], clusters.take(own)
        beside = part[:, table.arms.index(reference)] if reference else None
        for method, arms in _rungs(facts.arms, modality, table).items():
            made = ladder(
                part[:, [table.arms.index(arm.key) for arm in arms]],
                [arm.key for arm in arms],
                [linear(arm.levels[modality], modality) for arm in arms],
                groups,
                beside,
                facts.plan.get("margin"),
                MORE_IS_BETTER.get(modality, True),
            )
            found.setdefault(modality, {})[method] = {
                **as_json(made),
                "levels": {arm.key: arm.levels[modality] for arm in arms},
            }
    return found


def linear(level: float, modality: str) -> float:
    """The level as a positive quantity: a signal-to-noise ratio in dB becomes the ratio itself."""
    return float(10 ** (level / 10)) if modality == "US" else level


def _rungs(arms: list[ArmFacts], modality: str, table: ScoreTable) -> dict[str, list[ArmFacts]]:
    """Arms of each method by level; only methods with two different levels or more, and one arm a level."""
    groups: dict[str, dict[float, ArmFacts]] = {}
    for arm in arms:
        if arm.role == "compared" and modality in arm.levels and arm.key in table.arms:
            groups.setdefault(arm.method, {}).setdefault(arm.levels[modality], arm)
    return {
        method: [by_level[level] for level in sorted(by_level)]
        for method, by_level in groups.items()
        if len(by_level) > 1
    }
