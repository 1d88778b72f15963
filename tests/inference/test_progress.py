"""The progress bar: share, what is done and the time left, sparing in a log."""

from __future__ import annotations

from typing import Any

import pytest

from inference import progress
from inference.progress import ProgressBar


class Clock:
    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    made.now = 100.0
    monkeypatch.setattr(progress, "time", made)
    return made


def test_it_tells_the_share_and_the_time_left(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    bar = ProgressBar()
    for done in (1, 2, 3, 4):
        bar(done, 8, "degrading slices")
        clock.now += 40.0
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1] == "[###############...............] 4/8 degrading slices, 160 s left"


def test_a_log_gets_a_line_every_half_minute_and_the_last_one(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    bar = ProgressBar()
    for done in range(1, 101):
        bar(done, 100, "degrading slices")
        clock.now += 1.0
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 5 and lines[-1].startswith("[" + "#" * 30 + "] 100/100")


def test_another_work_begins_its_time_anew(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    bar = ProgressBar()
    bar(1, 2, "degrading slices")
    clock.now += 1000.0
    bar(2, 2, "degrading slices")
    for done in (1, 2):
        clock.now += 40.0
        bar(done, 3, "timing restormer")
    assert "2/3 timing restormer, 40 s left" in capsys.readouterr().err


def test_a_terminal_keeps_one_line(
    clock: Clock, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    bar: Any = ProgressBar()
    for done in (1, 2, 3):
        bar(done, 3, "degrading slices")
        clock.now += 1.0
    text = capsys.readouterr().err
    assert text.count("\n") == 1 and text.count("\r") == 3
