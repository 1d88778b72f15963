"""Percentile bootstrap of statistics that depend on sums over units: one matrix product per chunk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np

from readerstudy.statistics.estimate import FloatArray, IntArray, Undefined

CHUNK_CELLS = 2_000_000
KEPT_CELLS = 4_000_000
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
    if n * draws <= KEPT_CELLS:
        yield from _kept_counts(n, seed, draws)
    else:
        yield from _drawn_counts(n, seed, draws)


@lru_cache(maxsize=1)
def _kept_counts(n: int, seed: int, draws: int) -> tuple[FloatArray, ...]:
    """The last resamples, since the arms of a study have as many units and every arm draws the same."""
    chunks = tuple(_drawn_counts(n, seed, draws))
    for chunk in chunks:
        chunk.flags.writeable = False
    return chunks


def forget_resamples() -> None:
    """Drop the kept resamples, so that a measurement counts their drawing."""
    _kept_counts.cache_clear()


def _drawn_counts(n: int, seed: int, draws: int) -> Iterator[FloatArray]:
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
    """2.5th and 97.5th percentile of the draws; undefined where too many are NaN, or where all are alike."""
    defined = values[np.isfinite(values)]
    if len(defined) == 0 or len(defined) < DEFINED_SHARE * len(values):
        lost = len(values) - len(defined)
        return Undefined(f"the statistic is undefined in {lost} of {len(values)} resamples")
    if np.ptp(defined) <= 1e-12:
        return Undefined("every resample gives the same value")
    low, high = np.quantile(defined, [0.025, 0.975])
    return float(low), float(high)
