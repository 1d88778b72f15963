"""Percentile bootstrap of statistics that depend on sums over units: one matrix product per chunk."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from readerstudy.statistics.estimate import FloatArray, IntArray, Undefined

CHUNK_CELLS = 2_000_000
DEFINED_SHARE = 0.95


def resample_indices(n: int, seed: int, draws: int) -> Iterator[IntArray]:
    """Chunks (d, n) of the unit drawn at each place of each resample, from PCG64 with ``seed``."""
    generator = np.random.Generator(np.random.PCG64(seed))
    # The chunk is a constant, so that the stream of numbers is the same whatever memory there is.
    step = max(1, CHUNK_CELLS // max(n, 1))
    for start in range(0, draws, step):
        yield generator.integers(0, n, size=(min(step, draws - start), n))


def resample_counts(n: int, seed: int, draws: int) -> Iterator[FloatArray]:
    """Chunks (d, n) of how often each unit stands in each resample."""
    for index in resample_indices(n, seed, draws):
        index += n * np.arange(len(index))[:, None]
        yield np.bincount(index.ravel(), minlength=n * len(index)).reshape(len(index), n).astype(np.float64)


def canonical(sums: FloatArray) -> FloatArray:
    """Rows in lexicographic order, so that a resample does not depend on the order of the units."""
    return sums[np.lexsort(sums.T[::-1])]


def bootstrap(sums: FloatArray, statistic: Callable[[FloatArray], FloatArray], seed: int, draws: int) -> FloatArray:
    """``statistic`` (d, k) -> (d, ...) of the column sums of resampled rows of ``sums`` (n, k)."""
    rows = canonical(sums)
    return np.concatenate([statistic(counts @ rows) for counts in resample_counts(len(rows), seed, draws)])


def percentile_interval(values: FloatArray) -> tuple[float, float] | Undefined:
    """2.5th and 97.5th percentile of the draws; undefined where too many draws are NaN."""
    defined = values[np.isfinite(values)]
    if len(defined) == 0 or len(defined) < DEFINED_SHARE * len(values):
        lost = len(values) - len(defined)
        return Undefined(f"the statistic is undefined in {lost} of {len(values)} resamples")
    low, high = np.quantile(defined, [0.025, 0.975])
    return float(low), float(high)
