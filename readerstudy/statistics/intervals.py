"""Intervals shared by the families: clusters of dependent units, and the closed forms over them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

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


def t_quantile(df: float) -> float:
    return float(stats.t.ppf(0.975, df))


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
        _, index = np.unique(np.asarray(labels, dtype=object).astype(str), return_inverse=True)
        count = int(index.max()) + 1 if len(index) else 0
        return cls(index.astype(np.int64), count, noun, minimum)

    def take(self, mask: BoolArray) -> Clusters:
        """The clusters of the units in ``mask`` (units,), numbered anew."""
        kept, index = np.unique(self.index[mask], return_inverse=True)
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
    half = t_quantile(n - 1) * float(values.std(ddof=1)) / math.sqrt(n)
    return Estimate(mean, mean - half, mean + half, f"t({n - 1}) over {noun}")


def wilson(successes: int, n: int, effective: float | None = None) -> Result:
    """Wilson's score interval of a share, with an effective sample size where units are clustered."""
    if n == 0:
        return Undefined("nothing was counted")
    share = successes / n
    size = n if effective is None else effective
    centre = share + Z * Z / (2 * size)
    half = Z * math.sqrt(share * (1 - share) / size + Z * Z / (4 * size * size))
    scale = 1 + Z * Z / size
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


def two_way(
    value: float, influence: FloatArray, clusters: Clusters, readers: IntArray, n_readers: int, method: str
) -> Estimate:
    """t interval of a statistic whose rows (rows,) are dependent within clusters and within readers.

    Variance over clusters plus over readers minus over their cells (Cameron, Gelbach and Miller 2011), at
    least the larger of the first two; ``influence`` sums to zero and adds up to the statistic's error.
    """
    reason = clusters.too_few() or (None if n_readers > 1 else "one reader, at least 2 are needed")
    if reason is not None:
        return without_interval(value, reason)
    cells = clusters.index * n_readers + readers
    variances = []
    for index, count in ((clusters.index, clusters.count), (readers, n_readers), (cells, 0)):
        sums = np.bincount(index, weights=influence, minlength=count)
        groups = len(np.unique(index))
        variances.append(groups / max(groups - 1, 1) * float(sums @ sums))
    variance = max(variances[0] + variances[1] - variances[2], variances[0], variances[1])
    df = min(clusters.count, n_readers) - 1
    half = t_quantile(df) * math.sqrt(variance)
    name = f"{method}, clustered by {clusters.noun} and readers, t({df})"
    return Estimate(float(value), float(value - half), float(value + half), name)
