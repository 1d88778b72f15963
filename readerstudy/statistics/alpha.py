"""Krippendorff's alpha, nominal, ordinal and interval, with missing scores.

Source: Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), whose 4 x 12 and 3 x 15 matrices
are the tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from readerstudy.statistics.agreement import NO_PAIRS
from readerstudy.statistics.bootstrap import bootstrap, percentile_interval
from readerstudy.statistics.estimate import Estimate, FloatArray, Result, Undefined, without_interval
from readerstudy.statistics.intervals import Clusters

LEVELS = ("nominal", "ordinal", "interval")


@dataclass(frozen=True)
class Alphas:
    """Alpha at the three levels of measurement."""

    nominal: Result
    ordinal: Result
    interval: Result


def _coincidences(counts: FloatArray) -> FloatArray:
    """Coincidences of each unit's pairable values: (units, q (q + 1) / 2), the upper triangle row by row."""
    q = counts.shape[1]
    scores = counts.sum(axis=1)
    weight = np.where(scores >= 2, 1 / np.maximum(scores - 1, 1), 0.0)
    rows, columns = np.triu_indices(q)
    pairs = counts[:, rows] * counts[:, columns] - np.where(rows == columns, counts[:, rows], 0.0)
    return pairs * weight[:, None]


def _alphas(sums: FloatArray, values: FloatArray) -> FloatArray:
    """Alpha (draws, 3) from summed coincidences (draws, q (q + 1) / 2); NaN where nothing varies."""
    q = len(values)
    rows, columns = np.triu_indices(q)
    marginal = np.zeros((len(sums), q))
    for cell, (row, column) in enumerate(zip(rows, columns, strict=True)):
        marginal[:, row] += sums[:, cell]
        if row != column:
            marginal[:, column] += sums[:, cell]
    total = marginal.sum(axis=1)
    middle = np.cumsum(marginal, axis=1) - marginal / 2
    expected = marginal[:, rows] * marginal[:, columns]
    distances = (
        np.broadcast_to((rows != columns).astype(np.float64), sums.shape),
        (middle[:, rows] - middle[:, columns]) ** 2,
        np.broadcast_to((values[rows] - values[columns]) ** 2, sums.shape),
    )
    alphas = np.full((len(sums), len(LEVELS)), np.nan)
    for level, distance in enumerate(distances):
        by_chance = (expected * distance).sum(axis=1)
        varied = by_chance > 0
        observed = (sums * distance).sum(axis=1)[varied]
        alphas[varied, level] = 1 - (total[varied] - 1) * observed / by_chance[varied]
    return alphas


def krippendorff_alphas(
    counts: FloatArray, categories: Sequence[int], clusters: Clusters, seed: int, draws: int
) -> Alphas:
    """Alpha of counts (units, categories) with a percentile bootstrap over ``clusters``.

    The ordinal metric counts from the marginals of each resample; units with fewer than two scores are
    dropped.
    """
    columns = _coincidences(counts)
    if not (counts.sum(axis=1) >= 2).any():
        undefined = Undefined(NO_PAIRS)
        return Alphas(undefined, undefined, undefined)
    values = np.asarray(categories, dtype=np.float64)
    point = _alphas(columns.sum(axis=0, keepdims=True), values)[0]
    reason = clusters.too_few()
    spread = None if reason else bootstrap(clusters.sums(columns), lambda s: _alphas(s, values), seed, draws)
    results: list[Result] = []
    for level in range(len(LEVELS)):
        if np.isnan(point[level]):
            results.append(Undefined("all pairable scores are equal, so that nothing could disagree"))
        elif spread is None:
            results.append(without_interval(float(point[level]), str(reason)))
        else:
            results.append(_with_percentiles(float(point[level]), spread[:, level], clusters, draws))
    return Alphas(*results)


def _with_percentiles(value: float, spread: FloatArray, clusters: Clusters, draws: int) -> Estimate:
    interval = percentile_interval(spread)
    if isinstance(interval, Undefined):
        return without_interval(value, interval.reason)
    return Estimate(value, *interval, f"percentile bootstrap over {clusters.noun}, {draws} draws")
