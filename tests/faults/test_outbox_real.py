"""The real product over a bad network, browser and web server killed in mid-score: every score once, none lost."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from bench.room.outbox import faults, measure

pytestmark = [pytest.mark.faults, pytest.mark.browser, pytest.mark.slow]


def test_sixty_scores_one_restart_and_one_server_kill() -> None:
    # In a thread of its own: other browser tests of this process hold Playwright's loop in theirs.
    with ThreadPoolExecutor(max_workers=1) as apart:
        assert apart.submit(measure, slices=15, restarts=1).result() == (0, 0)


def found(*live: tuple[str, int]) -> dict[str, list[Any]]:
    """What the tool answers when every live score has one event of its own."""
    names = [name for name, _ in live]
    return {"live": list(live), "events": names, "keys": [f"key {n}" for n in range(len(live))]}


def test_the_count_sees_what_is_missing_changed_or_double() -> None:
    pressed = {"a": 1, "b": 2, "c": 3}
    whole = found(("a", 1), ("b", 2), ("c", 3))
    assert faults(pressed, whole) == (0, 0)
    assert faults(pressed, found(("a", 1), ("b", 2))) == (1, 0), "missing"
    assert faults(pressed, found(("a", 1), ("b", 2), ("c", 4))) == (1, 0), "changed"
    assert faults(pressed, found(("a", 1), ("b", 2), ("c", 3), ("c", 3))) == (0, 2), "a row and its event"
    again = whole | {"events": [*whole["events"], "b"], "keys": [*whole["keys"], "key 9"]}
    assert Counter(again["events"])["b"] == 2
    assert faults(pressed, again) == (0, 1), "one press, two events"
