"""The readers themselves: bias, spread, agreement with the others and with themselves, pace and drift.

Nobody is dropped automatically: with five readers the screening of BT.500 can't fire.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from readerstudy.statistics.agreement import agreement_weights, codes_of
from readerstudy.statistics.correlation import regression
from readerstudy.statistics.estimate import Estimate, FloatArray, Number, Result, Undefined, finite
from readerstudy.statistics.intervals import Clusters, fisher, linearised, pearson, wilson
from readerstudy.statistics.opinion import unit_means
from readerstudy.statistics.pairwise import weighted_kappa
from readerstudy.statistics.table import ScoreTable


@dataclass(frozen=True)
class Reader:
    """One reader against the others over all units of all arms."""

    bias: Result
    correlation_with_others: Result
    standard_deviation: Number
    n_scores: int


@dataclass(frozen=True)
class IntraReader:
    """One reader's first reading against the repeat of the same unit."""

    weighted_kappa_quadratic: Result
    weighted_kappa_linear: Result
    exact_repeat_share: Result
    n_repeats: int


@dataclass(frozen=True)
class Drift:
    """Slope of the reader's deviation from the unit means over position, per 100 presentations."""

    slope_per_100: Result


@dataclass(frozen=True)
class SessionBias:
    """One reader's scores of one session against the unit means of all readers."""

    n_scores: int
    bias: Result


def session_biases(table: ScoreTable, cube: FloatArray, reader: int) -> dict[str, SessionBias]:
    """Bias of one reader's first readings by session, in order of appearance; empty without sessions.

    ``cube`` holds the table's scores (slices, arms, readers); intervals are clustered like its slices.
    """
    kept = (table.reader_index == reader) & (table.repeat == 0) & np.isfinite(table.score)
    rows = np.flatnonzero(kept)
    places: dict[str, list[int]] = {}
    for row in rows.tolist():
        if table.session[row]:
            places.setdefault(table.session[row], []).append(row)
    deviation = table.score - unit_means(cube)[table.slice_index, table.arm_index]
    clusters = table.clusters()
    found: dict[str, SessionBias] = {}
    for name, kept_rows in places.items():
        own = np.array(kept_rows, dtype=np.int64)
        bias = float(deviation[own].mean())
        groups = clusters.of_rows(table.slice_index[own])
        found[name] = SessionBias(len(own), linearised(bias, deviation[own] - bias, groups, "cluster-robust"))
    return found


def reader_summary(units: FloatArray, reader: int, clusters: Clusters) -> Reader:
    """Summary of one column of units (units, readers; NaN missing).

    ``bias`` is the mean of score minus unit mean, the reader's own score included in it.
    """
    own = units[:, reader]
    seen = np.isfinite(own)
    number = int(seen.sum())
    if number == 0:
        gap = Undefined("the reader has no scores")
        return Reader(gap, gap, gap, 0)
    deviation = own[seen] - unit_means(units)[seen]
    bias = float(deviation.mean())
    spread: Number = Undefined("one score") if number < 2 else float(own[seen].std(ddof=1))
    interval = linearised(bias, deviation - bias, clusters.take(seen), "cluster-robust")
    return Reader(interval, _with_others(units, reader), spread, number)


def _with_others(units: FloatArray, reader: int) -> Result:
    others = unit_means(np.delete(units, reader, axis=1))
    own = units[:, reader]
    both = np.isfinite(own) & np.isfinite(others)
    if not both.any():
        return Undefined("no unit was also scored by another reader")
    r = pearson(own[both], others[both])
    return r if isinstance(r, Undefined) else fisher(r, int(both.sum()), "Pearson")


def intra_reader(first: FloatArray, second: FloatArray, categories: Sequence[int], clusters: Clusters) -> IntraReader:
    """Agreement of one reader's scores (units,) with the repeats (units,), where both are given."""
    both = np.isfinite(first) & np.isfinite(second)
    n = int(both.sum())
    if n == 0:
        gap = Undefined("the reader scored no unit twice")
        return IntraReader(gap, gap, gap, 0)
    codes = codes_of(np.stack([first[both], second[both]]), categories)
    own = clusters.take(both)

    def kappa(power: int) -> Result:
        return weighted_kappa(codes[0], codes[1], agreement_weights(categories, power), own)

    exact = int((codes[0] == codes[1]).sum())
    return IntraReader(kappa(2), kappa(1), wilson(exact, n), n)


def drift(deviation: FloatArray, position: FloatArray) -> Drift:
    """Regression of deviations from the unit mean (n,) on positions (n,), with a t(n - 2) interval.

    For drift from session to session, ``position`` holds the session's number and the slope reads per 100.
    """
    fit = regression(position, deviation)
    if isinstance(fit, Undefined) or isinstance(fit.slope, Undefined):
        return Drift(fit if isinstance(fit, Undefined) else fit.slope)
    slope = fit.slope
    low, high = (None if bound is None else 100 * bound for bound in (slope.ci_low, slope.ci_high))
    return Drift(Estimate(100 * slope.value, low, high, slope.method))


@dataclass(frozen=True)
class Pace:
    """Seconds per presentation: median, 95th percentile, and the share of readings under one second."""

    n: int
    median_s: Number
    p95_s: Number
    share_below_1_s: Result


def pace(seconds: FloatArray) -> Pace:
    """Pace from reading times in s (n,), from the painted image to the score."""
    if len(seconds) == 0:
        gap = Undefined("no reading times")
        return Pace(0, gap, gap, gap)
    return Pace(
        n=len(seconds),
        median_s=finite(float(np.median(seconds)), "a reading time is not finite"),
        p95_s=finite(float(np.quantile(seconds, 0.95)), "a reading time is not finite"),
        share_below_1_s=wilson(int((seconds < 1).sum()), len(seconds)),
    )
