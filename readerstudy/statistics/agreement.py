"""Agreement from tables of counts: percent agreement, Fleiss' kappa, Gwet's AC1 and AC2.

All functions take ``counts`` (units, categories): how many readers gave each unit each category, over the
categories of the form. Units may have different numbers of scores. Source: Gwet, Handbook of Inter-Rater
Reliability, 4th ed. (2014), chapters 2, 3 and 5, whose linearised variances are used throughout.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from readerstudy.statistics.bootstrap import bootstrap, percentile_interval
from readerstudy.statistics.estimate import BoolArray, Estimate, FloatArray, IntArray, Result, Undefined
from readerstudy.statistics.intervals import Clusters, linearised

NO_PAIRS = "no unit has two scores or more"
ONE_CATEGORY = "all scores are in one category, so that chance agreement is complete"
FLAT = 1e-12
# No lower bound: with gaps Gwet's generalised forms can fall below -1 on very small tables.
KAPPA_BOUNDS = (-math.inf, 1.0)


@dataclass(frozen=True)
class BootstrapEstimate(Estimate):
    """An estimate with a second interval, from resampled units."""

    bootstrap: tuple[float, float] | Undefined


def codes_of(scores: FloatArray, categories: Sequence[int]) -> IntArray:
    """Index of each score in the form's categories, -1 where there is no score."""
    codes = np.full(scores.shape, -1, dtype=np.int64)
    for code, category in enumerate(categories):
        codes[scores == category] = code
    return codes


def count_table(codes: IntArray, q: int) -> FloatArray:
    """Counts (units, q) of codes (units, readers); -1 is no score."""
    return np.stack([(codes == code).sum(axis=1) for code in range(q)], axis=1).astype(np.float64)


def agreement_weights(categories: Sequence[int], power: int) -> FloatArray:
    """Weights (q, q): identity for power 0, else 1 - (|a - b| / range) ** power on the category values."""
    values = np.asarray(categories, dtype=np.float64)
    if power == 0 or len(values) == 1:
        return np.eye(len(values))
    distance = np.abs(values[:, None] - values[None, :]) / np.ptp(values)
    return np.asarray(1 - distance**power, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Observed:
    """Observed agreement per unit (0 where a unit has fewer than two scores) and its mean."""

    per_unit: FloatArray
    paired: BoolArray
    share: FloatArray
    mean: float

    @property
    def scale(self) -> float:
        """Units over units with two scores or more."""
        return len(self.paired) / float(self.paired.sum())


def observed_agreement(counts: FloatArray, weights: FloatArray) -> Observed | Undefined:
    """Agreement of the pairs of scores of each unit of ``counts``, which has no empty row."""
    scores = counts.sum(axis=1)
    paired = scores >= 2
    if not paired.any():
        return Undefined(NO_PAIRS)
    pairs = np.where(paired, scores * (scores - 1), 1.0)
    per_unit = np.where(paired, (counts * (counts @ weights.T - 1)).sum(axis=1) / pairs, 0.0)
    share = counts / scores[:, None]
    return Observed(per_unit, paired, share, float(per_unit[paired].mean()))


def chance_corrected(observed: Observed, chance: float, chance_per_unit: FloatArray) -> tuple[float, FloatArray]:
    """(pa - pe) / (1 - pe) and its influence values, Gwet's linearisation.

    ``chance_per_unit`` (units,) has mean ``chance`` and is half the derivative of the chance term.
    """
    room = 1 - chance
    value = (observed.mean - chance) / room
    own = observed.scale * (observed.per_unit - chance * observed.paired) / room
    return value, own - 2 * (1 - value) * (chance_per_unit - chance) / room - value


def percent_agreement(counts: FloatArray, clusters: Clusters) -> Result:
    """Share of agreeing pairs per unit, averaged over the units with two scores or more."""
    observed = observed_agreement(counts, np.eye(counts.shape[1]))
    if isinstance(observed, Undefined):
        return observed
    influence = observed.scale * np.where(observed.paired, observed.per_unit - observed.mean, 0.0)
    return linearised(observed.mean, influence, clusters, "linearised", (0.0, 1.0))


def _fleiss(counts: FloatArray) -> tuple[float, FloatArray] | Undefined:
    observed = observed_agreement(counts, np.eye(counts.shape[1]))
    if isinstance(observed, Undefined):
        return observed
    shares = observed.share.mean(axis=0)
    chance = float(shares @ shares)
    if 1 - chance < FLAT:
        return Undefined(ONE_CATEGORY)
    return chance_corrected(observed, chance, observed.share @ shares)


def fleiss_kappa(counts: FloatArray, clusters: Clusters) -> Result:
    """Fleiss' kappa in Gwet's generalised form, with his unconditional interval over ``clusters``.

    Worked example: Fleiss 1971, 30 patients, 6 psychiatrists, 5 diagnoses: kappa .430245.
    """
    result = _fleiss(counts)
    if isinstance(result, Undefined):
        return result
    value, influence = result
    return linearised(value, influence, clusters, "Gwet's unconditional", KAPPA_BOUNDS)


def fleiss_z(counts: FloatArray) -> float | Undefined:
    """Fleiss' z against kappa = 0 (Fleiss, Nee and Landis 1979): a test of zero, never an interval."""
    scores = counts.sum(axis=1)
    kappa = _fleiss(counts)
    if isinstance(kappa, Undefined):
        return kappa
    if np.ptp(scores) > 0:
        return Undefined("the units have different numbers of scores")
    n, m = len(counts), float(scores[0])
    p = counts.sum(axis=0) / counts.sum()
    spread = float(p @ (1 - p))
    skew = float((p * (1 - p)) @ (1 - 2 * p))
    error = np.sqrt(2 * (spread**2 - skew)) / (spread * np.sqrt(n * m * (m - 1)))
    return float(kappa[0] / error)


def fleiss_statistic(sums: FloatArray) -> FloatArray:
    """Kappa (draws,) of column sums of :func:`fleiss_columns`, NaN where chance agreement is complete."""
    agreeing, paired, units, shares = sums[:, 0], sums[:, 1], sums[:, 2], sums[:, 3:]
    chance = ((shares / units[:, None]) ** 2).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        kappa = (agreeing / paired - chance) / (1 - chance)
    return np.where(1 - chance < FLAT, np.nan, kappa)


def fleiss_columns(counts: FloatArray) -> FloatArray:
    """What kappa needs of each unit, additive over units: (units, 3 + q)."""
    scores = counts.sum(axis=1, keepdims=True)
    pairs = scores * (scores - 1)
    agreeing = (counts * (counts - 1)).sum(axis=1, keepdims=True) / np.where(pairs > 0, pairs, 1.0)
    return np.hstack([agreeing, pairs > 0, np.ones_like(scores), counts / scores])


def fleiss_with_bootstrap(
    counts: FloatArray, clusters: Clusters, seed: int, draws: int
) -> BootstrapEstimate | Undefined:
    """Fleiss' kappa over independent units with Gwet's interval and a percentile bootstrap over units."""
    kappa = fleiss_kappa(counts, clusters)
    if isinstance(kappa, Undefined):
        return kappa
    interval: tuple[float, float] | Undefined
    reason = clusters.too_few()
    if reason is not None:
        interval = Undefined(reason)
    else:
        sums = clusters.sums(fleiss_columns(counts))
        interval = percentile_interval(bootstrap(sums, fleiss_statistic, seed, draws))
    return BootstrapEstimate(kappa.value, kappa.ci_low, kappa.ci_high, kappa.method, interval)


def fleiss_per_category(counts: FloatArray, categories: Sequence[int], clusters: Clusters) -> dict[str, Result]:
    """Fleiss' kappa of each category against the rest."""
    results: dict[str, Result] = {}
    total = counts.sum(axis=1)
    for code, category in enumerate(categories):
        own = counts[:, code]
        if not own.any():
            results[str(category)] = Undefined(f"category {category} was never used")
        else:
            results[str(category)] = fleiss_kappa(np.stack([own, total - own], axis=1), clusters)
    return results


def gwet_ac(counts: FloatArray, weights: FloatArray, clusters: Clusters) -> Result:
    """Gwet's AC1 (identity weights) or AC2: chance agreement from T_w / (q (q - 1)) sum pi (1 - pi).

    q is the number of categories of the form, so that AC1 of all-equal scores is 1.
    """
    q = counts.shape[1]
    if q < 2:
        return Undefined("the form has one category")
    observed = observed_agreement(counts, weights)
    if isinstance(observed, Undefined):
        return observed
    shares = observed.share.mean(axis=0)
    factor = float(weights.sum()) / (q * (q - 1))
    chance = factor * float(shares @ (1 - shares))
    value, influence = chance_corrected(observed, chance, factor * (observed.share @ (1 - shares)))
    return linearised(value, influence, clusters, "Gwet's unconditional", KAPPA_BOUNDS)
