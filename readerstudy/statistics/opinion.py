"""What the readers thought of an arm: mean scores, their spread, and how often they could not judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from readerstudy.statistics.estimate import (
    BoolArray,
    Estimate,
    FloatArray,
    Number,
    Result,
    Undefined,
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


@dataclass(frozen=True)
class ReferenceDifference(Estimate):
    """Difference from the hidden reference over slices, readers fixed; ``slices_readers`` takes both as random."""

    slices_readers: Result


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
    return Opinion(
        mean_score=mean,
        mean_score_slices_readers=slices_and_readers(scores, clusters),
        mean_score_patients=clustered_mean(kept, own),
        mean_score_cannot_judge_as_worst=worst_case_mean(scores, cannot_judge, categories),
        standard_deviation=spread,
        cannot_judge=cannot_judge_rate(scores, cannot_judge, clusters),
        distribution={str(category): int((scores == category).sum()) for category in categories},
    )


def slices_and_readers(scores: FloatArray, clusters: Clusters) -> Result:
    """Mean of unit means of scores (units, readers; NaN missing) with readers and clusters random."""
    means = unit_means(scores)
    seen = np.isfinite(means)
    centre = float(means[seen].mean()) if seen.any() else None
    return as_estimate(crossed_mean(scores[seen], clusters.take(seen), centre))


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
    means = unit_means(as_worst(scores, cannot_judge, categories))
    return t_interval(means[np.isfinite(means)], "slice means, cannot judge as the worst score")


def as_worst(scores: FloatArray, cannot_judge: BoolArray, categories: Sequence[int]) -> FloatArray:
    """Scores with every refusal counted as the worst score of the form."""
    return np.where(cannot_judge, float(min(categories)), scores)


def difference_from_reference(
    scores: FloatArray, reference: FloatArray, clusters: Clusters
) -> ReferenceDifference | Undefined:
    """Mean of slice means minus those of the hidden reference, both (units, readers), on slices with both.

    Over slices and readers it is the multi-reader analysis of the differences within slice and reader.
    """
    difference = unit_means(scores) - unit_means(reference)
    seen = np.isfinite(difference)
    if not seen.any():
        return Undefined("no slice has scores of both the arm and the reference")
    found = clustered_mean(difference[seen], clusters.take(seen))
    assert isinstance(found, Estimate)
    both = reference_difference(scores, reference, clusters)
    return ReferenceDifference(found.value, found.ci_low, found.ci_high, found.method, both)


def reference_difference(scores: FloatArray, reference: FloatArray, clusters: Clusters) -> Result:
    """Difference from the reference within slice and reader, both random."""
    by_reader = scores - reference
    if not np.isfinite(by_reader).any():
        return Undefined("no reader scored both the arm and the reference of a slice")
    return as_estimate(crossed_mean(by_reader, clusters))
