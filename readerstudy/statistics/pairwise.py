"""Agreement that needs to know who scored: Conger's kappa and weighted kappas of pairs of readers.

All functions take ``codes`` (units, readers): the index of the category, -1 where there is no score.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from readerstudy.statistics.agreement import (
    FLAT,
    KAPPA_BOUNDS,
    ONE_CATEGORY,
    agreement_weights,
    chance_corrected,
    count_table,
    observed_agreement,
)
from readerstudy.statistics.estimate import FloatArray, IntArray, Result, Undefined
from readerstudy.statistics.intervals import Clusters, linearised


def conger_kappa(codes: IntArray, q: int, clusters: Clusters) -> Result:
    """Conger's kappa in Gwet's form: chance from each reader's own shares over the scores given.

    Source: Conger 1980; Gwet 2014, chapter 2. With two readers and no gaps it is Cohen's kappa.
    """
    codes = codes[:, (codes >= 0).any(axis=0)]
    n, readers = codes.shape
    if readers < 2:
        return Undefined("fewer than two readers have scores")
    observed = observed_agreement(count_table(codes, q), np.eye(q))
    if isinstance(observed, Undefined):
        return observed
    given = codes >= 0
    per_reader = given.sum(axis=0).astype(np.float64)
    shares = np.stack([(codes == code).sum(axis=0) for code in range(q)], axis=1) / per_reader[:, None]
    total = shares.sum(axis=0)
    others = (total[None, :] - shares) / (readers * (readers - 1))
    chance = float((others * shares).sum())
    if 1 - chance < FLAT:
        return Undefined(ONE_CATEGORY)
    # Each reader's shares are ratios of sums over units; this is their linearisation, times the other shares.
    looked_up = np.where(given, others[np.arange(readers)[None, :], np.maximum(codes, 0)], 0.0)
    expected = (others * shares).sum(axis=1)
    chance_per_unit = (n / per_reader * (looked_up - (given - per_reader / n) * expected)).sum(axis=1)
    value, influence = chance_corrected(observed, chance, chance_per_unit)
    return linearised(value, influence, clusters, "Gwet's unconditional", KAPPA_BOUNDS)


def weighted_kappa(first: IntArray, second: IntArray, weights: FloatArray, clusters: Clusters) -> Result:
    """Cohen's weighted kappa of two codings (units,) of the same units, all of them given.

    Source: Cohen 1968; its variance is the linearised one (Fleiss, Cohen and Everitt 1969 in the limit).
    Undefined where chance agreement is complete.
    """
    n, q = len(first), len(weights)
    if n == 0:
        return Undefined("no unit was scored by both")
    table = np.bincount(first * q + second, minlength=q * q).reshape(q, q) / n
    row, column = table.sum(axis=1), table.sum(axis=0)
    observed = float((weights * table).sum())
    chance = float(row @ weights @ column)
    if 1 - chance < FLAT:
        return Undefined(ONE_CATEGORY)
    value = (observed - chance) / (1 - chance)
    cell = weights - observed - (1 - value) * ((weights @ column)[:, None] + (row @ weights) - 2 * chance)
    influence = cell[first, second] / (1 - chance)
    return linearised(value, influence, clusters, "linearised", (-1.0, 1.0))


def pairwise_weighted_kappa(
    codes: IntArray, readers: Sequence[str], categories: Sequence[int], power: int, clusters: Clusters
) -> dict[str, Result]:
    """Weighted kappa (power 1 linear, 2 quadratic) of every pair of readers, keyed "R1-R2"."""
    weights = agreement_weights(categories, power)
    results: dict[str, Result] = {}
    for i in range(len(readers)):
        for j in range(i + 1, len(readers)):
            both = (codes[:, i] >= 0) & (codes[:, j] >= 0)
            results[f"{readers[i]}-{readers[j]}"] = weighted_kappa(
                codes[both, i], codes[both, j], weights, clusters if both.all() else clusters.take(both)
            )
    return results
