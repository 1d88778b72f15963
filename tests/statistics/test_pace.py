"""Pace without pauses, and drift over positions and sessions, on tables whose answer is known."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import stats

from readerstudy.statistics.estimate import Estimate, Undefined, as_json
from readerstudy.statistics.pace import Readings, reader_paces, slope, slope_within
from tests.statistics.tables import uniforms


def readings(per_session: int = 50, sessions: int = 4, readers: int = 2) -> Readings:
    """Seconds 4 + reader + noise, a pause of 100 s in every 25th, a drift of .2 points per 100 images."""
    draw = uniforms(4)
    n = per_session * sessions
    position = np.tile(np.arange(n), readers)
    reader = np.repeat(np.arange(readers), n)
    idle = np.where(position % 25 == 24, 100.0, 0.0)
    noise = np.array([draw() - 0.5 for _ in range(n * readers)])
    return Readings(
        reader=reader,
        session=position // per_session,
        position=position,
        seconds=4 + reader + noise + idle,
        idle=idle,
        deviation=0.002 * position + 0.1 * np.array([draw() - 0.5 for _ in range(n * readers)]),
    )


def test_pauses_are_removed_and_counted() -> None:
    found = reader_paces(readings(), ["R1", "R2"], ["a", "b", "c", "d"])
    assert list(found) == ["R1", "R2"] and list(found["R1"].sessions) == ["a", "b", "c", "d"]
    for number, reader in enumerate(found.values()):
        for pace in (reader.overall, *reader.sessions.values()):
            assert isinstance(pace.median_s, float) and abs(pace.median_s - 4 - number) < 0.2
            assert isinstance(pace.q1_s, float) and isinstance(pace.q3_s, float)
            assert 0.3 < pace.q3_s - pace.q1_s < 0.7
    assert found["R1"].overall.idle_s == 800 and found["R1"].sessions["b"].n == 50
    as_json(found)


def test_too_fast_and_untimed_readings() -> None:
    given = readings()
    seconds = given.seconds.copy()
    seconds[:10], seconds[10:20] = 0.4, np.nan
    found = reader_paces(dataclasses.replace(given, seconds=seconds), ["R1", "R2"], list("abcd"))["R1"].overall
    assert (found.n, found.n_timed) == (200, 190) and isinstance(found.too_fast, Estimate)
    assert found.too_fast.value == pytest.approx(10 / 190)


def test_drift_over_positions_and_sessions() -> None:
    found = reader_paces(readings(), ["R1", "R2"], list("abcd"))["R1"]
    for drift, expected in (
        (found.deviation_per_100_images, 0.2),
        (found.deviation_within_sessions_per_100_images, 0.2),
        (found.deviation_per_session, 0.1),
    ):
        assert isinstance(drift, Estimate) and drift.ci_low is not None and drift.ci_high is not None
        assert drift.value == pytest.approx(expected, rel=0.1) and drift.ci_low < expected < drift.ci_high
    assert isinstance(found.seconds_per_100_images, Estimate) and abs(found.seconds_per_100_images.value) < 0.2


def test_a_step_between_sessions_is_no_drift_within_them() -> None:
    """Sessions on two levels: the slope over all positions sees it, the one within sessions does not."""
    x, group = np.arange(100.0), np.repeat([0, 1], 50)
    y = group + np.sin(x * 7) / 100
    over, within = slope(x, y, 100), slope_within(x, y, group, 100)
    assert isinstance(over, Estimate) and isinstance(within, Estimate)
    assert over.value > 1 and abs(within.value) < 0.05


def test_within_groups_equals_a_regression_with_their_intercepts() -> None:
    draw = uniforms(8)
    x, group = np.arange(30.0), np.arange(30) // 10
    y = np.array([draw() for _ in range(30)]) + group
    design = np.column_stack([x, *(group == k for k in range(3))]).astype(float)
    beta, rest, *_ = np.linalg.lstsq(design, y, rcond=None)
    error = np.sqrt(rest[0] / 26 * np.linalg.inv(design.T @ design)[0, 0])
    found = slope_within(x, y, group, 1)
    assert isinstance(found, Estimate) and found.value == pytest.approx(beta[0])
    assert found.ci_high == pytest.approx(beta[0] + stats.t.ppf(0.975, 26) * error)


def test_a_reader_without_readings_and_impossible_pauses() -> None:
    given = readings(readers=1)
    found = reader_paces(given, ["R1", "R2"], list("abcd"))["R2"]
    assert found.sessions == {} and isinstance(found.overall.median_s, Undefined)
    assert isinstance(found.deviation_per_session, Undefined) and isinstance(found.overall.too_fast, Undefined)
    with pytest.raises(ValueError, match="longer than the reading"):
        reader_paces(dataclasses.replace(given, idle=given.seconds + 1), ["R1"], list("abcd"))


def test_one_reading_a_session_leaves_no_slope() -> None:
    found = reader_paces(readings(per_session=1, sessions=3, readers=1), ["R1"], list("abc"))["R1"]
    assert isinstance(found.deviation_within_sessions_per_100_images, Undefined)
    first = found.sessions["a"].mean_deviation
    assert isinstance(first, Estimate) and first.ci_low is None
