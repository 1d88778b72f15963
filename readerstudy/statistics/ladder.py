"""A dose ladder: one method at several levels, its mean scores in order, its trend, and how far down it holds.

Readers and patients are random throughout (Obuchowski and Rockette 1995, Hillis 2007): the trend is a contrast
over the levels within each slice and reader, so that it needs no assumption beyond those of the headline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from readerstudy.statistics.estimate import FloatArray, Result, Undefined
from readerstudy.statistics.intervals import Clusters
from readerstudy.statistics.mrmc import Hypothesis, MrmcEstimate, against_margin, crossed_mean
from readerstudy.statistics.opinion import clustered_mean, slices_and_readers, unit_means


@dataclass(frozen=True)
class Rung:
    """One level: its mean score with both intervals, and the multi-reader step from the level below it."""

    arm: str
    level: float
    n_scores: int
    mean_score: Result
    mean_score_slices_readers: Result
    step: MrmcEstimate | Undefined


@dataclass(frozen=True)
class Limit:
    """The level furthest from the reference that is still not inferior, and the tests in the order made."""

    arm: str
    level: float
    margin: float
    tests: dict[str, Hypothesis]


@dataclass(frozen=True)
class Ladder:
    """Rungs by rising level; the slope in score points per doubling of the level tests the trend.

    ``n_cells``: slices x readers with a score at every level, on which the slope rests. ``monotone``: whether
    the mean scores only rise or only fall from level to level.
    """

    rungs: tuple[Rung, ...]
    slope_per_doubling: MrmcEstimate | Undefined
    n_cells: int
    monotone: bool | Undefined
    limit: Limit | Undefined


def ladder(
    cube: FloatArray,
    arms: Sequence[str],
    levels: Sequence[float],
    clusters: Clusters,
    reference: FloatArray | None = None,
    margin: float | None = None,
    more_is_better: bool = True,
) -> Ladder:
    """Ladder of scores (slices, arms, readers; NaN missing), one positive level (dose, acceleration) per arm.

    ``reference`` (slices, readers) and ``margin`` > 0 in score points ask for the limit: levels are tested for
    non-inferiority one after the other from the best down (from the highest where ``more_is_better``, else
    from the lowest), each one-sided at .025, until one fails; the fixed order keeps the family's error at .025.
    Raises ValueError for levels that are not positive and different.
    """
    values = np.asarray(levels, dtype=np.float64)
    if len(values) != len(arms) or not (values > 0).all() or len(np.unique(values)) != len(values):
        raise ValueError("A ladder needs one positive level for each arm, all different; correct the arms' levels.")
    order = np.argsort(values)
    values, cube, names = values[order], cube[:, order], [arms[place] for place in order.tolist()]
    slope, n_cells = _slope(cube, np.log2(values), clusters)
    rungs = tuple(_rung(cube, place, names[place], float(values[place]), clusters) for place in range(len(names)))
    down = list(range(len(names)))[:: -1 if more_is_better else 1]
    return Ladder(rungs, slope, n_cells, _monotone(cube), _limit(cube, rungs, down, clusters, reference, margin))


def _rung(cube: FloatArray, place: int, arm: str, level: float, clusters: Clusters) -> Rung:
    own = cube[:, place]
    means = unit_means(own)
    seen = np.isfinite(means)
    return Rung(
        arm=arm,
        level=level,
        n_scores=int(np.isfinite(own).sum()),
        mean_score=clustered_mean(means[seen], clusters.take(seen)),
        mean_score_slices_readers=slices_and_readers(own, clusters),
        step=crossed_mean(own - cube[:, place - 1], clusters) if place else Undefined("the lowest level"),
    )


def _slope(cube: FloatArray, doublings: FloatArray, clusters: Clusters) -> tuple[MrmcEstimate | Undefined, int]:
    """Mean over slices and readers of each cell's least-squares slope on log2 of the level."""
    if len(doublings) < 2:
        return Undefined("one level has no trend; at least 2 are needed"), 0
    centred = doublings - doublings.mean()
    slopes = np.einsum("sar,a->sr", cube, centred / float(centred @ centred))
    n = int(np.isfinite(slopes).sum())
    if n == 0:
        return Undefined("no reader scored a slice at every level"), 0
    return crossed_mean(slopes, clusters), n


def _monotone(cube: FloatArray) -> bool | Undefined:
    means = [column[np.isfinite(column)] for column in unit_means(cube).T]
    if len(means) < 2 or not all(len(column) for column in means):
        return Undefined("fewer than two levels, or a level without scores")
    steps = np.round(np.diff([column.mean() for column in means]), 9)
    return bool((steps >= 0).all() or (steps <= 0).all())


def _limit(
    cube: FloatArray,
    rungs: Sequence[Rung],
    down: Sequence[int],
    clusters: Clusters,
    reference: FloatArray | None,
    margin: float | None,
) -> Limit | Undefined:
    if margin is None:
        return Undefined("the plan has no margin")
    if reference is None or not np.isfinite(reference).any():
        return Undefined("there is no reference to compare with")
    tests: dict[str, Hypothesis] = {}
    reached: Rung | None = None
    for place in down:
        rung = rungs[place]
        test = against_margin(crossed_mean(cube[:, place] - reference, clusters), "non_inferiority", margin)
        if isinstance(test, Undefined):
            reason = f"{rung.arm} could not be tested: {test.reason}"
            return Undefined(reason) if reached is None else Limit(reached.arm, reached.level, margin, tests)
        tests[rung.arm] = test
        if isinstance(test.p, Undefined) or test.p >= 0.025:
            break
        reached = rung
    if reached is None:
        return Undefined(
            f"{rungs[down[0]].arm}, the best level, was not shown to lie within {margin:g} of the reference"
        )
    return Limit(reached.arm, reached.level, margin, tests)
