"""Rarer troubles: a browser closed with much waiting, marks on the way or changed elsewhere, a clock that jumps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.conftest import CHROMIUM, FLAGS
from tests.browser.viewer.conftest import enter, painted, until
from tests.browser.viewer.fake_room import FakeRoom
from tests.browser.viewer.test_outbox import NO_LOCKS, read

pytestmark = pytest.mark.browser
Rooms = Callable[..., FakeRoom]


def test_the_browser_closes_with_45_scores_waiting(browser: Any, room: Rooms, tmp_path: Any) -> None:
    here = room(count=50, deaf=True)
    with persistent(browser, tmp_path) as context:
        page = context.pages[0]
        enter(page, here)
        read(page, 0, 45)
        painted(page, 45)
        assert not here.stored
    here.deaf = False
    with persistent(browser, tmp_path) as context:
        page = context.pages[0]
        enter(page, here)
        painted(page, 45)
        until(lambda: len(here.stored) == 45 and page.locator("#status").inner_text() == "Saved", 30)
    assert len(here.keys) == 45 and here.duplicates == 0


def persistent(browser: Any, profile: Any) -> Any:
    """A browser of its own whose profile outlives it."""
    return browser.browser_type.launch_persistent_context(
        str(profile), executable_path=str(CHROMIUM), args=FLAGS, viewport={"width": 1024, "height": 768}
    )


def test_marks_wait_and_arrive_like_scores(context: Any, room: Rooms) -> None:
    here = room(count=3, cut_every=2)
    page = context.new_page()
    enter(page, here)
    painted(page, 0)
    here.deaf = True
    mark_a_point(page)
    until(lambda: "Waiting to be sent: 1" in page.locator("#status").inner_text())
    page.close()
    here.deaf = False
    again = context.new_page()
    enter(again, here)
    painted(again, 0)
    until(lambda: len(here.marks.get("id0", {})) == 1 and again.locator("#status").inner_text() == "Saved")
    assert again.locator("svg.marks [data-mark]").count() == 1


def mark_a_point(page: Any) -> None:
    page.keyboard.press("p")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")


def test_a_mark_changed_elsewhere_is_shown(page: Any, room: Rooms) -> None:
    here = room(count=2)
    enter(page, here)
    painted(page, 0)
    mark_a_point(page)
    until(lambda: here.marks.get("id0"))
    (mark,) = here.marks["id0"].values()
    here.marks["id0"][mark["id"]] = mark | {"label": "blur", "revision": 2}
    page.keyboard.press("Control+z")
    dialog = page.get_by_role("dialog", name="another")
    dialog.wait_for()
    assert "blur" in dialog.locator("tbody").inner_text()
    page.get_by_role("button", name="Keep the stored").click()
    until(lambda: page.locator("#status").inner_text() == "Saved")
    assert here.marks["id0"][mark["id"]]["label"] == "blur"
    until(lambda: page.locator("svg.marks [data-mark]").count() == 1)


def test_the_clock_may_jump(page: Any, room: Rooms) -> None:
    here = room(count=4)
    page.add_init_script("const real = Date.now; window.jump = 0; Date.now = () => real() + window.jump;" + NO_LOCKS)
    enter(page, here)
    for number, jump in enumerate((0, -3_600_000, 86_400_000, -86_400_000)):
        painted(page, number)
        page.evaluate(f"() => {{ window.jump = {jump}; }}")
        page.keyboard.press("4")
    until(lambda: len(here.stored) == 4 and page.locator("#status").inner_text() == "Saved")
    assert all(0 < body["elapsed_ms"] < 20_000 and body["idle_ms"] == 0 for body in here.keys.values())
