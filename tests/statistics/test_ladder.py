"""Dose ladders: the slope against a regression by hand, the limit's fixed sequence, and its error rate."""

from __future__ import annotations

import math

import numpy as np
import pytest

from readerstudy.statistics.estimate import Estimate, Undefined, as_json
from readerstudy.statistics.intervals import Clusters
from readerstudy.statistics.ladder import Limit, ladder
from readerstudy.statistics.mrmc import MrmcEstimate, crossed_mean
from tests.statistics.tables import scores

ARMS, LEVELS = ["quarter", "full", "half", "tenth"], [25.0, 100.0, 50.0, 10.0]
UNITS = Clusters.of_units(40)


def rising() -> np.ndarray:
    """Scores whose means follow ``LEVELS``: tenth 2.6, quarter 3.4, half 4.1, full 4.2."""
    return scores(1, means=(3.4, 4.2, 4.1, 2.6))


def test_rungs_are_in_order_with_both_intervals() -> None:
    found = ladder(rising(), ARMS, LEVELS, UNITS)
    assert [rung.arm for rung in found.rungs] == ["tenth", "quarter", "half", "full"]
    assert [rung.level for rung in found.rungs] == sorted(LEVELS) and found.monotone is True
    means = []
    for rung in found.rungs:
        own, both = rung.mean_score, rung.mean_score_slices_readers
        assert isinstance(own, Estimate) and isinstance(both, Estimate) and own.value == both.value
        assert own.ci_low is not None and both.ci_low is not None and both.ci_low < own.ci_low
        means.append(own.value)
    step = found.rungs[2].step
    assert isinstance(step, MrmcEstimate) and step.value == pytest.approx(means[2] - means[1])
    assert isinstance(found.rungs[0].step, Undefined) and isinstance(found.limit, Undefined)
    as_json(found)


def test_slope_per_doubling_is_the_regression_on_log2() -> None:
    cube = rising()
    found = ladder(cube, ARMS, LEVELS, UNITS)
    by_hand = np.polyfit(np.log2(LEVELS), cube.mean(axis=(0, 2)), 1)[0]
    slope = found.slope_per_doubling
    assert isinstance(slope, MrmcEstimate) and slope.value == pytest.approx(by_hand) and found.n_cells == 200
    assert isinstance(slope.p, float) and slope.p < 0.001
    per_cell = np.polyfit(np.log2(LEVELS), cube.transpose(1, 0, 2).reshape(4, -1), 1)[0].reshape(40, 5)
    oracle = crossed_mean(per_cell, UNITS)
    assert isinstance(oracle, MrmcEstimate) and slope.ci_high == pytest.approx(oracle.ci_high)


def test_order_of_arms_does_not_matter() -> None:
    cube, order = rising(), [2, 0, 3, 1]
    first = ladder(cube, ARMS, LEVELS, UNITS, cube[:, 1], 0.5)
    second = ladder(cube[:, order], [ARMS[k] for k in order], [LEVELS[k] for k in order], UNITS, cube[:, 1], 0.5)
    assert first == second


def test_limit_stops_at_the_first_level_that_fails() -> None:
    cube, reference = rising(), scores(1, means=(4.3,) * 4)[:, 0]
    found = ladder(cube, ARMS, LEVELS, UNITS, reference, margin=0.5)
    assert isinstance(found.limit, Limit) and (found.limit.arm, found.limit.level) == ("half", 50.0)
    assert list(found.limit.tests) == ["full", "half", "quarter"]
    wide = ladder(cube, ARMS, LEVELS, UNITS, reference, margin=4.0).limit
    assert isinstance(wide, Limit) and wide.arm == "tenth"
    narrow = ladder(cube, ARMS, LEVELS, UNITS, reference, margin=0.01).limit
    assert isinstance(narrow, Undefined) and "full, the best level" in narrow.reason


def test_acceleration_is_climbed_the_other_way() -> None:
    cube, reference = rising()[:, ::-1], scores(1, means=(4.3,) * 4)[:, 0]
    found = ladder(cube, ["x2", "x4", "x8", "x16"], [8.0, 4.0, 2.0, 16.0], UNITS, reference, 9.0, more_is_better=False)
    assert isinstance(found.limit, Limit) and found.limit.level == 16.0
    assert list(found.limit.tests) == ["x8", "x4", "x2", "x16"]


@pytest.mark.parametrize(
    ("reference", "margin", "reason"),
    [(None, 0.3, "no reference"), (np.full((40, 5), np.nan), 0.3, "no reference"), (None, None, "no margin")],
)
def test_limit_undefined(reference: np.ndarray | None, margin: float | None, reason: str) -> None:
    found = ladder(rising(), ARMS, LEVELS, UNITS, reference, margin).limit
    assert isinstance(found, Undefined) and reason in found.reason


def test_degenerate_ladders() -> None:
    one = ladder(rising()[:, :1], ["only"], [1.0], UNITS)
    assert isinstance(one.slope_per_doubling, Undefined) and isinstance(one.monotone, Undefined)
    gap = rising()
    gap[:, 1] = np.nan
    empty = ladder(gap, ARMS, LEVELS, UNITS, rising()[:, 1], 0.5)
    assert isinstance(empty.slope_per_doubling, Undefined) and isinstance(empty.rungs[3].mean_score, Undefined)
    assert isinstance(empty.limit, Undefined) and "full could not be tested" in empty.limit.reason
    flat = ladder(np.full((40, 2, 5), 3.0), ["a", "b"], [1.0, 2.0], UNITS).slope_per_doubling
    assert isinstance(flat, MrmcEstimate) and flat.value == 0 and flat.ci_low is None
    single = ladder(rising()[:, :, :1], ARMS, LEVELS, UNITS).slope_per_doubling
    assert isinstance(single, MrmcEstimate) and single.ci_low is None and "one reader" in single.method


@pytest.mark.parametrize("levels", [[1.0, 1.0], [0.0, 1.0], [1.0], [math.nan, 1.0]])
def test_levels_must_be_positive_and_different(levels: list[float]) -> None:
    with pytest.raises(ValueError, match="one positive level for each arm"):
        ladder(rising()[:, :2], ["a", "b"], levels, UNITS)


def test_slope_keeps_its_level_with_a_reader_x_arm_spread() -> None:
    """300 ladders without a trend, reader x arm SD .3: nominal 5 %."""
    generator = np.random.default_rng(2)
    rejected = 0
    for _ in range(300):
        cube = 0.3 * generator.normal(size=(1, 3, 5)) + 0.6 * generator.normal(size=(50, 3, 5))
        slope = ladder(cube, ["a", "b", "c"], [1.0, 2.0, 4.0], Clusters.of_units(50)).slope_per_doubling
        assert isinstance(slope, MrmcEstimate) and isinstance(slope.p, float)
        rejected += slope.p < 0.05
    assert 4 <= rejected <= 27
