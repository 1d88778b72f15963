"""A reader at the keyboard: score, go on, go back, change, several criteria, cannot judge, the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.viewer.conftest import enter, painted, until
from tests.browser.viewer.fake_room import NOISE, OVERALL, FakeRoom

pytestmark = pytest.mark.browser
Rooms = Callable[..., FakeRoom]


def test_digits_score_and_go_on_to_the_end(page: Any, room: Rooms) -> None:
    here = room(count=4)
    enter(page, here)
    for number, key in enumerate(["3", "Numpad5", "Digit1", "4"]):
        painted(page, number)
        page.keyboard.press(key)
    page.get_by_role("heading", name="The last image is scored").wait_for()
    until(lambda: len(here.stored) == 4)
    assert [here.stored[f"id{n}"]["overall"]["value"] for n in range(4)] == [3, 5, 1, 4]
    link = page.get_by_role("link", name="Go to the signature")
    until(lambda: link.get_attribute("href") == "/reading/T/finish/")
    assert page.locator("#status").inner_text() == "Saved"


def test_an_answer_carries_times_and_viewport(page: Any, room: Rooms) -> None:
    here = room(count=2)
    enter(page, here)
    painted(page, 0)
    page.keyboard.press("Alt+Digit2")
    page.keyboard.press("i")
    page.keyboard.press("2")
    until(lambda: here.keys)
    body = next(iter(here.keys.values()))
    assert body["viewport"]["center"] == -600 and body["viewport"]["width"] == 1500 and body["viewport"]["invert"]
    assert body["window_changes"] == 2 and body["replaces"] is None
    assert 0 < body["elapsed_ms"] < 10_000 and body["idle_ms"] == 0 and body["painted_at"] < body["scored_at"]
    assert body["too_fast"] == (body["elapsed_ms"] < 500)


def test_back_shows_the_score_and_a_change_replaces_it(page: Any, room: Rooms) -> None:
    here = room(count=4)
    enter(page, here)
    for number in range(2):
        painted(page, number)
        page.keyboard.press("3")
    painted(page, 2)
    page.keyboard.press("Backspace")
    painted(page, 1)
    assert page.locator('.score[data-value="3"]').get_attribute("aria-pressed") == "true"
    assert page.locator("#back").is_disabled(), "back goes one image far"
    page.keyboard.press("3")
    painted(page, 2)
    assert len(here.keys) == 2, "the same score again is not an answer"
    page.keyboard.press("ArrowLeft")
    painted(page, 1)
    page.keyboard.press("5")
    painted(page, 2)
    until(lambda: here.stored["id1"]["overall"]["value"] == 5)
    first, last = (body for body in here.keys.values() if body["presentation"] == "id1")
    assert last["replaces"] == first["key"]


def test_a_held_key_scores_one_image_only(page: Any, room: Rooms) -> None:
    here = room(count=4)
    enter(page, here)
    painted(page, 0)
    for _ in range(5):
        page.keyboard.down("4")
    page.keyboard.up("4")
    painted(page, 1)
    until(lambda: here.keys)
    assert list(here.stored) == ["id0"]


def test_several_criteria_are_filled_in_turn_and_entered_together(page: Any, room: Rooms) -> None:
    here = room(count=2, criteria=[OVERALL, NOISE])
    enter(page, here)
    painted(page, 0)
    page.keyboard.press("4")
    page.keyboard.press("Enter")
    assert "Answer every question" in page.locator("#notice").inner_text()
    page.keyboard.press("2")
    assert page.evaluate("() => document.body.dataset.painted") == "id0", "digits do not go on by themselves"
    page.keyboard.press("Enter")
    painted(page, 1)
    until(lambda: here.stored)
    assert here.stored["id0"] == {"overall": {"value": 4}, "noise": {"value": 2}}


def test_cannot_judge_is_a_value_with_a_reason_and_a_comment_goes_along(page: Any, room: Rooms) -> None:
    here = room(count=2)
    enter(page, here)
    painted(page, 0)
    page.keyboard.press("c")
    page.keyboard.type("seen 3 times")
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    page.keyboard.type("motion")
    page.keyboard.press("Enter")
    painted(page, 1)
    until(lambda: here.keys)
    assert here.stored["id0"] == {"overall": {"cannot_judge": "motion"}}
    assert next(iter(here.keys.values()))["comment"] == "seen 3 times"


def test_the_keys_are_shown_and_do_not_score(page: Any, room: Rooms) -> None:
    here = room(count=2)
    enter(page, here)
    painted(page, 0)
    page.keyboard.press("?")
    page.get_by_role("dialog", name="Keys").wait_for()
    page.keyboard.press("3")
    page.keyboard.press("Escape")
    assert page.evaluate("() => document.body.dataset.painted") == "id0" and not here.keys
