"""A job that waits too long is told: to who asks, by an exit status, and in the workers' log."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from readerstudy.jobs import claims, queries, reaper
from readerstudy.jobs.models import Worker

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def silent(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    monkeypatch.setattr(reaper, "_alarmed_at", None)
    settings.JOB_ALARM_SECONDS = 900


def enlist(time: Any, **values: Any) -> None:
    Worker.objects.create(host="h", pid=1, queue="cpu", started_at=time.wall, seen_at=time.wall, **values)


def test_nothing_waits(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("jobs", "--alarm", "60")
    assert capsys.readouterr().out == "No job waits too long.\n"


def test_the_command_fails_with_what_to_do(submit: Any, time: Any) -> None:
    submit("a")
    time.run(61)
    call_command("jobs", "--alarm", "61")
    with pytest.raises(CommandError, match=r"^A job has waited for 61 s and no worker is running: start one with"):
        call_command("jobs", "--alarm", "60")


def test_the_sentence_says_what_the_workers_do(submit: Any, time: Any) -> None:
    submit("a")
    submit("b")
    claims.claim("cpu", "w")
    time.run(100)
    busy = submit("c")
    enlist(time, current=busy)
    assert queries.alarm(60).endswith("all workers are busy (1): wait, or start more.")
    enlist(time)
    assert "workers are idle: see whether" in queries.alarm(60)


def test_the_reaper_warns_at_once_then_every_ten_minutes_and_anew_after_a_rest(
    submit: Any, time: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reaper, "time", type("Time", (), {"monotonic": lambda: time.seconds}))
    submit("a")
    with caplog.at_level(logging.WARNING, "readerstudy.jobs.reaper"):
        for seconds, told in [(900, 0), (1, 1), (5, 1), (594, 1), (1, 2)]:
            time.run(seconds)
            reaper.tick("one")
            assert len(caplog.messages) == told
        claims.claim("cpu", "w")
        reaper.tick("one")
        submit("b")
        time.run(901)
        reaper.sound_alarm()
    assert len(caplog.messages) == 3 and "A job has waited for 901 s" in caplog.messages[-1]
