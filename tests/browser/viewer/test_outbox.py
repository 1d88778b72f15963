"""No score is lost or silently changed, whatever happens to network, sign-in, browser or a second device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.viewer.conftest import enter, painted, until
from tests.browser.viewer.fake_room import FakeRoom

pytestmark = pytest.mark.browser
Rooms = Callable[..., FakeRoom]
NO_INDEXED_DB = "Object.defineProperty(window, 'indexedDB', {value: undefined})"
NO_LOCKS = "Object.defineProperty(navigator, 'locks', {value: undefined}); crypto.randomUUID = undefined;"


def read(page: Any, start: int, end: int, key: str = "4") -> None:
    for number in range(start, end):
        painted(page, number)
        page.keyboard.press(key)


@pytest.mark.parametrize("script", ["", NO_LOCKS], ids=["web locks", "lease"])
def test_every_third_answer_cut(page: Any, room: Rooms, script: str) -> None:
    here = room(count=12, cut_every=3)
    page.add_init_script(script)
    enter(page, here)
    read(page, 0, 12)
    until(lambda: len(here.stored) == 12 and page.locator("#status").inner_text() == "Saved", 20)
    assert len(here.keys) == 12 and here.duplicates >= 3


def test_offline_then_closed_then_back(context: Any, room: Rooms) -> None:
    here = room(count=6)
    page = context.new_page()
    enter(page, here)
    painted(page, 0)
    until(lambda: len(set(here.frames)) >= 4)
    here.down = True
    read(page, 0, 4)
    page.get_by_text("Waiting to be sent: 4").wait_for()
    assert not here.stored
    page.close()
    here.down = False
    again = context.new_page()
    enter(again, here)
    painted(again, 4)
    until(lambda: len(here.stored) == 4)
    assert again.locator("#position").inner_text() == "Image 5 of 6"


def test_resume_on_another_machine(page: Any, room: Rooms) -> None:
    here = room(count=5, stored={"id0": {"overall": {"value": 2}}, "id1": {"overall": {"value": 5}}})
    enter(page, here)
    painted(page, 2)
    assert page.locator("#done").inner_text() == "2 scored"
    page.keyboard.press("Backspace")
    painted(page, 1)
    page.keyboard.press("1")
    painted(page, 2)
    until(lambda: here.stored["id1"]["overall"]["value"] == 1)
    assert next(iter(here.keys.values()))["replaces"] is True


@pytest.mark.parametrize(("choice", "expected"), [("Keep the stored score", 2), ("Replace it", 4)])
def test_a_differing_answer_from_elsewhere_is_shown(page: Any, room: Rooms, choice: str, expected: int) -> None:
    here = room(count=4)
    enter(page, here)
    painted(page, 0)
    here.stored["id0"] = {"overall": {"value": 2}}
    page.keyboard.press("4")
    dialog = page.get_by_role("dialog", name="another score is already stored")
    dialog.wait_for()
    assert dialog.locator("tbody td").all_inner_texts() == ["Image quality", "2", "4"]
    assert here.stored["id0"]["overall"]["value"] == 2, "nothing is overwritten before the choice"
    page.keyboard.press("Escape")
    page.keyboard.press("5")
    assert dialog.is_visible()
    page.get_by_role("button", name=choice).click()
    until(lambda: page.locator("#status").inner_text() == "Saved")
    assert here.stored == {"id0": {"overall": {"value": expected}}}
    painted(page, 1)
    page.keyboard.press("Backspace")
    painted(page, 0)
    assert page.locator(f'.score[data-value="{expected}"]').get_attribute("aria-pressed") == "true"


def test_a_closed_session_is_told_and_the_image_is_open_again(page: Any, room: Rooms) -> None:
    here = room(count=3, closed="This session is signed.")
    enter(page, here)
    read(page, 0, 1)
    page.get_by_text("This session is signed.").wait_for()
    assert page.locator("#status").inner_text() == "Not saved: 1"
    page.get_by_role("button", name="I have read this").click()
    painted(page, 0)
    assert page.locator('.score[aria-pressed="true"]').count() == 0
    until(lambda: page.locator("#status").inner_text() == "Saved")


def test_an_expired_sign_in_loses_nothing(page: Any, room: Rooms) -> None:
    here = room(count=6)
    enter(page, here)
    painted(page, 0)
    until(lambda: len(set(here.frames)) >= 4)
    here.signed_out = True
    read(page, 0, 2)
    page.get_by_role("link", name="Sign in again in a new tab").wait_for()
    until(lambda: "waiting on this computer: 2" in page.locator("#status").inner_text())
    here.signed_out, here.token = False, "second-token"
    page.evaluate("() => dispatchEvent(new Event('focus'))")
    until(lambda: len(here.stored) == 2)
    page.get_by_role("link", name="Sign in again in a new tab").wait_for(state="hidden")


def test_without_indexed_db_each_score_waits_for_the_server(page: Any, room: Rooms) -> None:
    here = room(count=4, cut_every=2)
    page.add_init_script(NO_INDEXED_DB)
    enter(page, here)
    read(page, 0, 2)
    painted(page, 2)
    assert len(here.stored) == 2, "the page went on only after the server had them"
    assert "waits for the server" in page.locator("#status").inner_text()
    here.down = True
    page.keyboard.press("1")
    until(lambda: "Not saved yet" in page.locator("#status").inner_text())
    page.keyboard.press("2")
    assert page.locator("#position").inner_text() == "Image 3 of 4"
    here.down = False
    painted(page, 3)
    assert here.stored["id2"]["overall"]["value"] == 1


def test_two_tabs_of_one_session(context: Any, room: Rooms) -> None:
    here = room(count=6, cut_every=4)
    pages = [context.new_page(), context.new_page()]
    for page in pages:
        enter(page, here)
    for number in range(6):
        for page in pages:
            painted(page, number)
            page.keyboard.press("3")
    until(lambda: len(here.stored) == 6)
    for page in pages:
        until(lambda page=page: page.locator("#status").inner_text() == "Saved", 20)


def test_an_image_is_shown_only_when_whole(page: Any, room: Rooms) -> None:
    here = room(count=1, short_frames=2)
    enter(page, here)
    painted(page, 0)
    assert here.frames.count("id0") == 3
