"""Rates of annotations: marks per image by label and arm, ratios between arms, agreement of marks.

Counts lie in a cube (slices, arms, readers): 0 for an image read and not marked, NaN for one not read.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from readerstudy.statistics.agreement import agreement_weights, fleiss_kappa, gwet_ac, percent_agreement
from readerstudy.statistics.estimate import Estimate, FloatArray, IntArray, Result, Undefined
from readerstudy.statistics.intervals import Clusters, two_way


@dataclass(frozen=True)
class ArmRate:
    """Marks per image read of one arm."""

    marks: int
    images: int
    rate: Result


@dataclass(frozen=True)
class MarkAgreement:
    """Agreement of readers on whether an image bears a mark of the label."""

    percent_agreement: Result
    fleiss_kappa: Result
    gwet_ac1: Result


def _cells(counts: FloatArray) -> tuple[IntArray, IntArray, FloatArray]:
    """Slice, reader and count of every image read: counts (slices, readers; NaN not read)."""
    slices, readers = np.nonzero(np.isfinite(counts))
    return slices.astype(np.int64), readers.astype(np.int64), counts[slices, readers]


def arm_rates(cube: FloatArray, arms: Sequence[str], clusters: Clusters) -> dict[str, ArmRate]:
    """Rate of each arm, its interval clustered by slice (or patient) and reader."""
    return {arm: _arm_rate(cube[:, a], clusters) for a, arm in enumerate(arms)}


def _arm_rate(counts: FloatArray, clusters: Clusters) -> ArmRate:
    slices, readers, marks = _cells(counts)
    images, total = len(marks), int(marks.sum())
    if images == 0:
        return ArmRate(0, 0, Undefined("no image of this arm was read"))
    rate = total / images
    influence = (marks - rate) / images
    own = clusters.of_rows(slices)
    estimate = two_way(rate, influence, own, readers, counts.shape[1], "marks per image")
    if estimate.ci_low is not None and estimate.ci_low < 0:
        estimate = Estimate(rate, 0.0, estimate.ci_high, estimate.method)
    return ArmRate(total, images, estimate)


def rate_ratio(first: FloatArray, second: FloatArray, clusters: Clusters) -> Result:
    """Rate of ``second`` over rate of ``first``, both (slices, readers; NaN not read).

    The interval is built on the log scale and clustered by slice (or patient) and reader over both arms.
    """
    parts = [_cells(counts) for counts in (first, second)]
    totals = [float(marks.sum()) for _, _, marks in parts]
    if not all(len(marks) for _, _, marks in parts):
        return Undefined("one of the two arms has no image that was read")
    if min(totals) == 0:
        return Undefined("one of the two arms has no mark, so that the ratio is zero or infinite")
    rates = [total / len(marks) for total, (_, _, marks) in zip(totals, parts, strict=True)]
    influence = np.concatenate(
        [
            sign * (marks - rate) / (rate * len(marks))
            for sign, rate, (_, _, marks) in zip((-1, 1), rates, parts, strict=True)
        ]
    )
    slices, readers = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
    own = clusters.of_rows(slices)
    log_ratio = math.log(rates[1] / rates[0])
    found = two_way(log_ratio, influence, own, readers, first.shape[1], "log rate ratio")
    low, high = (None if bound is None else math.exp(bound) for bound in (found.ci_low, found.ci_high))
    return Estimate(rates[1] / rates[0], low, high, found.method)


def mark_agreement(counts: FloatArray, clusters: Clusters) -> MarkAgreement:
    """Agreement on "marked or not" of counts (units, readers; NaN not read)."""
    seen = np.asarray(np.isfinite(counts).any(axis=1))
    marked = np.nansum(counts[seen] > 0, axis=1).astype(np.float64)
    read = np.isfinite(counts[seen]).sum(axis=1)
    table, own = np.stack([read - marked, marked], axis=1), clusters.take(seen)
    return MarkAgreement(
        percent_agreement=percent_agreement(table, own),
        fleiss_kappa=fleiss_kappa(table, own),
        gwet_ac1=gwet_ac(table, agreement_weights((0, 1), 0), own),
    )
