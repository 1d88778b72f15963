"""ICC and Kendall's W against psych, irr's anxiety data, scipy's Friedman and a jackknife."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from readerstudy.statistics.estimate import Estimate, Undefined
from readerstudy.statistics.intervals import Clusters
from readerstudy.statistics.reliability import intraclass_correlations, kendall_w
from tests.statistics.tables import scores

SHROUT_FLEISS = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], dtype=np.float64
)
# The anxiety ratings that come with R's irr: 20 subjects, 3 raters.
ANXIETY = np.array(
    [
        [3, 3, 3, 4, 5, 5, 2, 3, 5, 2, 2, 6, 1, 5, 2, 2, 1, 2, 4, 3],
        [3, 6, 4, 6, 2, 4, 2, 4, 3, 3, 2, 3, 3, 3, 2, 2, 1, 3, 3, 4],
        [2, 1, 4, 4, 3, 2, 1, 6, 1, 1, 1, 2, 3, 3, 1, 1, 3, 3, 2, 2],
    ],
    dtype=np.float64,
).T


def test_shrout_and_fleiss_1979() -> None:
    found = intraclass_correlations(SHROUT_FLEISS)
    assert isinstance(found.single, Estimate) and isinstance(found.average, Estimate)
    assert round(found.single.value, 2) == 0.29 and round(found.average.value, 2) == 0.62


@pytest.mark.parametrize(
    ("table", "single", "average"),
    [
        (
            SHROUT_FLEISS,
            (0.289763779528, 0.0187865133747, 0.761084369649),
            (0.620050547599, 0.0711368153025, 0.927232040168),
        ),
        (
            scores(1)[:, 1],
            (0.333922261484, 0.196541951014, 0.498860596106),
            (0.714826021180, 0.550177734052, 0.832699368046),
        ),
    ],
    ids=["Shrout and Fleiss", "simulated"],
)
def test_psych(table: np.ndarray, single: tuple[float, ...], average: tuple[float, ...]) -> None:
    """Recorded from psych 2.2.9 (oracles/agreement.R): ``ICC(table, lmer = FALSE)``, ICC2 and ICC2k with bounds."""
    found = intraclass_correlations(table)
    for value, recorded in ((found.single, single), (found.average, average)):
        assert isinstance(value, Estimate)
        assert (value.value, value.ci_low, value.ci_high) == pytest.approx(recorded, abs=1e-9)


def test_anxiety() -> None:
    """irr prints icc 0.198 (-0.039, 0.494) for agreement and Kendall's W 0.54."""
    icc, w = intraclass_correlations(ANXIETY).single, kendall_w(ANXIETY, Clusters.of_units(20))
    assert isinstance(icc, Estimate) and isinstance(w, Estimate)
    assert (round(icc.value, 3), round(icc.ci_low or 0, 3), round(icc.ci_high or 0, 3)) == (
        0.198,
        -0.039,
        0.494,
    )
    assert round(w.value, 2) == 0.54


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_w_is_friedman_over_m_k(seed: int) -> None:
    table = scores(seed)[:, 2]
    found = kendall_w(table, Clusters.of_units(len(table)))
    chi2 = stats.friedmanchisquare(*table).statistic
    assert isinstance(found, Estimate)
    assert found.value == pytest.approx(chi2 / (5 * (len(table) - 1)), abs=1e-12)


def test_interval_of_w_is_that_of_the_jackknife() -> None:
    table = scores(6, slices=200)[:, 0]
    found = kendall_w(table, Clusters.of_units(200))
    left_out = [kendall_w(np.delete(table, i, axis=0), Clusters.of_units(199)) for i in range(200)]
    values = np.array([each.value for each in left_out if isinstance(each, Estimate)])
    error = np.sqrt(199 / 200 * ((values - values.mean()) ** 2).sum())
    assert isinstance(found, Estimate) and found.ci_high is not None
    assert (found.ci_high - found.value) / stats.t.ppf(0.975, 199) == pytest.approx(error, rel=0.02)


def test_units_with_gaps_are_left_out() -> None:
    table = scores(7)[:, 0]
    holes = np.vstack([table, [[1, np.nan, 2, 3, 4]]])
    with_gap, without = kendall_w(holes, Clusters.of_units(41)), kendall_w(table, Clusters.of_units(40))
    assert with_gap == without
    assert intraclass_correlations(holes) == intraclass_correlations(table)


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (np.full((6, 3), 4.0), "equal"),
        (np.ones((1, 3)), "fewer than two units"),
        (np.ones((6, 1)), "fewer than two readers"),
    ],
)
def test_undefined(table: np.ndarray, reason: str) -> None:
    found = intraclass_correlations(table).single
    assert isinstance(found, Undefined) and reason in found.reason
    assert isinstance(kendall_w(table, Clusters.of_units(len(table))), Undefined)


def test_identical_readers_agree_completely_without_an_interval() -> None:
    found = intraclass_correlations(np.repeat(np.arange(1.0, 6.0)[:, None], 4, axis=1)).single
    assert isinstance(found, Estimate) and found.value == 1.0 and found.ci_low is None
