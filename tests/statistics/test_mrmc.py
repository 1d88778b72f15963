"""The multi-reader analysis against its analysis-of-variance form, and what it is for: type I error."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from readerstudy.statistics.comparison import paired_t
from readerstudy.statistics.estimate import Undefined
from readerstudy.statistics.intervals import Clusters
from readerstudy.statistics.mrmc import MrmcEstimate, against_margin, crossed_mean, omnibus_f
from readerstudy.statistics.opinion import unit_means
from tests.statistics.tables import scores


def anova_form(difference: np.ndarray) -> tuple[float, float]:
    """Standard error and Hillis df from the mixed analysis of variance of differences."""
    n, readers = difference.shape
    grand = difference.mean()
    by_case, by_reader = difference.mean(axis=1), difference.mean(axis=0)
    ms_case = readers * ((by_case - grand) ** 2).sum() / (n - 1)
    ms_reader = n * ((by_reader - grand) ** 2).sum() / (readers - 1)
    rest = difference - by_case[:, None] - by_reader[None, :] + grand
    ms_error = (rest**2).sum() / ((n - 1) * (readers - 1))
    total = ms_reader + max(ms_case - ms_error, 0)
    return math.sqrt(total / (n * readers)), total**2 / (ms_reader**2 / (readers - 1))


@pytest.mark.parametrize("seed", range(1, 7))
def test_equals_the_anova_form(seed: int) -> None:
    cube = scores(seed)
    difference = cube[:, 1] - cube[:, 0]
    found = crossed_mean(difference, Clusters.of_units(40))
    error, df = anova_form(difference)
    assert isinstance(found, MrmcEstimate)
    assert found.value == pytest.approx(difference.mean()) and found.standard_error == pytest.approx(error)
    assert found.df == pytest.approx(df)
    assert found.ci_high == pytest.approx(difference.mean() + stats.t.ppf(0.975, df) * error)
    assert found.p == pytest.approx(2 * stats.t.sf(abs(difference.mean()) / error, df))


def test_two_arms_omnibus_is_the_squared_pair() -> None:
    cube = scores(3)[:, :2]
    pair, f = (
        crossed_mean(cube[:, 1] - cube[:, 0], Clusters.of_units(40)),
        omnibus_f(cube, Clusters.of_units(40)),
    )
    assert isinstance(pair, MrmcEstimate) and not isinstance(f, Undefined)
    assert isinstance(pair.standard_error, float)
    assert f.f == pytest.approx((pair.value / pair.standard_error) ** 2)
    assert f.df2 == pytest.approx(pair.df) and f.p == pytest.approx(pair.p)


def test_type_one_error_holds_where_the_paired_t_fails() -> None:
    """300 studies without a difference, reader x arm SD .3: nominal 5 %."""
    generator = np.random.default_rng(1)
    rejected = {"mrmc": 0, "paired t": 0}
    for _ in range(300):
        difference = (
            0.3 * math.sqrt(2) * generator.normal(size=(1, 5))
            + 0.3 * generator.normal(size=(60, 1))
            + 0.7 * generator.normal(size=(60, 5))
        )
        found, naive = crossed_mean(difference, Clusters.of_units(60)), paired_t(unit_means(difference))
        assert isinstance(found, MrmcEstimate) and isinstance(found.p, float) and isinstance(naive.p, float)
        rejected["mrmc"] += found.p < 0.05
        rejected["paired t"] += naive.p < 0.05
    assert 4 <= rejected["mrmc"] <= 27 and rejected["paired t"] > 90


def test_copies_of_a_patient_add_no_information() -> None:
    """Every slice given three times under one patient: the same interval as once."""
    difference = scores(4)[:, 1] - scores(4)[:, 0]
    once = crossed_mean(difference, Clusters(np.arange(40), 40, "patients", 6))
    thrice = crossed_mean(np.repeat(difference, 3, axis=0), Clusters(np.arange(120) // 3, 40, "patients", 6))
    assert isinstance(once, MrmcEstimate) and isinstance(thrice, MrmcEstimate)
    assert (thrice.ci_low, thrice.ci_high) == pytest.approx((once.ci_low, once.ci_high))


@pytest.mark.parametrize(
    ("table", "count", "reason"),
    [
        (scores(1)[:, 0, :1], 40, "one reader"),
        (scores(1)[:, 0], 5, "patients: 5"),
        (np.full((40, 5), 3.0), 40, "do not vary"),
    ],
)
def test_value_without_interval(table: np.ndarray, count: int, reason: str) -> None:
    found = crossed_mean(table, Clusters(np.arange(40) % count, count, "patients", 6))
    assert isinstance(found, MrmcEstimate) and found.value == pytest.approx(table.mean())
    assert found.ci_low is None and reason in found.method
    assert isinstance(found.p, Undefined) and reason in found.p.reason
    assert isinstance(against_margin(found, "equivalence", 0.2), Undefined)


def test_margins() -> None:
    found = MrmcEstimate(-0.1, -0.3, 0.1, "m", 0.3, 20.0, 0.1)
    worse = against_margin(found, "non_inferiority", 0.25)
    both = against_margin(found, "equivalence", 0.25)
    assert not isinstance(worse, Undefined) and not isinstance(both, Undefined)
    assert worse.p == pytest.approx(stats.t.sf(1.5, 20)) and both.p == pytest.approx(worse.p)
    assert both.level == 0.9 and both.ci_low == pytest.approx(-0.1 - stats.t.ppf(0.95, 20) * 0.1)
    with pytest.raises(ValueError, match="positive number of score points"):
        against_margin(found, "equivalence", 0.0)
