"""The readers themselves: bias, spread, agreement with the others and with themselves, pace and drift.

Nobody is dropped automatically: with five readers the screening of BT.500 can't fire.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from readerstudy.statistics.agreement import agreement_weights, codes_of, count_table, fleiss_kappa
from readerstudy.statistics.correlation import regression
from readerstudy.statistics.estimate import FloatArray, Number, Result, Undefined, finite, without_interval
from readerstudy.statistics.intervals import Clusters, fisher, linearised, pearson, wilson
from readerstudy.statistics.opinion import unit_means
from readerstudy.statistics.pairwise import weighted_kappa


@dataclass(frozen=True)
class Reader:
    """One reader against the others over all units of all arms."""

    bias: Result
    correlation_with_others: Result
    standard_deviation: Number
    n_scores: int


@dataclass(frozen=True)
class IntraReader:
    """One reader's first reading against the repeat of the same unit."""

    weighted_kappa_quadratic: Result
    weighted_kappa_linear: Result
    exact_repeat_share: Result
    n_repeats: int


@dataclass(frozen=True)
class Drift:
    """Slope of the reader's deviation from the unit means over position, per 100 presentations."""

    slope_per_100: Result


def reader_summary(units: FloatArray, reader: int, clusters: Clusters) -> Reader:
    """Summary of one column of units (units, readers; NaN missing).

    ``bias`` is the mean of score minus unit mean, the reader's own score included in it.
    """
    own = units[:, reader]
    seen = np.isfinite(own)
    number = int(seen.sum())
    if number == 0:
        gap = Undefined("the reader has no scores")
        return Reader(gap, gap, gap, 0)
    deviation = own[seen] - unit_means(units)[seen]
    bias = float(deviation.mean())
    spread: Number = Undefined("one score") if number < 2 else float(own[seen].std(ddof=1))
    interval = linearised(bias, deviation - bias, clusters.take(seen), "cluster-robust")
    return Reader(interval, _with_others(units, reader), spread, number)


def _with_others(units: FloatArray, reader: int) -> Result:
    others = unit_means(np.delete(units, reader, axis=1))
    own = units[:, reader]
    both = np.isfinite(own) & np.isfinite(others)
    if not both.any():
        return Undefined("no unit was also scored by another reader")
    r = pearson(own[both], others[both])
    return r if isinstance(r, Undefined) else fisher(r, int(both.sum()), "Pearson")


def intra_reader(first: FloatArray, second: FloatArray, categories: Sequence[int], clusters: Clusters) -> IntraReader:
    """Agreement of one reader's scores (units,) with the repeats (units,), where both are given."""
    both = np.isfinite(first) & np.isfinite(second)
    n = int(both.sum())
    if n == 0:
        gap = Undefined("the reader scored no unit twice")
        return IntraReader(gap, gap, gap, 0)
    codes = codes_of(np.stack([first[both], second[both]]), categories)
    own = clusters.take(both)

    def kappa(power: int) -> Result:
        return weighted_kappa(codes[0], codes[1], agreement_weights(categories, power), own)

    exact = int((codes[0] == codes[1]).sum())
    return IntraReader(kappa(2), kappa(1), wilson(exact, n), n)


def drift(deviation: FloatArray, position: FloatArray) -> Drift:
    """Regression of deviations from the unit mean (n,) on positions (n,), with a t(n - 2) interval."""
    fit = regression(position, deviation)
    if isinstance(fit, Undefined):
        return Drift(fit)
    slope = fit.slope
    if isinstance(slope, Undefined) or slope.ci_low is None or slope.ci_high is None:
        return Drift(slope)
    return Drift(type(slope)(100 * slope.value, 100 * slope.ci_low, 100 * slope.ci_high, slope.method))


@dataclass(frozen=True)
class Pace:
    """Seconds per presentation: median, 95th percentile, and the share of readings under one second."""

    n: int
    median_s: Number
    p95_s: Number
    share_below_1_s: Result


def pace(seconds: FloatArray) -> Pace:
    """Pace from reading times in s (n,), from the painted image to the score."""
    if len(seconds) == 0:
        gap = Undefined("no reading times")
        return Pace(0, gap, gap, gap)
    return Pace(
        n=len(seconds),
        median_s=finite(float(np.median(seconds)), "a reading time is not finite"),
        p95_s=finite(float(np.quantile(seconds, 0.95)), "a reading time is not finite"),
        share_below_1_s=wilson(int((seconds < 1).sum()), len(seconds)),
    )


def mean_without(units: FloatArray, reader: int) -> Result:
    """Mean of unit means of units (units, readers) when one reader is left out."""
    means = unit_means(np.delete(units, reader, axis=1))
    kept = means[np.isfinite(means)]
    if len(kept) == 0:
        return Undefined("no scores are left without this reader")
    return without_interval(float(kept.mean()), "leave-one-reader-out shows the value alone")


def kappa_without(units: FloatArray, reader: int, categories: Sequence[int]) -> Result:
    """Fleiss' kappa of units (units, readers; NaN missing) when one reader is left out."""
    rest = np.delete(units, reader, axis=1)
    rest = rest[np.isfinite(rest).any(axis=1)]
    return fleiss_kappa(count_table(codes_of(rest, categories), len(categories)), Clusters.of_units(len(rest)))
