"""Metrics against scores, latency and the readers themselves."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.oneway import anova_oneway

from readerstudy.statistics.correlation import MetricCorrelation, metric_correlation, regression, slice_metric
from readerstudy.statistics.estimate import Estimate, Undefined
from readerstudy.statistics.intervals import Clusters, clustered_correlation
from readerstudy.statistics.latency import latency
from readerstudy.statistics.opinion import unit_means
from readerstudy.statistics.readers import intra_reader, reader_summary
from tests.statistics.tables import scores

FORM = [1, 2, 3, 4, 5]
# The paper's Tables 3 and 5: FID-Med and mean score of the four methods.
FID, MEAN = np.array([158.4, 94.7, 81.3, 48.6]), np.array([2.8, 3.6, 3.9, 4.6])


def test_the_papers_own_table() -> None:
    found = metric_correlation(FID, MEAN)
    assert isinstance(found.slope, Estimate) and round(found.slope.value, 5) == -0.01598
    assert isinstance(found.pearson, Estimate) and round(found.pearson.value, 3) == -0.987
    assert (round(found.pearson.ci_low or 0, 4), round(found.pearson.ci_high or 0, 3)) == (-0.9997, -0.498)
    assert isinstance(found.spearman, Estimate) and found.spearman.value == -1 and found.spearman.ci_low is None
    assert isinstance(found.kendall, Estimate) and found.kendall.value == -1
    assert len(found.leave_one_out_pearson) == 4


def test_equals_scipy() -> None:
    x, y = scores(1)[:12, 0, 0] + np.arange(12) % 5, unit_means(scores(1))[:12, 1]
    found, line = metric_correlation(x, y), stats.linregress(x, y)
    assert isinstance(found.slope, Estimate) and isinstance(found.intercept, Estimate)
    half = stats.t.ppf(0.975, 10) * np.array([line.stderr, line.intercept_stderr])
    assert (found.slope.value, found.slope.ci_high) == pytest.approx((line.slope, line.slope + half[0]))
    assert (found.intercept.value, found.intercept.ci_low) == pytest.approx((line.intercept, line.intercept - half[1]))
    oracles = (stats.pearsonr(x, y), stats.spearmanr(x, np.round(y, 9)), stats.kendalltau(x, np.round(y, 9)))
    for value, oracle in zip((found.pearson, found.spearman, found.kendall), oracles, strict=True):
        assert isinstance(value, Estimate) and value.value == pytest.approx(oracle.statistic)
    assert isinstance(found.pearson, Estimate)
    interval = oracles[0].confidence_interval()
    assert (found.pearson.ci_low, found.pearson.ci_high) == pytest.approx((interval.low, interval.high))


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_few_points(n: int) -> None:
    found = metric_correlation(FID[:n], MEAN[:n])
    assert isinstance(found, MetricCorrelation) and found.n == n
    assert isinstance(found.slope, Undefined) == (n < 2)
    assert isinstance(found.pearson, Undefined) == (n < 3)
    assert all(isinstance(each, Undefined) for each in found.leave_one_out_pearson)
    if isinstance(found.pearson, Estimate):
        assert found.pearson.ci_low is None and "at least 4" in found.pearson.method


def test_constant_metric() -> None:
    assert isinstance(regression(np.full(5, 0.1 + 0.2), np.arange(5.0)), Undefined)
    assert isinstance(metric_correlation(np.arange(4.0), np.full(4, 3.3)).pearson, Undefined)


def test_pair_order_is_counted_within_slices() -> None:
    metric = np.array([[1.0, 2, 3], [3, 2, 1], [1, 1, 2]])
    opinion = np.array([[1.0, 2, 3], [1, 2, 3], [2, 1, 3]])
    found = slice_metric(metric, opinion, ("a", "b", "c"), Clusters.of_units(3), higher_is_better=True)
    assert isinstance(found.pair_order_share, Estimate)
    assert found.pair_order_share.value == pytest.approx((3 + 0 + 2) / 8)
    turned = slice_metric(-metric, opinion, ("a", "b", "c"), Clusters.of_units(3), higher_is_better=False)
    assert turned == found


def test_an_arm_without_the_metric_does_not_empty_the_slices_of_the_others() -> None:
    """The reference has no PSNR against itself: the others are compared as if it were not there."""
    metric, opinion = scores(1)[:, :3, 0], unit_means(scores(2))[:, :3]
    alone = slice_metric(metric, opinion, ("a", "b", "c"), Clusters.of_units(40), True)
    gap = np.full((40, 1), np.nan)
    arms = ("reference", "a", "b", "c")
    beside = slice_metric(np.hstack([gap, metric]), np.hstack([gap + 5, opinion]), arms, Clusters.of_units(40), True)
    assert isinstance(alone.within_slices, Estimate) and beside.within_slices == alone.within_slices
    assert beside.pair_order_share == alone.pair_order_share and beside.between_arms == alone.between_arms
    assert isinstance(beside.within_arms["reference"], Undefined)


@pytest.mark.filterwarnings("error")
def test_a_metric_that_no_image_has() -> None:
    found = slice_metric(np.full((8, 2), np.nan), np.ones((8, 2)), ("a", "b"), Clusters.of_units(8), True)
    for each in (*found.within_arms.values(), found.between_arms, found.within_slices, found.pair_order_share):
        assert isinstance(each, Undefined)


def test_slices_of_one_patient_do_not_narrow_a_correlation() -> None:
    metric, opinion = scores(1)[:, 0, 0], unit_means(scores(1))[:, 1]
    once = clustered_correlation(metric, opinion, Clusters.of_units(40, "patients"), "Pearson")
    copies = Clusters(np.arange(120) // 3, 40, "patients", 6)
    thrice = clustered_correlation(np.repeat(metric, 3), np.repeat(opinion, 3), copies, "Pearson")
    assert isinstance(once, Estimate) and isinstance(thrice, Estimate)
    assert thrice.value == pytest.approx(once.value) and thrice.ci_low is not None and once.ci_low is not None
    assert thrice.ci_low == pytest.approx(once.ci_low, abs=0.05) and "Fisher" in once.method
    few = clustered_correlation(metric, opinion, Clusters(np.arange(40) % 4, 4, "patients", 6), "Pearson")
    assert isinstance(few, Estimate) and few.ci_low is None and "patients: 4" in few.method


def test_points_on_a_line_have_no_error_to_estimate() -> None:
    fit = regression(np.arange(5.0), 2 * np.arange(5.0) + 1)
    assert not isinstance(fit, Undefined) and isinstance(fit.slope, Estimate)
    assert fit.slope.value == pytest.approx(2) and fit.slope.ci_low is None and "on a line" in fit.slope.method


def test_latency_equals_statsmodels() -> None:
    groups = [np.arange(5.0) + 40, np.arange(7.0) * 3 + 45, np.arange(6.0) ** 2 + 44]
    found = latency([(name, tuple(group)) for name, group in zip("abc", groups, strict=True)])
    classic = stats.f_oneway(*groups)
    welch = anova_oneway(groups, use_var="unequal", welch_correction=True)
    assert (found.anova.f, found.anova.p) == pytest.approx((classic.statistic, classic.pvalue))
    assert (found.welch.f, found.welch.p) == pytest.approx((welch.statistic, welch.pvalue))
    assert found.arms["b"].median_ms == 54.0


@pytest.mark.parametrize(
    "samples", [[("a", (1.0, 2.0))], [("a", (1.0,)), ("b", (2.0,))], [("a", (1.0, 1.0)), ("b", (2.0, 2.0))]]
)
def test_latency_undefined(samples: list[tuple[str, tuple[float, ...]]]) -> None:
    found = latency(samples)
    assert isinstance(found.anova.f, Undefined) and isinstance(found.welch.p, Undefined)


def test_reader_bias_and_correlation_by_hand() -> None:
    units = scores(2, missing=0.2).reshape(-1, 5)
    seen = np.isfinite(units[:, 1])
    bias = np.mean(units[seen, 1] - unit_means(units)[seen])
    others = unit_means(np.delete(units, 1, axis=1))
    both = seen & np.isfinite(others)
    found = reader_summary(units, 1, Clusters.of_units(len(units)))
    assert isinstance(found.bias, Estimate) and found.bias.value == pytest.approx(bias)
    assert isinstance(found.correlation_with_others, Estimate)
    assert found.correlation_with_others.value == pytest.approx(np.corrcoef(units[both, 1], others[both])[0, 1])


def test_intra_reader() -> None:
    first = np.array([1.0, 2, 3, 4, 5, 3, np.nan])
    second = np.array([1.0, 2, 3, 5, 5, np.nan, 2])
    found = intra_reader(first, second, FORM, Clusters.of_units(7))
    assert isinstance(found.exact_repeat_share, Estimate)
    assert found.exact_repeat_share.value == 0.8 and found.n_repeats == 5
    nothing = intra_reader(first, np.full(7, np.nan), FORM, Clusters.of_units(7))
    assert isinstance(nothing.weighted_kappa_linear, Undefined)
