"""Latency of the methods: Welch's analysis of variance first, the classic one second, medians and p95."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from readerstudy.statistics.estimate import FloatArray, Number, Undefined


@dataclass(frozen=True)
class AnovaF:
    """An F test of equal means."""

    f: Number
    p: Number


@dataclass(frozen=True)
class ArmLatency:
    """Latencies of one arm in ms."""

    n: int
    median_ms: float
    p95_ms: float
    mean_ms: float


@dataclass(frozen=True)
class Latency:
    """Both analyses of variance and the summary of each arm."""

    anova: AnovaF
    welch: AnovaF
    arms: dict[str, ArmLatency]


def latency(samples: Sequence[tuple[str, Sequence[float]]]) -> Latency:
    """Compare latencies in ms, given as (arm, values) with at least one value an arm."""
    groups = [np.asarray(values, dtype=np.float64) for _, values in samples]
    summary = {
        arm: ArmLatency(
            n=len(group),
            median_ms=float(np.median(group)),
            p95_ms=float(np.quantile(group, 0.95)),
            mean_ms=float(group.mean()),
        )
        for (arm, _), group in zip(samples, groups, strict=True)
    }
    return Latency(classic_anova(groups), welch_anova(groups), summary)


def _undefined(reason: str) -> AnovaF:
    return AnovaF(Undefined(reason), Undefined(reason))


def classic_anova(groups: Sequence[FloatArray]) -> AnovaF:
    """One-way analysis of variance with equal variances."""
    k, n = len(groups), sum(len(group) for group in groups)
    if k < 2:
        return _undefined("fewer than two arms have latencies")
    if n <= k:
        return _undefined("no arm has two latencies")
    within = sum(float(((group - group.mean()) ** 2).sum()) for group in groups) / (n - k)
    grand = sum(float(group.sum()) for group in groups) / n
    between = sum(len(group) * float(group.mean() - grand) ** 2 for group in groups) / (k - 1)
    if within <= 1e-24 * (1 + grand**2):
        return _undefined("the latencies do not vary within the arms")
    f = between / within
    return AnovaF(f, float(stats.f.sf(f, k - 1, n - k)))


def welch_anova(groups: Sequence[FloatArray]) -> AnovaF:
    """Welch's analysis of variance (1951), which does not need equal variances."""
    k = len(groups)
    if k < 2:
        return _undefined("fewer than two arms have latencies")
    if min(len(group) for group in groups) < 2:
        return _undefined("an arm has fewer than two latencies")
    means = np.array([group.mean() for group in groups])
    variances = np.array([group.var(ddof=1) for group in groups])
    sizes = np.array([float(len(group)) for group in groups])
    if (variances <= 1e-24 * (1 + means**2)).any():
        return _undefined("the latencies of an arm do not vary")
    weights = sizes / variances
    share = weights / weights.sum()
    centre = float(share @ means)
    lack = float(((1 - share) ** 2 / (sizes - 1)).sum())
    between = float(weights @ (means - centre) ** 2) / (k - 1)
    f = between / (1 + 2 * (k - 2) / (k**2 - 1) * lack)
    return AnovaF(f, float(stats.f.sf(f, k - 1, (k**2 - 1) / (3 * lack))))
