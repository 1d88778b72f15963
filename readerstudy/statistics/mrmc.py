"""Multi-reader, multi-case analysis of mean scores after Obuchowski and Rockette with Hillis' df.

Readers and patients are random. Sources: Obuchowski and Rockette 1995; Hillis 2007 (Statistics in Medicine
26:596-619) for the degrees of freedom; Obuchowski 1997 for clustered cases.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from readerstudy.statistics.estimate import Estimate, FloatArray, Number, Result, Undefined, without_interval
from readerstudy.statistics.intervals import Clusters, t_quantile, two_sided_t

FEW_READERS = 10
FLAT = 1e-9


@dataclass(frozen=True)
class MrmcEstimate(Estimate):
    """A mean over random readers and patients, with the test of zero."""

    p: Number
    df: Number
    standard_error: Number


@dataclass(frozen=True)
class OmnibusF:
    """F test of equal means of all arms."""

    f: Number
    df1: Number
    df2: Number
    p: Number


@dataclass(frozen=True)
class Hypothesis:
    """A prespecified test against a margin in score points, one-sided at .025 or two one-sided at .05."""

    kind: str
    margin: float
    p: Number
    ci_low: float | None
    ci_high: float | None
    level: float


def reader_means(scores: FloatArray) -> FloatArray:
    """Mean of each reader's scores (units, readers; NaN missing), every reader having at least one."""
    return np.asarray(np.nanmean(scores, axis=0), dtype=np.float64)


def case_covariance(scores: FloatArray, clusters: Clusters) -> FloatArray:
    """Covariance (readers, readers) of the reader means over random cases, clusters being independent."""
    given = np.isfinite(scores)
    centred = np.where(given, scores - reader_means(scores), 0.0) / given.sum(axis=0)
    sums = clusters.sums(centred)
    return np.asarray(clusters.count / (clusters.count - 1) * (sums.T @ sums), dtype=np.float64)


def crossed_mean(scores: FloatArray, clusters: Clusters, value: float | None = None) -> MrmcEstimate | Undefined:
    """Mean of scores (units, readers; NaN missing) with readers and cases random.

    For scores this is the single-arm analysis; for differences between two arms of the same unit and reader
    it is the analysis of the pair, MS(T*R) + max(J (Cov2 - Cov3), 0) estimated from these two arms alone.
    ``value`` replaces the mean of reader means as the centre.
    """
    scores = scores[:, np.isfinite(scores).any(axis=0)]
    if scores.size == 0:
        return Undefined("no scores")
    means = reader_means(scores)
    centre = float(means.mean()) if value is None else value
    readers = scores.shape[1]
    seen = np.asarray(np.isfinite(scores).any(axis=1))
    scores, clusters = scores[seen], clusters.take(seen)
    reason = clusters.too_few() or ("one reader, at least 2 are needed" if readers < 2 else None)
    if reason is not None:
        return without_test(centre, reason)
    return combine(means, case_covariance(scores, clusters), clusters, centre)


def combine(
    means: FloatArray, covariance: FloatArray, clusters: Clusters, centre: float, null: float = 0.0
) -> MrmcEstimate:
    """Mean over random readers of what each found, means (readers,), with its covariance over the cases.

    ``p`` tests the mean against ``null``.
    """
    readers = len(means)
    shared = max(float(covariance.sum() - np.trace(covariance)) / (readers * (readers - 1)), 0.0)
    between = float(means.var(ddof=1))
    variance = between / readers + shared
    if variance <= FLAT**2:
        return without_test(centre, "the scores do not vary")
    # Without any spread between readers the df are infinite: the cases alone carry the error.
    df = math.inf if between <= FLAT**2 else (between + readers * shared) ** 2 / (between**2 / (readers - 1))
    error = math.sqrt(variance)
    df = min(df, 1e9)
    half = t_quantile(df) * error
    method = f"Obuchowski-Rockette, readers and {clusters.noun} random, Hillis df {round(df, 6):.1f}"
    p = two_sided_t((centre - null) / error, df)
    return MrmcEstimate(centre, centre - half, centre + half, method, p, df, error)


def without_test(value: float, reason: str) -> MrmcEstimate:
    """A mean whose interval, test and degrees of freedom are undefined."""
    bare = without_interval(value, reason)
    gap = Undefined(reason)
    return MrmcEstimate(bare.value, None, None, bare.method, gap, gap, gap)


def as_estimate(result: MrmcEstimate | Undefined) -> Result:
    """The interval alone, where a test of zero would mean nothing."""
    if isinstance(result, Undefined):
        return result
    return Estimate(result.value, result.ci_low, result.ci_high, result.method)


def against_margin(
    result: MrmcEstimate | Undefined, kind: Literal["non_inferiority", "equivalence"], margin: float
) -> Hypothesis | Undefined:
    """Test a difference (new minus standard) against a margin > 0 in score points.

    Non-inferiority rejects "worse by the margin or more" one-sided at .025, equivalence both "worse" and
    "better by the margin or more" at .05 each. Raises ValueError for a margin that is not positive.
    """
    if not margin > 0:
        raise ValueError("The margin must be a positive number of score points; change the analysis plan.")
    if isinstance(result, Undefined):
        return result
    if not isinstance(result.standard_error, float) or not isinstance(result.df, float):
        return Undefined(result.method)
    error, df = result.standard_error, result.df
    worse = float(stats.t.sf((result.value + margin) / error, df))
    better = float(stats.t.sf((margin - result.value) / error, df))
    equivalence = kind == "equivalence"
    level = 0.90 if equivalence else 0.95
    half = float(stats.t.ppf((1 + level) / 2, df)) * error
    p = max(worse, better) if equivalence else worse
    return Hypothesis(kind, margin, p, result.value - half, result.value + half, level)


def omnibus_f(cube: FloatArray, clusters: Clusters) -> OmnibusF | Undefined:
    """Hillis' F test that all arms of cube (units, arms, readers; NaN missing) have equal means."""
    kept = cube[:, :, np.isfinite(cube).any(axis=0).all(axis=0)]
    arms, readers = kept.shape[1:]
    if arms < 2 or readers < 2:
        return Undefined("fewer than two arms, or fewer than two readers with scores in every arm")
    reason = clusters.too_few()
    if reason is not None:
        return Undefined(reason)
    flat = kept.reshape(len(kept), arms * readers)
    means = reader_means(flat).reshape(arms, readers)
    covariance = case_covariance(flat, clusters).reshape(arms, readers, arms, readers)
    cov2, cov3 = _off_reader_covariances(covariance)
    arm_means, grand = means.mean(axis=1), means.mean()
    treatment = readers * float(((arm_means - grand) ** 2).sum()) / (arms - 1)
    residual = means - arm_means[:, None] - means.mean(axis=0)[None, :] + grand
    interaction = float((residual**2).sum()) / ((arms - 1) * (readers - 1))
    error = interaction + max(readers * (cov2 - cov3), 0.0)
    if error <= FLAT**2 or interaction <= FLAT**2:
        return Undefined("the readers' differences between arms do not vary")
    df1, df2 = float(arms - 1), error**2 / (interaction**2 / ((arms - 1) * (readers - 1)))
    f = treatment / error
    return OmnibusF(f, df1, df2, float(stats.f.sf(f, df1, df2)))


def _off_reader_covariances(covariance: FloatArray) -> tuple[float, float]:
    """Cov2 (other reader, same arm) and Cov3 (other reader, other arm) of (arms, readers, arms, readers)."""
    arms, readers = covariance.shape[:2]
    other_reader = ~np.eye(readers, dtype=np.bool_)[None, :, None, :]
    same_arm = np.eye(arms, dtype=np.bool_)[:, None, :, None]
    cov2 = covariance[np.broadcast_to(other_reader & same_arm, covariance.shape)]
    cov3 = covariance[np.broadcast_to(other_reader & ~same_arm, covariance.shape)]
    return float(cov2.mean()), float(cov3.mean())
