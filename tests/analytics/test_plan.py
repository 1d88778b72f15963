"""What the plan says is what is tested: family, hypothesis, margin, correction."""

from __future__ import annotations

from typing import Any

import pytest

from readerstudy.analytics.inputs import ArmFacts, StudyFacts
from readerstudy.analytics.plan import adjust, plan_comparisons

KEYS = ("old", "new", "third", "reference")


def facts(**plan: Any) -> StudyFacts:
    arms = [ArmFacts(key, key, key, "reference" if key == "reference" else "compared", {}, {}) for key in KEYS]
    plan = {"primary_criterion": "quality", **plan}
    return StudyFacts("id", "title", "", "", plan, {"quality": "Quality"}, [1, 2, 3, 4, 5], arms, ["R1"], 0, 9, True)


def pairs(difference: float = 0.1, error: float = 0.1, df: float = 10.0, p: float = 0.02) -> list[dict[str, Any]]:
    mrmc = {"value": difference, "ci_low": 0, "ci_high": 1, "method": "OR", "p": p, "df": df, "standard_error": error}
    named = [(a, b) for i, a in enumerate(KEYS) for b in KEYS[i + 1 :]]
    return [{"arms": list(arms), "mrmc": mrmc} for arms in named]


def test_all_pairs_of_compared_arms_are_the_family() -> None:
    made = plan_comparisons(facts(), pairs())
    assert [item["role"] for item in made] == [
        "primary", "primary", "exploratory", "primary", "exploratory", "exploratory",
    ]  # fmt: skip
    assert made[0]["family_size"] == 3 and made[0]["p_adjusted"] == pytest.approx(0.06)
    assert made[2]["p_adjusted"] is None and made[2]["p"] == 0.02


def test_against_a_comparator_only_its_pairs_count() -> None:
    made = plan_comparisons(facts(comparisons="against comparator", comparator="reference"), pairs())
    assert [item["arms"] for item in made if item["role"] == "primary"] == [
        ["old", "reference"], ["new", "reference"], ["third", "reference"],
    ]  # fmt: skip


def test_non_inferiority_is_that_of_the_other_arm_to_the_comparator() -> None:
    plan = {"hypothesis": "non-inferiority", "margin": 0.5, "correction": "none"}
    # t(10) beyond (0.1 + 0.5) / 0.1 = 6, and beyond (-0.1 + 0.5) / 0.1 = 4 where the comparator is the later arm.
    first = plan_comparisons(facts(**plan, comparator="old"), pairs())[0]
    assert first["p_adjusted"] == pytest.approx(6.61e-5, rel=0.01) and first["test"]["margin"] == 0.5
    swapped = plan_comparisons(facts(**plan, comparator="new"), pairs())[0]
    assert swapped["p"] == pytest.approx(1.26e-3, rel=0.01)
    assert swapped["test"]["ci_low"] < -0.1 < swapped["test"]["ci_high"]


def test_equivalence_takes_the_worse_of_two_sides() -> None:
    made = plan_comparisons(facts(hypothesis="equivalence", margin=0.5, correction="none"), pairs())[0]
    assert made["p"] == pytest.approx(1.26e-3, rel=0.01) and made["test"]["level"] == 0.9


def test_undefined_pairs_stay_undefined() -> None:
    gap = [{"arms": ["old", "new"], "mrmc": {"value": None, "undefined": "one reader"}}]
    for hypothesis in ("superiority", "equivalence"):
        made = plan_comparisons(facts(hypothesis=hypothesis, margin=0.5), gap)[0]
        assert made["p"] is None and made["p_adjusted"] is None


def test_corrections_count_the_whole_family() -> None:
    assert adjust([0.01, None, 0.04], "bonferroni") == [0.03, None, 0.12]
    assert adjust([0.01, 0.04, 0.03], "holm") == pytest.approx([0.03, 0.06, 0.06])
    assert adjust([0.5, 0.9], "bonferroni") == [1.0, 1.0] and adjust([0.5], "none") == [0.5]
