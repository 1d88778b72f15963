"""Intervals shared by the families: clusters of dependent units, and the closed forms over them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from readerstudy.statistics.estimate import (
    BoolArray,
    Estimate,
    FloatArray,
    IntArray,
    Result,
    Undefined,
    without_interval,
)

MINIMUM_PATIENTS = 6
Z = float(stats.norm.ppf(0.975))
# An error below this share of the value is what rounding leaves of none at all.
FLAT = 1e-12
UNVARIED = "the values do not vary, so that their error can't be estimated"


def t_quantile(df: float) -> float:
    return float(special.stdtrit(df, 0.975))


def two_sided_t(t: float, df: float) -> float:
    """Two-sided p of a t statistic."""
    return 2 * float(special.stdtr(df, -abs(t)))


@dataclass(frozen=True, eq=False)
class Clusters:
    """Which units belong together: ``index`` (units,) in 0..count-1.

    ``noun`` names a cluster; ``minimum`` is the number below which no interval is given
    (6 where the clusters are known to be patients).
    """

    index: IntArray
    count: int
    noun: str
    minimum: int = 2

    @classmethod
    def of_units(cls, n: int, noun: str = "units") -> Clusters:
        return cls(np.arange(n, dtype=np.int64), n, noun)

    @classmethod
    def of_labels(cls, labels: Sequence[str], noun: str, minimum: int = 2) -> Clusters:
        numbers = {label: number for number, label in enumerate(sorted(set(labels)))}
        return cls(np.array([numbers[label] for label in labels], dtype=np.int64), len(numbers), noun, minimum)

    def take(self, mask: BoolArray) -> Clusters:
        """The clusters of the units in ``mask`` (units,), numbered anew."""
        kept, index = np.unique(self.index[mask], return_inverse=True)
        return Clusters(index.astype(np.int64), len(kept), self.noun, self.minimum)

    def of_rows(self, units: IntArray) -> Clusters:
        """The clusters of rows that name their unit (rows,), numbered anew."""
        kept, index = np.unique(self.index[units], return_inverse=True)
        return Clusters(index.astype(np.int64), len(kept), self.noun, self.minimum)

    def sums(self, values: FloatArray) -> FloatArray:
        """Sum over the units of each cluster: (units, ...) -> (count, ...)."""
        if self.count == len(self.index):
            ordered = np.empty_like(values, dtype=np.float64)
            ordered[self.index] = values
            return ordered
        flat = values.reshape(len(values), -1)
        sums = np.empty((self.count, flat.shape[1]))
        for column in range(flat.shape[1]):
            sums[:, column] = np.bincount(self.index, weights=flat[:, column], minlength=self.count)
        return sums.reshape((self.count, *values.shape[1:]))

    def too_few(self) -> str | None:
        """Why these clusters carry no interval, or None where they do."""
        if self.count >= self.minimum:
            return None
        return f"{self.noun}: {self.count}, at least {self.minimum} are needed"


def linearised(
    value: float,
    influence: FloatArray,
    clusters: Clusters,
    method: str,
    bounds: tuple[float, float] = (-math.inf, math.inf),
) -> Estimate:
    """t interval of a smooth statistic from its influence values (units,), which sum to zero.

    The variance is that of a mean of independent clusters; with one unit per cluster it is
    sum(influence^2) / (n (n - 1)), Gwet's linearised form.
    """
    reason = clusters.too_few()
    if reason is not None:
        return without_interval(value, reason)
    n, count = len(influence), clusters.count
    sums = clusters.sums(influence)
    error = math.sqrt(count / (count - 1) * float(sums @ sums)) / n
    if error <= FLAT * (1 + abs(value)):
        return without_interval(value, UNVARIED)
    half = t_quantile(count - 1) * error
    low, high = max(bounds[0], value - half), min(bounds[1], value + half)
    return Estimate(float(value), float(low), float(high), f"{method}, t({count - 1}) over {clusters.noun}")


def t_interval(values: FloatArray, noun: str) -> Result:
    """Mean of independent values (n,) with its t(n - 1) interval."""
    n = len(values)
    if n == 0:
        return Undefined("no scores")
    mean = float(values.mean())
    if n == 1:
        return without_interval(mean, f"one value over {noun}")
    if np.ptp(values) <= FLAT * (1 + abs(mean)):
        return without_interval(mean, UNVARIED)
    half = t_quantile(n - 1) * float(values.std(ddof=1)) / math.sqrt(n)
    return Estimate(mean, mean - half, mean + half, f"t({n - 1}) over {noun}")


def wilson(successes: int, n: int, effective: float | None = None, quantile: float = Z) -> Result:
    """Wilson's score interval of a share, with an effective sample size where units are clustered."""
    if n == 0:
        return Undefined("nothing was counted")
    share = successes / n
    size = n if effective is None else effective
    centre = share + quantile**2 / (2 * size)
    half = quantile * math.sqrt(share * (1 - share) / size + quantile**2 / (4 * size * size))
    scale = 1 + quantile**2 / size
    low = 0.0 if successes == 0 else max(0.0, (centre - half) / scale)
    high = 1.0 if successes == n else min(1.0, (centre + half) / scale)
    return Estimate(share, low, high, "Wilson score" + ("" if effective is None else ", clustered"))


def clustered_share(successes: FloatArray, trials: FloatArray, clusters: Clusters) -> Result:
    """Share sum(successes) / sum(trials) over units (units,), Wilson at the design-effect-reduced size."""
    total, hits = int(trials.sum()), int(successes.sum())
    if total == 0:
        return Undefined("nothing was counted")
    reason = clusters.too_few()
    if reason is not None:
        return without_interval(hits / total, reason)
    if hits in (0, total):
        return wilson(hits, total)
    share = hits / total
    sums = clusters.sums(successes - share * trials)
    robust = clusters.count / (clusters.count - 1) * float(sums @ sums) / total**2
    effect = max(1.0, robust / (share * (1 - share) / total))
    return wilson(hits, total, total / effect)


def fisher(r: float, n: int, method: str) -> Estimate:
    """Fisher's z interval of a correlation of n independent points."""
    if n < 4:
        return without_interval(r, f"n = {n}, at least 4 points are needed")
    if 1 - abs(r) < 1e-12:
        return without_interval(math.copysign(1.0, r), "the correlation is exact")
    z, half = math.atanh(r), Z / math.sqrt(n - 3)
    return Estimate(r, math.tanh(z - half), math.tanh(z + half), f"{method}, Fisher z, n = {n}")


def pearson(x: FloatArray, y: FloatArray) -> float | Undefined:
    """Product-moment correlation of x and y (n,), undefined where either is constant."""
    if len(x) < 3:
        return Undefined(f"{len(x)} points; at least 3 are needed, since two always lie on a line")
    dx, dy = x - x.mean(), y - y.mean()
    scale = math.sqrt(float(dx @ dx)) * math.sqrt(float(dy @ dy))
    flat = 1e-12 * (1 + float(np.abs(x).max())), 1e-12 * (1 + float(np.abs(y).max()))
    if np.ptp(x) <= flat[0] or np.ptp(y) <= flat[1]:
        return Undefined("one of the two variables does not vary")
    return float(np.clip(float(dx @ dy) / scale, -1.0, 1.0))


def two_way_variance(influence: FloatArray, clusters: Clusters, readers: IntArray, n_readers: int) -> float:
    """Variance of a sum of influence values (rows,) dependent within clusters and within readers.

    Over clusters plus over readers minus over their cells (Cameron, Gelbach and Miller 2011), at least the
    larger of the first two.
    """
    cells = clusters.index * n_readers + readers
    variances = []
    for index, count in ((clusters.index, clusters.count), (readers, n_readers), (cells, 0)):
        sums = np.bincount(index, weights=influence, minlength=count)
        groups = len(np.unique(index))
        variances.append(groups / max(groups - 1, 1) * float(sums @ sums))
    return max(variances[0] + variances[1] - variances[2], variances[0], variances[1])


def no_two_way(clusters: Clusters, readers: IntArray) -> str | None:
    """Why rows carry no interval over clusters and readers, or None where they do."""
    reason = clusters.too_few()
    if reason is None and len(np.unique(readers)) < 2:
        return "one reader, at least 2 are needed"
    return reason


def two_way(
    value: float, influence: FloatArray, clusters: Clusters, readers: IntArray, n_readers: int, method: str
) -> Estimate:
    """t interval of a statistic whose rows (rows,) are dependent within clusters and within readers.

    ``influence`` sums to zero and adds up to the statistic's error; ``readers`` (rows,) lie in
    0..n_readers-1, and readers without a row do not count.
    """
    reason = no_two_way(clusters, readers)
    if reason is not None:
        return without_interval(value, reason)
    df = min(clusters.count, len(np.unique(readers))) - 1
    error = math.sqrt(two_way_variance(influence, clusters, readers, n_readers))
    if error <= FLAT * (1 + abs(value)):
        return without_interval(value, UNVARIED)
    half = t_quantile(df) * error
    name = f"{method}, clustered by {clusters.noun} and readers, t({df})"
    return Estimate(float(value), float(value - half), float(value + half), name)


def two_way_share(hits: BoolArray, clusters: Clusters, readers: IntArray, n_readers: int) -> Result:
    """Share of rows (rows,) that are hits, dependent within clusters and within readers.

    Wilson's interval at the sample size that the two-way variance is worth, never above the rows. Where no
    row or every row is a hit the dependence can't be seen: the size is then the number of clusters.
    """
    n, successes = len(hits), int(hits.sum())
    if n == 0:
        return Undefined("nothing was counted")
    share = successes / n
    reason = no_two_way(clusters, readers)
    if reason is not None:
        return without_interval(share, reason)
    if successes in (0, n):
        found = wilson(successes, n, float(clusters.count))
        name = f"Wilson score at n = {clusters.count} {clusters.noun}, since {'all' if successes else 'none'} counted"
    else:
        variance = two_way_variance((hits - share) / n, clusters, readers, n_readers)
        df = min(clusters.count, len(np.unique(readers))) - 1
        effective = min(float(n), share * (1 - share) / variance) if variance > 0 else float(n)
        found = wilson(successes, n, effective, t_quantile(df))
        name = f"Wilson score, clustered by {clusters.noun} and readers, t({df})"
    if isinstance(found, Undefined):
        return found
    return Estimate(found.value, found.ci_low, found.ci_high, name)


def clustered_correlation(x: FloatArray, y: FloatArray, clusters: Clusters, method: str) -> Result:
    """Product-moment correlation of x and y (n,) with an interval on Fisher's z scale.

    Independent points get Fisher's own interval; with several points a cluster it is linearised over the
    clusters.
    """
    r = pearson(x, y)
    if isinstance(r, Undefined) or clusters.count == len(x):
        return r if isinstance(r, Undefined) else fisher(r, len(x), method)
    reason = clusters.too_few()
    if reason is not None:
        return without_interval(r, reason)
    if 1 - abs(r) < 1e-12:
        return without_interval(r, "the correlation is exact")
    zx, zy = (x - x.mean()) / x.std(), (y - y.mean()) / y.std()
    influence = (zx * zy - r * (zx**2 + zy**2) / 2) / (1 - r * r)
    found = linearised(math.atanh(r), influence, clusters, f"{method}, linearised on Fisher's z")
    if found.ci_low is None or found.ci_high is None:
        return without_interval(r, found.method.removeprefix("interval undefined: "))
    return Estimate(r, math.tanh(found.ci_low), math.tanh(found.ci_high), found.method)
