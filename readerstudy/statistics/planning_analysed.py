"""Power of the multi-reader test as the analysis makes it, with degrees of freedom that it estimates from the scores.

For normal scores the mean squares of readers, slices and rest of the differences are independent of each other and of
the mean difference; given them the power is a normal tail. It is averaged over evenly spread points, always the same
ones, so that a curve over slices is smooth. With readers fixed the test is an exact t test and has a closed form.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import interpolate, special, stats

from readerstudy.statistics.estimate import FloatArray
from readerstudy.statistics.planning_model import (
    MOST_DF,
    Aim,
    VarianceComponents,
    certain_power,
    closed_form,
    given_reach,
    standard_error,
)

POINTS = 2048
BLOCK = 128
KNOTS = 1025
# From here on Wilson and Hilferty's cube root is right to four digits.
MANY_DF = 30


def analysed_curve(components: VarianceComponents, aim: Aim, readers: int, slices: FloatArray) -> FloatArray:
    """Power (k,) at each number of slices (k,), infinity allowed."""
    error, df = standard_error(components, aim, readers, slices)
    if aim.readers == "fixed":
        return closed_form(aim, error, df)
    found = np.full(error.shape, certain_power(aim))
    uncertain = np.flatnonzero(error > 0)
    n = np.asarray(slices, dtype=np.float64) / aim.design_effect
    for start in range(0, len(uncertain), BLOCK):
        rows = uncertain[start : start + BLOCK]
        reach = _reach(components, aim, readers, n[rows])
        found[rows] = given_reach(aim, error[rows, None], reach).mean(axis=1)
    return np.asarray(np.clip(found, 0.0, 1.0), dtype=np.float64)


def _reach(components: VarianceComponents, aim: Aim, readers: int, n: FloatArray) -> FloatArray:
    """Half-widths of the difference's interval (k, POINTS) at ``n`` (k,) independent slices."""
    rest = 2 * components.error / n[:, None]
    of_slices = 2 * readers * components.slice_arm / n[:, None] + rest
    of_readers = (2 * components.reader_arm + rest) * _mean_squares(np.array([readers - 1.0]), 0)
    of_readers = np.maximum(of_readers, 1e-300)
    shared = of_slices * _mean_squares(n - 1, 1) - rest * _mean_squares((n - 1) * (readers - 1), 2)
    total = of_readers + np.maximum(shared, 0.0)
    df = np.minimum((readers - 1) * (total / of_readers) ** 2, MOST_DF)
    return np.asarray(np.exp(_log_critical(aim.critical_level)(1 / df)) * np.sqrt(total / readers))


@lru_cache(maxsize=1)
def _points() -> FloatArray:
    """Evenly spread points (POINTS, 3) of the unit cube, always the same."""
    return np.asarray(stats.qmc.Sobol(3, scramble=True, rng=0).random(POINTS), dtype=np.float64)


def _mean_squares(df: FloatArray, column: int) -> FloatArray:
    """Mean squares (k, POINTS) of expectation 1 with ``df`` (k,) degrees of freedom, infinity allowed."""
    points = _points()[:, column]
    spread = 2 / (9 * df[:, None])
    found = np.asarray(np.maximum(1 - spread + special.ndtri(points) * np.sqrt(spread), 0.0) ** 3)
    few = df < MANY_DF
    found[few] = 2 * special.gammaincinv(df[few, None] / 2, points) / df[few, None]
    return found


@lru_cache(maxsize=32)
def _log_critical(level: float) -> interpolate.CubicSpline:
    """Logarithm of the t distribution's critical value as a function of 1 / df, between 0 and 1."""
    knots = np.linspace(0.0, 1.0, KNOTS)
    df = 1 / np.maximum(knots, 1 / MOST_DF)
    return interpolate.CubicSpline(knots, np.log(stats.t.isf(level, df)))
