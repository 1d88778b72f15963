"""Image metrics against scores: FID-Med per arm, and per-slice metrics within and between arms."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from readerstudy.statistics.estimate import (
    Estimate,
    FloatArray,
    Number,
    Result,
    Undefined,
    without_interval,
)
from readerstudy.statistics.intervals import (
    Clusters,
    clustered_correlation,
    clustered_share,
    fisher,
    pearson,
    t_quantile,
)


@dataclass(frozen=True)
class Regression:
    """Least squares of y on x with t intervals."""

    slope: Result
    intercept: Result


@dataclass(frozen=True)
class MetricCorrelation:
    """Mean score regressed on a metric that has one value per arm (or per arm and modality)."""

    n: int
    slope: Result
    intercept: Result
    pearson: Result
    spearman: Result
    kendall: Result
    leave_one_out_pearson: tuple[Number, ...]


def regression(x: FloatArray, y: FloatArray, lost: int = 0) -> Regression | Undefined:
    """Ordinary least squares of y (n,) on x (n,); ``lost`` degrees of freedom went into centring them before."""
    n = len(x)
    if n < 2:
        return Undefined(f"{n} points, at least 2 are needed")
    dx = x - x.mean()
    spread = float(dx @ dx)
    if np.ptp(x) <= 1e-12 * (1 + float(np.abs(x).max())):
        return Undefined("the metric has the same value at every point")
    slope = float(dx @ (y - y.mean())) / spread
    intercept = float(y.mean()) - slope * float(x.mean())
    df = n - 2 - lost
    if df < 1:
        reason = f"n = {n}, a line through these points leaves no residual"
        return Regression(without_interval(slope, reason), without_interval(intercept, reason))
    residual = y - intercept - slope * x
    error = math.sqrt(float(residual @ residual) / df)
    if error <= 1e-12 * (1 + float(np.abs(y).max())):
        reason = "the points lie on a line, so that their error can't be estimated"
        return Regression(without_interval(slope, reason), without_interval(intercept, reason))
    quantile, method = t_quantile(df), f"least squares, t({df}), n = {n}"

    def interval(value: float, scale: float) -> Estimate:
        half = quantile * error * scale
        return Estimate(value, value - half, value + half, method)

    return Regression(
        interval(slope, 1 / math.sqrt(spread)),
        interval(intercept, math.sqrt(1 / n + float(x.mean()) ** 2 / spread)),
    )


def metric_correlation(metric: FloatArray, scores: FloatArray) -> MetricCorrelation:
    """Regression and correlations of mean scores (n,) on a metric (n,).

    No p-values: at n = 4 the exact p of a rank correlation can't go below .083. Fisher's interval is
    approximate for the rank correlations.
    """
    n = len(metric)
    fit = regression(metric, scores)
    slope, intercept = (fit, fit) if isinstance(fit, Undefined) else (fit.slope, fit.intercept)
    spearman = pearson(_ranks(metric), _ranks(scores))
    left_out = tuple(pearson(np.delete(metric, i), np.delete(scores, i)) for i in range(n))
    return MetricCorrelation(
        n=n,
        slope=slope,
        intercept=intercept,
        pearson=_interval(pearson(metric, scores), n, "Pearson"),
        spearman=_interval(spearman, n, "Spearman"),
        kendall=_interval(kendall_tau_b(metric, scores), n, "Kendall's tau-b"),
        leave_one_out_pearson=left_out,
    )


def _ranks(values: FloatArray) -> FloatArray:
    # Means of slice means that are equal on paper differ in the last bit; 1e-9 makes them tie.
    return np.asarray(stats.rankdata(np.round(values, 9)), dtype=np.float64)


def _interval(r: float | Undefined, n: int, method: str) -> Result:
    return r if isinstance(r, Undefined) else fisher(r, n, method)


def kendall_tau_b(x: FloatArray, y: FloatArray) -> float | Undefined:
    """Kendall's tau-b of x and y (n,), ties counted after rounding to 1e-9."""
    n = len(x)
    if n < 3:
        return Undefined(f"{n} points; at least 3 are needed, since two always lie on a line")
    upper = np.triu_indices(n, 1)
    dx = np.sign(np.round(x[upper[0]] - x[upper[1]], 9))
    dy = np.sign(np.round(y[upper[0]] - y[upper[1]], 9))
    untied = math.sqrt(float(np.abs(dx).sum()) * float(np.abs(dy).sum()))
    if untied == 0:
        return Undefined("one of the two variables does not vary")
    return float(dx @ dy) / untied


@dataclass(frozen=True)
class SliceMetric:
    """A per-slice metric against scores, kept apart from modality and arm effects."""

    within_arms: dict[str, Result]
    between_arms: Result
    within_slices: Result
    pair_order_share: Result


def slice_metric(
    metric: FloatArray, scores: FloatArray, arms: tuple[str, ...], clusters: Clusters, higher_is_better: bool
) -> SliceMetric:
    """Relation of metric (slices, arms) to mean scores (slices, arms) of one modality, NaN missing.

    ``pair_order_share`` is the headline: of the pairs of arms within a slice that both tell apart, the share
    that metric and readers order alike.
    """
    metric = metric if higher_is_better else -metric
    both = np.isfinite(metric) & np.isfinite(scores)
    metric, scores = np.where(both, metric, np.nan), np.where(both, scores, np.nan)
    within: dict[str, Result] = {}
    for a, arm in enumerate(arms):
        seen = both[:, a]
        within[arm] = clustered_correlation(metric[seen, a], scores[seen, a], clusters.take(seen), "Pearson")
    filled = both.any(axis=0)
    arm_r = pearson(_mean(metric[:, filled], 0), _mean(scores[:, filled], 0))
    # An arm without the metric, as the reference is for itself, must not empty the slices of the others.
    full = both[:, filled].all(axis=1)
    rows = [_centred(values[full][:, filled]).ravel() for values in (metric, scores)]
    slice_r = pearson(rows[0], rows[1])
    return SliceMetric(
        within_arms=within,
        between_arms=_interval(arm_r, int(filled.sum()), "Pearson of arm means"),
        within_slices=slice_r
        if isinstance(slice_r, Undefined)
        else without_interval(slice_r, "arms within a slice are not independent points"),
        pair_order_share=_pair_order(metric, scores, clusters),
    )


def _mean(values: FloatArray, axis: int) -> FloatArray:
    return np.asarray(np.nanmean(values, axis=axis), dtype=np.float64)


def _centred(values: FloatArray) -> FloatArray:
    return values - values.mean(axis=1, keepdims=True) if values.size else values


def _pair_order(metric: FloatArray, scores: FloatArray, clusters: Clusters) -> Result:
    first, second = np.triu_indices(metric.shape[1], 1)
    d_metric = metric[:, second] - metric[:, first]
    d_score = np.round(scores[:, second] - scores[:, first], 9)
    told = np.isfinite(d_metric) & np.isfinite(d_score) & (d_metric != 0) & (d_score != 0)
    alike = told & (np.sign(d_metric) == np.sign(d_score))
    return clustered_share(alike.sum(axis=1).astype(np.float64), told.sum(axis=1).astype(np.float64), clusters)
