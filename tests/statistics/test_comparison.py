"""Comparisons of arms against scipy, statsmodels and counting by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from readerstudy.statistics.comparison import (
    compare,
    friedman,
    holm_correction,
    paired_t,
    vgc_area,
    vgc_area_readers,
    wilcoxon,
)
from readerstudy.statistics.estimate import Estimate, Undefined
from readerstudy.statistics.intervals import Clusters
from readerstudy.statistics.mrmc import Hypothesis, MrmcEstimate
from readerstudy.statistics.opinion import unit_means
from tests.statistics.tables import scores

FORM = [1, 2, 3, 4, 5]
ARMS = ["a", "b", "c", "d"]
# Student's sleep data (Cushny and Peebles 1905): t = 4.0621, p = .002833 in R's t.test(paired = TRUE).
SLEEP = np.array([1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4])


def test_paired_t_of_students_sleep() -> None:
    found = paired_t(SLEEP)
    assert found.t == pytest.approx(4.0621, abs=5e-5) and found.p == pytest.approx(0.002833, abs=5e-7)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_wilcoxon_equals_scipy_on_rounded_differences(seed: int) -> None:
    means = unit_means(scores(seed, means=(3.5, 3.6, 3.7, 3.8)))
    difference = means[:, 1] - means[:, 0]
    oracle = stats.wilcoxon(np.round(difference, 9), zero_method="wilcox", correction=False, method="approx")
    assert wilcoxon(difference) == pytest.approx(oracle.pvalue, abs=1e-12)


def test_equal_differences_tie_although_their_last_bits_differ() -> None:
    noisy = np.array([0.1 + 0.2, 0.3, 0.6 - 0.3, -0.3, 0.2, -0.1])
    assert len(set(np.abs(noisy))) > 3
    assert wilcoxon(noisy) == wilcoxon(np.array([0.3, 0.3, 0.3, -0.3, 0.2, -0.1]))


def test_friedman_equals_scipy() -> None:
    means = unit_means(scores(2))
    oracle = stats.friedmanchisquare(*np.round(means, 9).T)
    found = friedman(means)
    assert found.chi2 == pytest.approx(oracle.statistic, abs=1e-9)
    assert found.p == pytest.approx(oracle.pvalue, rel=1e-9) and found.n_blocks == 40


def test_corrections_run_over_all_pairs() -> None:
    pairs = compare(scores(1), ARMS, FORM, Clusters.of_units(40))
    assert [pair.arms for pair in pairs] == [(a, b) for i, a in enumerate(ARMS) for b in ARMS[i + 1 :]]
    p_values = [pair.wilcoxon.p for pair in pairs]
    holm = multipletests(p_values, method="holm")[1]
    assert [pair.wilcoxon.p_holm for pair in pairs] == pytest.approx(holm.tolist())
    for pair in pairs:
        assert not isinstance(pair.paired_t.p, Undefined)
        assert pair.paired_t.p_bonferroni == min(1.0, 6 * pair.paired_t.p)


def test_an_undefined_p_counts_in_the_family() -> None:
    gap = Undefined("why")
    assert holm_correction([0.01, gap, 0.02]) == [pytest.approx(0.03), gap, pytest.approx(0.04)]


def test_mean_difference_is_the_paired_t_interval() -> None:
    cube = scores(3)
    pair = compare(cube, ARMS, FORM, Clusters.of_units(40))[2]
    means = unit_means(cube)
    oracle = stats.ttest_rel(means[:, 3], means[:, 0])
    interval = oracle.confidence_interval()
    found = pair.mean_difference
    assert isinstance(found, Estimate) and pair.paired_t.t == pytest.approx(oracle.statistic)
    assert (found.ci_low, found.ci_high) == pytest.approx((interval.low, interval.high))


def test_vgc_area_counts_every_pair_of_scores() -> None:
    cube = scores(4, missing=0.2)
    a, b = (values[np.isfinite(values)] for values in (cube[:, 0], cube[:, 1]))
    by_hand = np.mean((b[:, None] > a[None, :]) + 0.5 * (b[:, None] == a[None, :]))
    found = vgc_area(cube[:, 0], cube[:, 1], FORM, Clusters.of_units(40))
    assert isinstance(found, Estimate) and found.value == pytest.approx(by_hand, abs=1e-12)
    jackknife = np.array(
        [
            e.value
            for e in (
                vgc_area(*(np.delete(cube[:, k], s, axis=0) for k in (0, 1)), FORM, Clusters.of_units(39))
                for s in range(40)
            )
            if isinstance(e, Estimate)
        ]
    )
    error = np.sqrt(39 / 40 * ((jackknife - jackknife.mean()) ** 2).sum())
    assert found.ci_high is not None
    assert (found.ci_high - found.value) / stats.t.ppf(0.975, 39) == pytest.approx(error, rel=0.05)


def test_vgc_area_of_the_readers_is_the_mean_of_their_own() -> None:
    """Its error against Obuchowski and Rockette's formula with covariances from a jackknife over slices."""
    cube = scores(4, means=(3.4, 3.8))
    found = vgc_area_readers(cube[:, 0], cube[:, 1], FORM, Clusters.of_units(40))
    own = []
    for reader in range(5):
        a, b = cube[:, 0, reader], cube[:, 1, reader]
        own.append(np.mean((b[:, None] > a[None, :]) + 0.5 * (b[:, None] == a[None, :])))
    assert isinstance(found, MrmcEstimate) and found.value == pytest.approx(np.mean(own))
    left_out = np.array(
        [
            [
                e.value
                for e in (
                    vgc_area(*(np.delete(cube[:, k, [r]], s, axis=0) for k in (0, 1)), FORM, Clusters.of_units(39))
                    for s in range(40)
                )
                if isinstance(e, Estimate)
            ]
            for r in range(5)
        ]
    )
    covariance = np.cov(left_out) * 39**2 / 40
    shared = (covariance.sum() - np.trace(covariance)) / 20
    error = np.sqrt(np.var(own, ddof=1) / 5 + shared)
    assert found.standard_error == pytest.approx(error, rel=0.05)
    half = vgc_area_readers(cube[:, 0], cube[:, 0], FORM, Clusters.of_units(40))
    assert isinstance(half, MrmcEstimate) and half.value == 0.5


def test_vgc_area_of_readers_undefined() -> None:
    cube = scores(4, means=(3.4, 3.8))
    cube[:, 0, :3], cube[:, 1, 3:] = np.nan, np.nan
    assert isinstance(vgc_area_readers(cube[:, 0], cube[:, 1], FORM, Clusters.of_units(40)), Undefined)
    one = vgc_area_readers(scores(4)[:, 0, :1], scores(4)[:, 1, :1], FORM, Clusters.of_units(40))
    assert isinstance(one, MrmcEstimate) and one.ci_low is None and "one reader" in one.method


def test_margin_asks_for_non_inferiority_and_equivalence() -> None:
    cube = scores(1, means=(3.8, 3.8, 2.5))
    near, far, _ = compare(cube, ["a", "b", "c"], FORM, Clusters.of_units(40), margin=0.6)
    assert isinstance(near.non_inferiority, Hypothesis) and isinstance(near.equivalence, Hypothesis)
    assert isinstance(far.non_inferiority, Hypothesis) and isinstance(far.non_inferiority.p, float)
    assert near.non_inferiority.p < 0.025 and far.non_inferiority.p > 0.5
    assert (near.equivalence.kind, near.equivalence.margin) == ("equivalence", 0.6)
    without = compare(cube, ["a", "b", "c"], FORM, Clusters.of_units(40))[0]
    assert isinstance(without.equivalence, Undefined) and "no margin" in without.equivalence.reason


def test_constant_difference_and_no_difference() -> None:
    cube = scores(5)[:, :2]
    same = compare(cube[:, [0, 0]], ["a", "b"], FORM, Clusters.of_units(40))[0]
    assert isinstance(same.paired_t.p, Undefined) and isinstance(same.wilcoxon.p, Undefined)
    assert isinstance(same.vgc_area, Estimate) and same.vgc_area.value == 0.5
    assert isinstance(same.mean_difference, Estimate) and same.mean_difference.value == 0
    assert isinstance(paired_t(np.array([0.2, 0.1 + 0.1, 0.6 / 3])).t, Undefined)


def test_no_shared_slice() -> None:
    cube = scores(6)[:, :2].copy()
    cube[:20, 0], cube[20:, 1] = np.nan, np.nan
    pair = compare(cube, ["a", "b"], FORM, Clusters.of_units(40))[0]
    assert isinstance(pair.mean_difference, Undefined) and isinstance(pair.mrmc, Undefined)
    assert isinstance(pair.vgc_area, Estimate) and isinstance(friedman(unit_means(cube)).p, Undefined)
