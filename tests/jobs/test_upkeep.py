"""Once an hour the worker with the reaper's duty tidies up; what fails is logged without its words."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from django.utils.module_loading import import_string

from readerstudy.jobs import reaper, upkeep

calls: list[float] = []


def tidy() -> None:
    calls.append(1.0)


def refused() -> None:
    raise PermissionError(13, "Permission denied", "/data/uploads/Doe^Jane")


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    calls.clear()
    monkeypatch.setattr(upkeep, "_done_at", None)
    settings.UPKEEP = [f"{__name__}.refused", f"{__name__}.tidy"]


def test_what_the_settings_name_is_there() -> None:
    from readerstudy import settings

    assert all(callable(import_string(path)) for path in settings.UPKEEP)


@pytest.mark.django_db
def test_once_an_hour_and_only_with_the_duty(
    time: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(upkeep, "time", type("Time", (), {"monotonic": lambda: time.seconds}))
    with caplog.at_level(logging.WARNING, "readerstudy.jobs.upkeep"):
        for seconds, done in [(0, 1), (5, 1), (3594, 1), (1, 2), (3600, 3)]:
            time.run(seconds)
            assert reaper.tick("one") and len(calls) == done
        time.run(1)
        assert not reaper.tick("two")
    assert len(calls) == 3
    assert "PermissionError" in caplog.text and "Doe" not in caplog.text
