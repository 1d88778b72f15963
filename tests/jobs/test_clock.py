"""The clock notices that it was set, and only that."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from readerstudy.jobs.clock import Clock

START = datetime(2026, 3, 1, tzinfo=UTC)


class Script:
    """A machine whose clocks are moved by hand; reading the wall takes ``slowness`` seconds."""

    def __init__(self) -> None:
        self.wall, self.seconds, self.slowness = START, 100.0, 0.0

    def read(self) -> datetime:
        self.run(self.slowness)
        return self.wall

    def run(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.seconds += seconds


@pytest.fixture
def machine():
    return Script()


@pytest.fixture
def clock(machine):
    clock = Clock(machine.read, lambda: machine.seconds)
    clock.now()
    return clock


def test_even_running_is_settled(clock, machine):
    for _ in range(10):
        machine.run(1000)
        assert clock.now() == machine.wall
        assert clock.settled(30)


@pytest.mark.parametrize("change", [timedelta(hours=-1), timedelta(days=1), timedelta(seconds=3)])
def test_setting_the_clock_unsettles_it_for_a_while(clock, machine, change):
    machine.wall += change
    clock.now()
    assert not clock.settled(30)
    machine.run(29)
    clock.now()
    assert not clock.settled(30)
    machine.run(1)
    assert clock.settled(30)


def test_a_laptop_waking_up_counts_as_a_change(clock, machine):
    machine.wall += timedelta(hours=8)
    clock.now()
    assert not clock.settled(30)


def test_slow_drift_does_not(clock, machine):
    for _ in range(100):
        machine.run(60)
        machine.wall += timedelta(seconds=0.1)
        clock.now()
    assert clock.settled(30)


def test_a_slow_answer_does_not(clock, machine):
    machine.slowness = 5.0
    clock.now()
    machine.slowness = 0.0
    clock.now()
    assert clock.settled(30)
