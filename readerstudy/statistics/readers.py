"""The readers themselves: bias, spread, agreement with the others and with themselves, pace and drift.

Nobody is dropped automatically: with five readers the screening of BT.500 can't fire.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from readerstudy.statistics.agreement import agreement_weights, codes_of
from readerstudy.statistics.estimate import FloatArray, Number, Result, Undefined
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
