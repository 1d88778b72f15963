"""Why something a reader sent was refused, always in one sentence."""

from __future__ import annotations

from typing import Any


class ReadingError(ValueError):
    """Why an answer was refused, in one sentence."""


class Closed(ReadingError):
    """Session or study take no answers any more (or not yet)."""


class Paused(Closed):
    """The study takes no answers for a while: what was sent is to be sent again when it goes on."""


class NotPrepared(Closed):
    """A step stands before the session: ``step`` is "consent", "record", "practice" or "check"."""

    def __init__(self, sentence: str, step: str) -> None:
        super().__init__(sentence)
        self.step = step


class Conflict(ReadingError):
    """A differing live answer exists; ``stored`` is what it says."""

    def __init__(self, sentence: str, stored: dict[str, Any]) -> None:
        super().__init__(sentence)
        self.stored = stored
