from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from readerstudy.jobs import actions, clock, dispatch
from readerstudy.jobs.models import Job


class FakeClock(clock.Clock):
    """A clock that runs only when told to; ``set`` changes the wall alone, as a person or NTP does."""

    def __init__(self) -> None:
        self.wall = datetime(2026, 3, 1, 12, tzinfo=UTC)
        self.seconds = 1000.0
        super().__init__(lambda: self.wall, lambda: self.seconds)

    def run(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.seconds += seconds

    def set(self, change: timedelta) -> None:
        self.wall += change


@pytest.fixture
def time() -> Iterator[FakeClock]:
    with clock.use(FakeClock()) as fake:
        assert isinstance(fake, FakeClock)
        yield fake


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The wake-ups sent in a test; none reaches a broker."""
    wakes: list[tuple[str, int]] = []

    def note(queue: str, count: int = 1) -> bool:
        wakes.append((queue, count))
        return True

    monkeypatch.setattr(dispatch, "send", note)
    return wakes


@pytest.fixture(autouse=True)
def kinds(settings: object) -> None:
    settings.JOB_HANDLERS = {"work": "nowhere.handler"}  # type: ignore[attr-defined]
    settings.JOB_LEASE_SECONDS, settings.JOB_MAX_ATTEMPTS = 30, 3  # type: ignore[attr-defined]


@pytest.fixture
def submit(db: None, time: FakeClock) -> Callable[..., Job]:
    def make(key: str = "a", **options: object) -> Job:
        return actions.submit(key, "work", {}, **options)  # type: ignore[arg-type]

    return make
