"""Agreement on units scored by all readers: intraclass correlations and Kendall's W."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats

from readerstudy.statistics.estimate import Estimate, FloatArray, Result, Undefined, without_interval
from readerstudy.statistics.intervals import Clusters, linearised

TINY = 1e-12


@dataclass(frozen=True)
class IntraclassCorrelations:
    """Two-way random effects, absolute agreement: of one reader and of the mean of all."""

    single: Result
    average: Result


@dataclass(frozen=True)
class MeanSquares:
    """Mean squares of a complete units x readers table: units, readers and error."""

    units: float
    readers: float
    error: float


def mean_squares(scores: FloatArray) -> MeanSquares:
    """Two-way analysis of variance without replication of scores (units, readers)."""
    n, k = scores.shape
    grand = scores.mean()
    units, readers = scores.mean(axis=1) - grand, scores.mean(axis=0) - grand
    residual = scores - grand - units[:, None] - readers[None, :]
    return MeanSquares(
        units=k * float(units @ units) / (n - 1),
        readers=n * float(readers @ readers) / (k - 1),
        error=float((residual**2).sum()) / ((n - 1) * (k - 1)),
    )


def complete(scores: FloatArray) -> FloatArray | Undefined:
    """The units of scores (units, readers; NaN missing) scored by every reader who scored at all."""
    seen = scores[:, np.isfinite(scores).any(axis=0)] if scores.size else scores
    if seen.shape[1] < 2:
        return Undefined("fewer than two readers have scores")
    kept: FloatArray = seen[np.isfinite(seen).all(axis=1)]
    if len(kept) < 2:
        return Undefined("fewer than two units were scored by all readers")
    return kept


def intraclass_correlations(scores: FloatArray) -> IntraclassCorrelations:
    """ICC(2,1) and ICC(2,k) of scores (units, readers; NaN missing) with McGraw and Wong's F interval.

    Sources: Shrout and Fleiss 1979 (worked example: .29 and .62); McGraw and Wong 1996, table 7.
    """
    kept = complete(scores)
    if isinstance(kept, Undefined):
        return IntraclassCorrelations(kept, kept)
    n, k = kept.shape
    ms = mean_squares(kept)
    if ms.units <= TINY and ms.readers <= TINY and ms.error <= TINY:
        constant = Undefined("all scores are equal, so that there is no variance to share out")
        return IntraclassCorrelations(constant, constant)
    difference = ms.units - ms.error
    single_base = ms.units + (k - 1) * ms.error + k * (ms.readers - ms.error) / n
    average_base = ms.units + (ms.readers - ms.error) / n
    bounds = _icc_bounds(ms, n, k, difference / single_base) if single_base > TINY else "no variance"
    return IntraclassCorrelations(
        _icc(difference, single_base, bounds, lambda rho: rho),
        _icc(difference, average_base, bounds, lambda rho: k * rho / (1 + (k - 1) * rho)),
    )


def _icc(
    difference: float, base: float, bounds: tuple[float, float] | str, step_up: Callable[[float], float]
) -> Result:
    if base <= TINY:
        return Undefined("the variance components cancel out, so that the ratio has no denominator")
    if isinstance(bounds, str):
        return without_interval(difference / base, bounds)
    low, high = step_up(bounds[0]), step_up(bounds[1])
    return Estimate(difference / base, low, high, "McGraw and Wong's F")


def _icc_bounds(ms: MeanSquares, n: int, k: int, rho: float) -> tuple[float, float] | str:
    """F bounds of ICC(2,1), or why there are none."""
    if 1 - rho <= TINY:
        return "the readers agree completely"
    a = k * rho / (n * (1 - rho))
    b = 1 + a * (n - 1)
    spread = (a * ms.readers) ** 2 / (k - 1) + (b * ms.error) ** 2 / ((n - 1) * (k - 1))
    if spread <= TINY**2:
        return "the readers agree completely"
    df = (a * ms.readers + b * ms.error) ** 2 / spread
    if df <= TINY:
        return "the degrees of freedom vanish"
    rest = k * ms.readers + (k * n - k - n) * ms.error
    upper_f = float(stats.f.ppf(0.975, n - 1, df))
    lower_f = float(stats.f.ppf(0.975, df, n - 1))
    low = n * (ms.units - upper_f * ms.error) / (upper_f * rest + n * ms.units)
    high = n * (lower_f * ms.units - ms.error) / (rest + n * lower_f * ms.units)
    if not (math.isfinite(low) and math.isfinite(high)):
        return "the F quantile is not finite"
    # ICC(2,1) of k readers can't lie below -1 / (k - 1); at that bound ICC(2,k) would divide by zero.
    if 1 + (k - 1) * low <= TINY:
        return "the lower bound lies outside the range of the coefficient"
    return low, high


def mid_ranks(scores: FloatArray) -> FloatArray:
    """Tied ranks within each reader's column of scores (units, readers)."""
    return np.asarray(stats.rankdata(scores, axis=0), dtype=np.float64)


def kendall_w(scores: FloatArray, clusters: Clusters) -> Result:
    """Kendall's coefficient of concordance, tie-corrected, of scores (units, readers; NaN missing).

    W = Var(sum of ranks) / (m * sum of the readers' rank variances), which is the tie-corrected form. Its
    interval is linearised in the mid-ranks.
    """
    kept = complete(scores)
    if isinstance(kept, Undefined):
        return kept
    if kept.shape != scores.shape:
        seen = scores[:, np.isfinite(scores).any(axis=0)]
        clusters = clusters.take(np.asarray(np.isfinite(seen).all(axis=1)))
    n, m = kept.shape
    grades = (mid_ranks(kept) - 0.5) / n - 0.5
    variances = (grades**2).mean(axis=0)
    if variances.sum() <= TINY:
        return Undefined("every reader gave all units the same score, so that there are no ranks")
    total = grades.sum(axis=1)
    value = float((total**2).mean() / (m * variances.sum()))
    of_sum = total**2 - (total**2).mean()
    of_readers = np.zeros(n)
    for reader in range(m):
        own = grades[:, reader]
        of_sum += 2 * (_shift(kept[:, reader], total) - float((total * own).mean()))
        of_readers += own**2 + 2 * _shift(kept[:, reader], own) - 3 * variances[reader]
    influence = (of_sum / m - value * of_readers) / float(variances.sum())
    return linearised(value, influence, clusters, "linearised in the ranks", (0.0, 1.0))


def _shift(scores: FloatArray, weight: FloatArray) -> FloatArray:
    """What one more unit at each unit's own score adds to the mean of weight x grade (weights sum to 0)."""
    values, place = np.unique(scores, return_inverse=True)
    sums = np.bincount(place, weights=weight, minlength=len(values)) / len(scores)
    above = sums.sum() - np.cumsum(sums)
    shift: FloatArray = (above + sums / 2)[place]
    return shift
