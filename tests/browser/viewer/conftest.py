"""Chromium, a fake room, and a page that fails the test on any script error or breach of the security policy."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.browser.viewer.fake_room import FakeRoom, serving

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--enable-unsafe-swiftshader",
]  # fmt: skip
REPORT = """addEventListener("securitypolicyviolation", (event) => console.error("CSP " + event.violatedDirective));"""


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: make setup")
    if not CHROMIUM.exists():
        pytest.skip("Debian's chromium is not installed: apt-get install chromium")
    with playwright.sync_playwright() as started:
        launched = started.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture
def room() -> Iterator[Callable[..., FakeRoom]]:
    """Starts fake rooms: ``room(count=6, cut_every=3)``."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(serving(FakeRoom(**settings)))


@pytest.fixture
def context(browser: Any) -> Iterator[Any]:
    made = browser.new_context(viewport={"width": 1024, "height": 768})
    made.add_init_script(REPORT)
    made.set_default_timeout(10_000)
    yield made
    made.close()


@pytest.fixture
def page(context: Any) -> Iterator[Any]:
    """One tab; every uncaught error and every breach of the policy fails the test."""
    made = context.new_page()
    errors: list[str] = []
    made.on("pageerror", lambda error: errors.append(str(error)))
    made.on("console", lambda message: errors.append(message.text) if "CSP" in message.text else None)
    yield made
    assert errors == []


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
