"""Pace and drift: seconds per image and the reader's tendency, by session and over the order of reading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from readerstudy.statistics.correlation import regression
from readerstudy.statistics.estimate import BoolArray, Estimate, FloatArray, IntArray, Number, Result, Undefined
from readerstudy.statistics.intervals import t_interval, wilson

TOO_FAST_S = 1.0


@dataclass(frozen=True, eq=False)
class Readings:
    """One row per first reading (n,): reader and session as indices, position in the reader's whole order.

    ``seconds`` from the painted image to the score, pauses included, NaN where unknown; ``idle`` seconds of
    pauses in it; ``deviation`` of the score from the mean of all readers on the image, NaN without a score.
    """

    reader: IntArray
    session: IntArray
    position: IntArray
    seconds: FloatArray
    idle: FloatArray
    deviation: FloatArray


@dataclass(frozen=True)
class SessionPace:
    """Seconds per image with pauses removed: median, quartiles, 95th percentile, share read too fast."""

    n: int
    n_timed: int
    median_s: Number
    q1_s: Number
    q3_s: Number
    p95_s: Number
    idle_s: float
    too_fast: Result
    mean_deviation: Result


@dataclass(frozen=True)
class ReaderPace:
    """One reader: all sessions together, each by its name, and trends.

    Slopes of deviation are in score points, of pace in seconds; within sessions they are taken over positions
    (per 100 images) with the sessions' own levels removed.
    """

    overall: SessionPace
    sessions: dict[str, SessionPace]
    deviation_per_100_images: Result
    deviation_within_sessions_per_100_images: Result
    deviation_per_session: Result
    seconds_per_100_images: Result


def reader_paces(
    readings: Readings, readers: Sequence[str], sessions: Sequence[str], too_fast_s: float = TOO_FAST_S
) -> dict[str, ReaderPace]:
    """Pace of every reader, ``sessions`` naming the session indices in order of time.

    Raises ValueError for pauses longer than the reading they lie in.
    """
    if (readings.idle > readings.seconds).any():
        raise ValueError("A pause is longer than the reading it lies in; record both from the same clock.")
    active = readings.seconds - readings.idle
    return {
        name: _of_reader(readings, readings.reader == place, active, sessions, too_fast_s)
        for place, name in enumerate(readers)
    }


def _of_reader(
    readings: Readings, own: BoolArray, active: FloatArray, sessions: Sequence[str], limit: float
) -> ReaderPace:
    position, session = readings.position[own].astype(np.float64), readings.session[own]
    deviation, seconds = readings.deviation[own], active[own]
    return ReaderPace(
        overall=_summary(readings, own, active, limit),
        sessions={
            sessions[place]: _summary(readings, own & (readings.session == place), active, limit)
            for place in np.unique(session).tolist()
        },
        deviation_per_100_images=slope(position, deviation, 100),
        deviation_within_sessions_per_100_images=slope_within(position, deviation, session, 100),
        deviation_per_session=slope(session.astype(np.float64), deviation, 1),
        seconds_per_100_images=slope(position, seconds, 100),
    )


def _summary(readings: Readings, own: BoolArray, active: FloatArray, limit: float) -> SessionPace:
    seconds = active[own]
    timed = seconds[np.isfinite(seconds)]
    deviation = readings.deviation[own]
    quantiles: list[Number] = [Undefined("no reading times")] * 4
    if len(timed):
        quantiles = [float(value) for value in np.quantile(timed, [0.5, 0.25, 0.75, 0.95])]
    return SessionPace(
        n=int(own.sum()),
        n_timed=len(timed),
        median_s=quantiles[0],
        q1_s=quantiles[1],
        q3_s=quantiles[2],
        p95_s=quantiles[3],
        idle_s=float(np.nansum(readings.idle[own])),
        too_fast=wilson(int((timed < limit).sum()), len(timed)),
        mean_deviation=t_interval(deviation[np.isfinite(deviation)], "scores of the session"),
    )


def slope(x: FloatArray, y: FloatArray, per: float) -> Result:
    """Least-squares slope of y (n,; NaN missing) on x (n,), per ``per`` units of x."""
    given = np.isfinite(y)
    fit = regression(x[given], y[given])
    return fit if isinstance(fit, Undefined) else _scaled(fit.slope, per)


def slope_within(x: FloatArray, y: FloatArray, group: IntArray, per: float) -> Result:
    """As :func:`slope`, x and y centred within each group (n,): a level that differs by group is no drift."""
    given = np.isfinite(y)
    x, y, group = x[given], y[given], group[given]
    _, place, size = np.unique(group, return_inverse=True, return_counts=True)
    if not len(x) or len(size) == 1:
        return slope(x, y, per)
    centred = [values - (np.bincount(place, weights=values) / size)[place] for values in (x, y)]
    fit = regression(centred[0], centred[1], lost=len(size) - 1)
    return fit if isinstance(fit, Undefined) else _scaled(fit.slope, per)


def _scaled(result: Result, per: float) -> Result:
    if isinstance(result, Undefined):
        return result
    low, high = (None if bound is None else per * bound for bound in (result.ci_low, result.ci_high))
    return Estimate(per * result.value, low, high, result.method)
