"""What the readers thought of an arm: mean scores, their spread, and how often they could not judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from readerstudy.statistics.estimate import (
    BoolArray,
    FloatArray,
    Number,
    Result,
    Undefined,
    without_interval,
)
from readerstudy.statistics.intervals import Clusters, clustered_share, linearised, t_interval
from readerstudy.statistics.mrmc import as_estimate, crossed_mean


@dataclass(frozen=True)
class Opinion:
    """Opinion of one arm (or of all units pooled); ``distribution`` counts scores by category."""

    mean_score: Result
    mean_score_slices_readers: Result
    mean_score_patients: Result
    mean_score_cannot_judge_as_worst: Result
    standard_deviation: Number
    cannot_judge: Result
    distribution: dict[str, int]


def unit_means(scores: FloatArray) -> FloatArray:
    """Mean over the readers of scores (..., readers; NaN missing), NaN for a unit without any score."""
    given = np.isfinite(scores)
    number = given.sum(axis=-1)
    total = np.where(given, scores, 0.0).sum(axis=-1)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)


def opinion(scores: FloatArray, cannot_judge: BoolArray, categories: Sequence[int], clusters: Clusters) -> Opinion:
    """Opinion of scores (units, readers; NaN missing), ``cannot_judge`` marking refusals.

    ``clusters`` are the independent groups of units. The mean is that of the unit means; its first interval
    takes units as independent and readers as fixed, its second takes both as random.
    """
    means = unit_means(scores)
    seen = np.isfinite(means)
    kept = means[seen]
    mean = t_interval(kept, "slice means, readers fixed")
    spread: Number = Undefined(f"{len(kept)} slice means, at least 2 are needed")
    if len(kept) > 1:
        spread = float(kept.std(ddof=1))
    own = clusters.take(seen)
    centre = float(kept.mean()) if len(kept) else None
    return Opinion(
        mean_score=mean,
        mean_score_slices_readers=as_estimate(crossed_mean(scores[seen], own, centre)),
        mean_score_patients=clustered_mean(kept, own),
        mean_score_cannot_judge_as_worst=worst_case_mean(scores, cannot_judge, categories),
        standard_deviation=spread,
        cannot_judge=cannot_judge_rate(scores, cannot_judge, clusters),
        distribution={str(category): int((scores == category).sum()) for category in categories},
    )


def clustered_mean(values: FloatArray, clusters: Clusters) -> Result:
    """Mean of unit values (units,) with a t interval that is robust to dependence within clusters."""
    if len(values) == 0:
        return Undefined("no scores")
    mean = float(values.mean())
    return linearised(mean, values - mean, clusters, "cluster-robust, readers fixed")


def cannot_judge_rate(scores: FloatArray, cannot_judge: BoolArray, clusters: Clusters) -> Result:
    """Refusals over refusals and scores."""
    refused = cannot_judge.sum(axis=1).astype(np.float64)
    return clustered_share(refused, refused + np.isfinite(scores).sum(axis=1), clusters)


def worst_case_mean(scores: FloatArray, cannot_judge: BoolArray, categories: Sequence[int]) -> Result:
    """Sensitivity of the mean score: every refusal counted as the worst score of the form."""
    filled = np.where(cannot_judge, float(min(categories)), scores)
    means = unit_means(filled)
    return t_interval(means[np.isfinite(means)], "slice means, cannot judge as the worst score")


def difference_from_reference(scores: FloatArray, reference: FloatArray, clusters: Clusters) -> Result:
    """Mean of slice means minus those of the hidden reference, both (units, readers), on slices with both."""
    difference = unit_means(scores) - unit_means(reference)
    seen = np.isfinite(difference)
    if not seen.any():
        return Undefined("no slice has scores of both the arm and the reference")
    if not clusters.count:
        return without_interval(float(difference[seen].mean()), "no clusters")
    return clustered_mean(difference[seen], clusters.take(seen))
