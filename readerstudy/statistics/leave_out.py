"""The headline numbers without one reader, and without sessions that one may doubt. Nobody is dropped for good."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from readerstudy.statistics.agreement import codes_of, count_table, fleiss_kappa
from readerstudy.statistics.estimate import FloatArray, Result, Undefined
from readerstudy.statistics.intervals import Clusters
from readerstudy.statistics.mrmc import OmnibusF, as_estimate, crossed_mean, omnibus_f
from readerstudy.statistics.opinion import reference_difference, slices_and_readers
from readerstudy.statistics.table import ScoreTable


@dataclass(frozen=True)
class Headline:
    """The numbers that carry a study's conclusion, each from the scores at hand alone.

    By arm: mean score over slices and readers, Fleiss' kappa, and the difference from the hidden reference
    (empty without one); by "later - earlier" arm the multi-reader difference; the test over all arms.
    """

    mean_score: dict[str, Result]
    fleiss_kappa: dict[str, Result]
    difference_from_reference: dict[str, Result]
    mrmc: dict[str, Result]
    omnibus: OmnibusF | Undefined


def headline(
    cube: FloatArray,
    arms: Sequence[str],
    categories: Sequence[int],
    clusters: Clusters,
    reference: str | None = None,
) -> Headline:
    """Headline numbers of scores (slices, arms, readers; NaN missing)."""
    base = arms.index(reference) if reference in arms else None
    return Headline(
        mean_score={arm: slices_and_readers(cube[:, a], clusters) for a, arm in enumerate(arms)},
        fleiss_kappa={arm: _kappa(cube[:, a], categories) for a, arm in enumerate(arms)},
        difference_from_reference={}
        if base is None
        else {
            arm: reference_difference(cube[:, a], cube[:, base], clusters) for a, arm in enumerate(arms) if a != base
        },
        mrmc={
            f"{arms[b]} - {arms[a]}": as_estimate(crossed_mean(cube[:, b] - cube[:, a], clusters))
            for a in range(len(arms))
            for b in range(a + 1, len(arms))
        },
        omnibus=omnibus_f(cube, clusters),
    )


def _kappa(units: FloatArray, categories: Sequence[int]) -> Result:
    seen = units[np.isfinite(units).any(axis=1)]
    return fleiss_kappa(count_table(codes_of(seen, categories), len(categories)), Clusters.of_units(len(seen)))


def without_reader(
    cube: FloatArray,
    reader: int,
    arms: Sequence[str],
    categories: Sequence[int],
    clusters: Clusters,
    reference: str | None = None,
) -> Headline:
    """Headline numbers when one reader's column of cube (slices, arms, readers) is left out."""
    return headline(np.delete(cube, reader, axis=2), arms, categories, clusters, reference)


@dataclass(frozen=True)
class WithoutSessions:
    """Headline numbers without some readers' sessions; ``n_left_out`` first readings went with them."""

    left_out: tuple[tuple[str, str], ...]
    n_left_out: int
    n_scores: int
    headline: Headline


def without_sessions(
    table: ScoreTable,
    sessions: Collection[tuple[str, str]],
    categories: Sequence[int],
    reference: str | None = None,
) -> WithoutSessions | Undefined:
    """Sensitivity analysis without the given (reader, session) pairs, as after a failed display check.

    Undefined where the table has none of these sessions, or no score outside them.
    """
    rows = list(zip((table.readers[r] for r in table.reader_index.tolist()), table.session, strict=True))
    gone = np.array([row in sessions for row in rows], dtype=np.bool_)
    if not gone.any():
        return Undefined("the table has none of these sessions")
    kept = ~gone & (table.repeat == 0)
    cube = np.full((len(table.slices), len(table.arms), len(table.readers)), np.nan)
    cube[table.slice_index[kept], table.arm_index[kept], table.reader_index[kept]] = table.score[kept]
    n = int(np.isfinite(cube).sum())
    if n == 0:
        return Undefined("no score is left without these sessions")
    return WithoutSessions(
        left_out=tuple(dict.fromkeys(row for row, out in zip(rows, gone, strict=True) if out)),
        n_left_out=int((gone & (table.repeat == 0) & np.isfinite(table.score)).sum()),
        n_scores=n,
        headline=headline(cube, table.arms, categories, table.clusters(), reference),
    )
