"""Fake rooms and the steps of a reader in them; browser, context and page come from the folder above."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.browser.viewer.fake_room import FakeRoom, serving
from tests.browser.viewer.marks_bench import Bench


@pytest.fixture
def room() -> Iterator[Callable[..., FakeRoom]]:
    """Starts fake rooms: ``room(count=6, cut_every=3)``."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(serving(FakeRoom(**settings)))


@pytest.fixture
def bench(page: Any, room: Callable[..., FakeRoom]) -> Callable[..., Bench]:
    """Puts a stage and a board on a blank page: ``bench(panes=2)``."""
    return lambda **settings: Bench(page, room(), **settings)


def enter(page: Any, room: FakeRoom) -> None:
    page.goto(f"{room.url}/reading/T/")


def painted(page: Any, number: int) -> None:
    """Waits until the image is on the screen and may be scored."""
    page.locator(f'body[data-painted="id{number}"]').wait_for()


def until(condition: Callable[[], Any], seconds: float = 10) -> None:
    """Polls from outside: a string predicate inside the page would need eval, which the policy forbids."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
