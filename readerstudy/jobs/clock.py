"""The one clock of leases and due times: the database server's where there is one, this machine's for SQLite.

A wall clock may be set back or forward under us, so comparisons with it are paired with a monotonic check.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from django.db import connection

JUMP_SECONDS = 2.0


def _wall() -> datetime:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT clock_timestamp()")
            stamp: datetime = cursor.fetchone()[0]
            return stamp
    return datetime.now(UTC)


class Clock:
    """Wall time that notices when it was set: ``wall`` gives aware datetimes, ``monotonic`` seconds."""

    def __init__(self, wall: Callable[[], datetime] = _wall, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._wall, self._monotonic = wall, monotonic
        self._offset: float | None = None
        self._jumped_at: float | None = None

    def now(self) -> datetime:
        before = self._monotonic()
        wall = self._wall()
        monotonic = self._monotonic()
        # A reading that took long (a busy server, a stopped process) says nothing about jumps.
        if monotonic - before < JUMP_SECONDS / 2:
            offset = wall.timestamp() - monotonic
            if self._offset is not None and abs(offset - self._offset) > JUMP_SECONDS:
                self._jumped_at = monotonic
            self._offset = offset
        return wall

    def settled(self, seconds: float) -> bool:
        """Whether the wall clock has run evenly for ``seconds``, as far as this process has seen."""
        return self._jumped_at is None or self._monotonic() - self._jumped_at >= seconds


_clock = Clock()


def now() -> datetime:
    """Aware current time; costs one round trip on PostgreSQL."""
    return _clock.now()


def settled(seconds: float) -> bool:
    return _clock.settled(seconds)


@contextmanager
def use(clock: Clock) -> Iterator[Clock]:
    """Put another clock in place for the length of a block; for tests."""
    global _clock
    before, _clock = _clock, clock
    try:
        yield clock
    finally:
        _clock = before
