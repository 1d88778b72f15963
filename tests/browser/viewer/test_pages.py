"""The reader's pages as such: sizes, names, what they say, and how the room fits its window."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.template.loader import render_to_string

from readerstudy.staticfiles import without_comments
from tests.browser.viewer.conftest import enter, painted
from tests.browser.viewer.fake_room import NOISE, OVERALL, STATIC, FakeRoom

SCRIPTS = STATIC / "readerstudy" / "js"
Rooms = Callable[..., FakeRoom]


def modules() -> list[Any]:
    return sorted(file for folder in ("marks", "reading", "viewer") for file in SCRIPTS.glob(f"{folder}/*.js"))


def test_scripts_of_the_reading_page_stay_small() -> None:
    served = [without_comments(file.read_text()).encode() for file in modules()]
    assert sum(len(gzip.compress(script)) for script in served) <= 40_000


def test_every_module_is_preloaded_and_every_text_exists() -> None:
    page = FakeRoom(count=1).page()
    for file in modules():
        assert f"/static/{file.relative_to(STATIC)}" in page
    code = "\n".join(file.read_text() for file in modules())
    wanted = set(re.findall(r'\btext\("(\w+)"', code)) | set(re.findall(r'\? "(image_\w+)" : "(image_\w+)"', code)[0])
    offered = set(re.findall(r'data-text="(\w+)"', page))
    assert wanted == offered


def test_the_worklist_offers_what_may_be_done() -> None:
    def sitting(number: int, state: str, done: int) -> SimpleNamespace:
        return SimpleNamespace(
            number=number, of=3, done=done, total=100, state=state, available_on=None, token=f"token{number}"
        )

    rest = {
        "token": "schedule",
        "practice": 0,
        "practised": 0,
        "practisable": False,
        "guessable": False,
        "guessed": False,
    }
    sessions = [sitting(1, "signed", 100), sitting(2, "open", 12), sitting(3, "waiting", 0)]
    study = {"title": "Knee", "reader": "R1", "simulated": True, "commitment": "c0ffee", "sessions": sessions} | rest
    page = render_to_string("reading/worklist.html", {"studies": [study], "demo": True})
    assert page.count('href="/reading/token') == 1 and 'href="/reading/token2/"' in page
    for words in ("Resume", "12 / 100", "Signed", "Waiting", "Simulated reader", "c0ffee", "You are reader R1"):
        assert words in page
    assert "Research use only, not for diagnosis" in page and "Demo: bound to this machine only" in page
    assert "nothing to read yet" in render_to_string("reading/worklist.html", {"studies": []})


def test_no_inline_style_or_script() -> None:
    page = FakeRoom(count=1).page()
    assert not re.search(r"<style|\sstyle=|\son\w+=", page)
    assert all('type="application/json"' in tag or "src=" in tag for tag in re.findall(r"<script[^>]*>", page))


@pytest.mark.browser
@pytest.mark.parametrize("criteria", [[OVERALL], [OVERALL, NOISE]], ids=["one", "two"])
@pytest.mark.parametrize("size", [(1024, 768), (1440, 900)])
def test_the_room_fills_the_window(page: Any, room: Rooms, size: tuple[int, int], criteria: list[Any]) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    enter(page, room(count=2, criteria=criteria))
    painted(page, 0)
    stage = page.locator("#stage").bounding_box()
    assert min(stage["width"], stage["height"]) >= 0.9 * size[1]
    assert page.evaluate("() => document.documentElement.scrollHeight") <= size[1]
    panel = page.locator("#panel")
    assert panel.evaluate("(box) => box.scrollHeight <= box.clientHeight"), "no scrolling to reach a control"
    names = page.locator("button:visible, a:visible, summary:visible").evaluate_all(
        "(all) => all.map((one) => one.getAttribute('aria-label') || one.textContent.trim())"
    )
    assert all(names)


@pytest.mark.browser
def test_letters_and_digits_work_on_any_layout(page: Any, room: Rooms) -> None:
    page.goto(f"{room().url}/blank/")
    ask = """async (event) => {
      const { actionOf } = await import("/static/readerstudy/js/reading/keyboard.js");
      return actionOf({ shiftKey: false, altKey: false, ctrlKey: false, metaKey: false, ...event });
    }"""
    cases = [
        ({"code": "Digit3", "key": '"'}, {"name": "score", "argument": 3}),
        ({"code": "Numpad5", "key": "5"}, {"name": "score", "argument": 5}),
        ({"code": "Digit6", "key": "6"}, None),
        ({"code": "Digit3", "key": "3", "ctrlKey": True}, None),
        ({"code": "Digit2", "key": "2", "altKey": True}, {"name": "preset", "argument": 2}),
        ({"code": "KeyO", "key": "r"}, {"name": "reset"}),
        ({"code": "Comma", "key": "б"}, {"name": "scroll", "argument": -1}),
        ({"code": "KeyI", "key": "ш"}, {"name": "invert"}),
        ({"code": "Minus", "key": "?", "shiftKey": True}, {"name": "keys"}),
    ]
    for event, action in cases:
        assert page.evaluate(ask, event) == action, event
