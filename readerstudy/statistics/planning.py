"""Power of a comparison of two arms before any score exists, and how long the reading takes.

Power is that of the test as the analysis will make it (``planning_analysed``); Hillis' closed form stands beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from scipy import optimize, stats

from readerstudy.statistics.estimate import FloatArray
from readerstudy.statistics.planning_analysed import analysed_curve
from readerstudy.statistics.planning_model import (
    Aim,
    PlanningError,
    VarianceComponents,
    closed_form,
    inside,
    standard_error,
)

Curve = Callable[[VarianceComponents, Aim, int, FloatArray], FloatArray]
LARGEST_SLICES = 100_000
TARGET = 0.80
GAIN = 0.01
OUTSIDE = "The expected difference lies outside the margin: no number of slices or readers can show the hypothesis."


@dataclass(frozen=True)
class Power:
    """Power of one comparison as the analysis will make it, and by Hillis' closed form.

    The closed form takes the degrees of freedom as known, which the analysis estimates from the readers at hand: with
    3 readers and a family of 6 it is up to 14 points off. ``half_width`` (points) is that of the 95 % interval of the
    difference.
    """

    power: float
    closed_form: float
    standard_error: float
    df: float
    half_width: float


def power(components: VarianceComponents, aim: Aim, readers: int, slices: int) -> Power:
    """Power of one comparison with ``readers`` readers scoring ``slices`` slices in both arms.

    Raises PlanningError where the design carries no test.
    """
    grid = np.array([float(slices)])
    error, df = standard_error(components, aim, readers, grid)
    half = float(stats.t.ppf(0.975, df[0]) * error[0])
    found = float(analysed_curve(components, aim, readers, grid)[0])
    return Power(found, float(closed_form(aim, error, df)[0]), float(error[0]), float(df[0]), half)


def smallest_effect(components: VarianceComponents, aim: Aim, readers: int, slices: int) -> float | None:
    """Smallest difference (points) found with 80 % power; None unless superiority is the aim."""
    if aim.kind != "superiority":
        return None
    grid = np.array([float(slices)])
    error, df = standard_error(components, aim, readers, grid)
    if error[0] <= 0:
        return 0.0

    def gap(effect: float) -> float:
        return float(analysed_curve(components, replace(aim, effect=effect), readers, grid)[0]) - TARGET

    # The df are at least 1 and the readers' less one, where 80 % takes a shift of 4 critical values.
    least = df[0] if aim.readers == "fixed" else readers - 1
    highest = float(error[0]) * (4 * float(stats.t.isf(aim.critical_level, least)) + 4)
    return float(optimize.brentq(gap, 0.0, highest)) if gap(highest) > 0 else None


def _slice_grid(aim: Aim) -> FloatArray:
    first = math.ceil(2 * aim.design_effect)
    near = np.arange(first, first + 300)
    far = np.unique(np.geomspace(first + 300, LARGEST_SLICES, 120).round())
    return np.concatenate([near, far]).astype(np.float64)


@lru_cache(maxsize=256)
def slices_needed(
    components: VarianceComponents, aim: Aim, readers: int, target: float = TARGET, curve: Curve = analysed_curve
) -> int | None:
    """Fewest slices whose power by ``curve`` reaches the target, None where none up to LARGEST_SLICES do."""
    grid = _slice_grid(aim)
    reached = np.flatnonzero(curve(components, aim, readers, grid) >= target)
    if len(reached) == 0:
        return None
    index = int(reached[0])
    between = np.arange(grid[max(index - 1, 0)], grid[index] + 1)
    enough = curve(components, aim, readers, between) >= target
    return int(between[int(np.argmax(enough))])


@dataclass(frozen=True)
class Saturation:
    """From which number of slices on more of them gain less than ``gain``, and what is left at infinity."""

    slices: int | None
    limit: float
    sentence: str


@lru_cache(maxsize=256)
def saturation(components: VarianceComponents, aim: Aim, readers: int, gain: float = GAIN) -> Saturation:
    """Where power stops rising with the number of slices, and what to do instead, as a sentence."""
    grid = _slice_grid(aim)
    curve = analysed_curve(components, aim, readers, np.append(grid, np.inf))
    limit = float(curve[-1])
    if aim.kind == "superiority" and aim.effect == 0:
        return Saturation(
            None, limit, "With a true difference of 0 power is the error rate, whatever the number of slices."
        )
    if aim.kind != "superiority" and inside(aim) <= 0:
        return Saturation(None, limit, OUTSIDE)
    best = np.maximum.accumulate(curve[::-1])[::-1]
    index = int(np.argmax(best[:-1] - curve[:-1] <= gain)) if (best[:-1] - curve[:-1] <= gain).any() else None
    if index is None:
        return Saturation(None, limit, f"Power still rises beyond {LARGEST_SLICES:,} slices.")
    slices = _refined(components, aim, readers, grid, index, float(best[index]) - gain)
    return Saturation(slices, limit, _power_sentence(slices, float(curve[index:].max()), gain))


def _refined(components: VarianceComponents, aim: Aim, readers: int, grid: FloatArray, index: int, level: float) -> int:
    between = np.arange(grid[max(index - 1, 0)], grid[index] + 1)
    reached = analysed_curve(components, aim, readers, between) >= level
    return int(between[int(np.argmax(reached))] if reached.any() else grid[index])


def _power_sentence(slices: int, best: float, gain: float) -> str:
    points = f"{100 * gain:g} point" + ("" if gain == 0.01 else "s")
    if best > 0.985:
        return f"Beyond {slices:,} slices power is within {points} of 100 %: more slices only cost reading time."
    return (
        f"Beyond {slices:,} slices power no longer rises by {points} or more (at most {100 * best:.0f} %): "
        "the readers limit it; add readers."
    )


@dataclass(frozen=True)
class ReadingTime:
    """Hours of reading, without breaks, and sittings of 30 minutes."""

    presentations: int
    hours_per_reader: float
    sittings: int
    hours: float


def reading_time(criteria: int, presentations: int, seconds: float, readers: int = 1) -> ReadingTime:
    """Criteria x images x seconds per score, for one reader and for all of them."""
    if criteria < 1 or presentations < 1 or not seconds > 0:
        raise PlanningError("Reading takes at least 1 criterion, 1 image and more than 0 seconds: raise them.")
    each = criteria * presentations * seconds
    return ReadingTime(presentations, each / 3600, math.ceil(each / 1800), readers * each / 3600)
