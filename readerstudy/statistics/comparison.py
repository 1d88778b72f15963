"""Arms against arms: the multi-reader analysis as headline, the tests on slice means beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from readerstudy.statistics.agreement import codes_of, count_table
from readerstudy.statistics.estimate import CONDITIONAL, FloatArray, Number, Result, Undefined
from readerstudy.statistics.intervals import Clusters, linearised, two_sided_t
from readerstudy.statistics.mrmc import Hypothesis, MrmcEstimate, against_margin, combine, crossed_mean, without_test
from readerstudy.statistics.opinion import clustered_mean, unit_means

NO_SHARED_SLICE = "no slice has scores of both arms"


@dataclass(frozen=True)
class PairedT:
    """Paired t-test on slice means, conditional on these readers."""

    t: Number
    p: Number
    p_bonferroni: Number
    label: str = CONDITIONAL


@dataclass(frozen=True)
class Wilcoxon:
    """Signed-rank test on slice means, conditional on these readers."""

    p: Number
    p_holm: Number
    label: str = CONDITIONAL


@dataclass(frozen=True)
class Friedman:
    """Friedman's test over slices, on slice means, conditional on these readers."""

    chi2: Number
    p: Number
    n_blocks: int
    label: str = CONDITIONAL


@dataclass(frozen=True)
class Pair:
    """Two arms, the later minus the earlier."""

    arms: tuple[str, str]
    mean_difference: Result
    mrmc: MrmcEstimate | Undefined
    paired_t: PairedT
    wilcoxon: Wilcoxon
    vgc_area: Result
    vgc_area_slices_readers: MrmcEstimate | Undefined
    non_inferiority: Hypothesis | Undefined
    equivalence: Hypothesis | Undefined
    n_slices: int


def compare(
    cube: FloatArray,
    arms: Sequence[str],
    categories: Sequence[int],
    clusters: Clusters,
    margin: float | None = None,
) -> tuple[Pair, ...]:
    """Every pair of arms of cube (slices, arms, readers; NaN missing), in order AB, AC, ..., corrected.

    ``margin`` > 0 in score points asks whether the later arm is not inferior, and equivalent, to the earlier.
    """
    pairs = [
        _pair(cube[:, i], cube[:, j], (arms[i], arms[j]), categories, clusters, margin)
        for i in range(len(arms))
        for j in range(i + 1, len(arms))
    ]
    holm = holm_correction([pair.wilcoxon.p for pair in pairs])
    return tuple(
        replace(
            pair,
            paired_t=replace(pair.paired_t, p_bonferroni=bonferroni(pair.paired_t.p, len(pairs))),
            wilcoxon=replace(pair.wilcoxon, p_holm=corrected),
        )
        for pair, corrected in zip(pairs, holm, strict=True)
    )


def _pair(
    first: FloatArray,
    second: FloatArray,
    arms: tuple[str, str],
    categories: Sequence[int],
    clusters: Clusters,
    margin: float | None,
) -> Pair:
    difference = unit_means(second) - unit_means(first)
    seen = np.isfinite(difference)
    kept = difference[seen]
    mean = clustered_mean(kept, clusters.take(seen)) if seen.any() else Undefined(NO_SHARED_SLICE)
    by_reader = second - first
    mrmc: MrmcEstimate | Undefined = Undefined("no reader scored both arms of a slice")
    if np.isfinite(by_reader).any():
        mrmc = crossed_mean(by_reader, clusters)
    no_margin = Undefined("no margin was given")
    return Pair(
        arms=arms,
        mean_difference=mean,
        mrmc=mrmc,
        paired_t=paired_t(kept),
        wilcoxon=Wilcoxon(wilcoxon(kept), Undefined("not corrected")),
        vgc_area=vgc_area(first, second, categories, clusters),
        vgc_area_slices_readers=vgc_area_readers(first, second, categories, clusters),
        non_inferiority=no_margin if margin is None else against_margin(mrmc, "non_inferiority", margin),
        equivalence=no_margin if margin is None else against_margin(mrmc, "equivalence", margin),
        n_slices=len(kept),
    )


def bonferroni(p: Number, family: int) -> Number:
    """p times the size of the family, at most 1."""
    return p if isinstance(p, Undefined) else min(1.0, p * family)


def holm_correction(p_values: Sequence[Number]) -> list[Number]:
    """Holm's step-down p over the whole family; an undefined p counts as the largest."""
    family = len(p_values)
    known = [(p, place) for place, p in enumerate(p_values) if not isinstance(p, Undefined)]
    corrected: list[Number] = list(p_values)
    running = 0.0
    for rank, (p, place) in enumerate(sorted(known)):
        running = max(running, min(1.0, (family - rank) * p))
        corrected[place] = running
    return corrected


def paired_t(difference: FloatArray) -> PairedT:
    """Paired t-test of differences of slice means (n,); Bonferroni's p is that of a family of one."""
    n = len(difference)
    if n < 2:
        gap = Undefined(f"{n} slices with both arms, at least 2 are needed")
        return PairedT(gap, gap, gap)
    # Means of thirds and fifths differ in their last bit; rounding tells "constant" from "nearly".
    if np.ptp(np.round(difference, 9)) == 0:
        gap = Undefined("the differences of slice means are all equal")
        return PairedT(gap, gap, gap)
    t = float(difference.mean()) / (float(difference.std(ddof=1)) / math.sqrt(n))
    p = two_sided_t(t, n - 1)
    return PairedT(t, p, p)


def wilcoxon(difference: FloatArray) -> Number:
    """Two-sided p of the signed-rank test of differences (n,).

    Differences are rounded to 1e-9, so that equal ones tie; zeros are dropped; tie-corrected normal
    approximation without continuity correction.
    """
    rounded = np.round(difference, 9)
    kept = rounded[rounded != 0]
    n = len(kept)
    if n == 0:
        return Undefined("no slice has a difference other than zero" if len(rounded) else NO_SHARED_SLICE)
    size = np.abs(kept)
    ranks = stats.rankdata(size)
    positive = float(ranks[kept > 0].sum())
    _, ties = np.unique(size, return_counts=True)
    variance = n * (n + 1) * (2 * n + 1) / 24 - float((ties**3 - ties).sum()) / 48
    z = (positive - n * (n + 1) / 4) / math.sqrt(variance)
    return 2 * float(stats.norm.sf(abs(z)))


def friedman(means: FloatArray) -> Friedman:
    """Friedman's test of slice means (slices, arms; NaN missing), tie-corrected, on complete slices."""
    kept = np.round(means[np.isfinite(means).all(axis=1)], 9)
    n, k = kept.shape
    reason = "fewer than two arms" if k < 2 else "fewer than two slices have scores of every arm"
    if k < 2 or n < 2:
        return Friedman(Undefined(reason), Undefined(reason), n)
    ranks = stats.rankdata(kept, axis=1)
    spread = float(((ranks - (k + 1) / 2) ** 2).sum())
    if spread == 0:
        gap = Undefined("the arms are tied on every slice")
        return Friedman(gap, gap, n)
    sums = ranks.sum(axis=0) - n * (k + 1) / 2
    chi2 = (k - 1) * float(sums @ sums) / spread
    return Friedman(chi2, float(stats.chi2.sf(chi2, k - 1)), n)


def vgc_area(first: FloatArray, second: FloatArray, categories: Sequence[int], clusters: Clusters) -> Result:
    """Area under the visual grading characteristic: P(B > A) + P(B = A) / 2 over all pooled scores.

    ``first`` (A) and ``second`` (B) are (units, readers; NaN missing). Interval: linearised over the
    clusters, both arms of a slice together, conditional on these readers. Source: Bath and Mansson 2007.
    """
    q = len(categories)
    a, b = (count_table(codes_of(scores, categories), q) for scores in (first, second))
    if not a.any() or not b.any():
        return Undefined("one of the two arms has no scores")
    area, influence = _area(a, b)
    seen = (a.sum(axis=1) + b.sum(axis=1)) > 0
    method = "linearised, conditional on these readers"
    return linearised(area, influence[seen] * float(seen.sum()), clusters.take(seen), method, (0.0, 1.0))


def vgc_area_readers(
    first: FloatArray, second: FloatArray, categories: Sequence[int], clusters: Clusters
) -> MrmcEstimate | Undefined:
    """Mean of the readers' own areas with readers and cases random; ``p`` tests .5.

    Source: Obuchowski and Rockette 1995 with the covariances of DeLong, DeLong and Clarke-Pearson 1988, both
    arms of a slice together.
    """
    kept = np.isfinite(first).any(axis=0) & np.isfinite(second).any(axis=0)
    seen = np.asarray(np.isfinite(np.hstack([first, second])[:, np.tile(kept, 2)]).any(axis=1))
    if not kept.any():
        return Undefined("no reader has scores of both arms")
    own = clusters.take(seen)
    tables = [codes_of(scores[seen], categories) for scores in (first, second)]
    parts = [
        _area(*(count_table(codes[:, [reader]], len(categories)) for codes in tables))
        for reader in np.flatnonzero(kept).tolist()
    ]
    areas, influence = np.array([area for area, _ in parts]), np.stack([part for _, part in parts], axis=1)
    centre = float(areas.mean())
    reason = own.too_few() or ("one reader, at least 2 are needed" if len(areas) < 2 else None)
    if reason is not None:
        return without_test(centre, reason)
    sums = own.sums(influence)
    found = combine(areas, own.count / (own.count - 1) * (sums.T @ sums), own, centre, null=0.5)
    if found.ci_low is None or found.ci_high is None:
        return found
    return replace(found, ci_low=max(0.0, found.ci_low), ci_high=min(1.0, found.ci_high))


def _area(a: FloatArray, b: FloatArray) -> tuple[float, FloatArray]:
    """Area of counts a and b (units, q), neither empty, and what each unit adds to its error (units,)."""
    n_a, n_b = float(a.sum()), float(b.sum())
    p_a, p_b = a.sum(axis=0) / n_a, b.sum(axis=0) / n_b
    below_a = np.cumsum(p_a) - p_a / 2
    above_b = 1 - np.cumsum(p_b) + p_b / 2
    area = float(p_b @ below_a)
    return area, b @ (below_a - area) / n_b + a @ (above_b - area) / n_a
