"""The room in its other modes: pairs, the reference beside, neighbouring slices, the fidelity pass, practice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.viewer.conftest import enter, painted, until
from tests.browser.viewer.fake_room import NOISE, OVERALL, FakeRoom

pytestmark = pytest.mark.browser
Rooms = Callable[..., FakeRoom]
PAIR = {
    "key": "overall", "title": "Preference", "question": "Which image is better?",
    "texts": {"left": "the left image", "equal": "no difference", "right": "the right image"},
}  # fmt: skip


def test_arrows_choose_between_two_panes(page: Any, room: Rooms) -> None:
    here = room(count=4, panes=2, mode="pairwise", criteria=[PAIR])
    enter(page, here)
    for number, key in enumerate(["ArrowLeft", "ArrowRight", "ArrowDown", "ArrowUp"]):
        painted(page, number)
        if number == 0:
            assert page.locator(".pane-caption").all_inner_texts() == ["Left", "Right"]
            page.keyboard.press("3")
        page.keyboard.press(key)
    page.locator("#finish-title").wait_for()
    until(lambda: len(here.stored) == 4)
    choices = [here.stored[f"id{n}"]["overall"]["choice"] for n in range(4)]
    assert choices == ["left", "right", "equal", "equal"]


def test_a_pair_is_changed_by_going_back(page: Any, room: Rooms) -> None:
    here = room(count=2, panes=2, mode="pairwise", criteria=[PAIR])
    enter(page, here)
    painted(page, 0)
    page.locator('.score[data-value="right"]').click()
    painted(page, 1)
    page.keyboard.press("Backspace")
    painted(page, 0)
    assert page.locator('.score[data-value="right"]').get_attribute("aria-pressed") == "true"
    page.keyboard.press("ArrowLeft")
    painted(page, 1)
    until(lambda: here.stored["id0"]["overall"] == {"choice": "left"})


def test_the_reference_beside_moves_along(page: Any, room: Rooms) -> None:
    here = room(count=2, panes=2, reference=1, display={"renderer": "canvas"})
    enter(page, here)
    painted(page, 0)
    panes = page.locator(".pane")
    assert page.locator(".pane-caption").all_inner_texts() == ["To be judged", "Reference"]
    before = [panes.nth(n).locator("canvas").screenshot() for n in range(2)]
    assert before[0] != before[1], "two different images"
    page.keyboard.press("Alt+Digit3")
    page.keyboard.press("+")
    page.wait_for_timeout(100)
    after = [panes.nth(n).locator("canvas").screenshot() for n in range(2)]
    assert before[0] != after[0] and before[1] != after[1]
    page.keyboard.press("4")
    painted(page, 1)


def test_wheel_and_keys_go_through_neighbouring_slices(page: Any, room: Rooms) -> None:
    here = room(count=2, context=2, display={"renderer": "canvas"})
    enter(page, here)
    painted(page, 0)
    readout, canvas = page.locator("#readout"), page.locator(".pane canvas").first
    own = canvas.screenshot()
    assert "neighbouring" not in readout.inner_text()
    box = page.locator(".pane").bounding_box()
    page.mouse.move(box["x"] + 200, box["y"] + 200)
    page.mouse.wheel(0, 120)
    until(lambda: "neighbouring slice +1" in readout.inner_text())
    assert canvas.screenshot() != own
    for _ in range(5):
        page.keyboard.press(",")
    until(lambda: "neighbouring slice −2" in readout.inner_text())
    page.keyboard.press(".")
    page.keyboard.press(".")
    until(lambda: "neighbouring" not in readout.inner_text())
    assert canvas.screenshot() == own
    page.keyboard.press(",")
    page.keyboard.press("5")
    painted(page, 1)
    assert "neighbouring" not in readout.inner_text(), "the next image starts on the slice to be scored"


def test_the_fidelity_pass_takes_marks_and_nothing_else(page: Any, room: Rooms) -> None:
    labels = ["lost structure", "invented structure"]
    here = room(count=2, panes=2, reference=1, mode="fidelity", labels=labels)
    enter(page, here)
    painted(page, 0)
    assert page.locator(".score").count() == 0 and page.locator("#cannot-judge-box").is_hidden()
    assert page.locator("#done").inner_text() == "0 compared"
    page.keyboard.press("3")
    page.keyboard.press("p")
    page.keyboard.press("Enter")
    until(lambda: here.marks.get("id0"))
    made = next(iter(here.marks["id0"].values()))
    assert made["label"] == "lost structure" and made["confidence"] == 3 and made["consequence"] == "none"
    assert made["pane"] == 0
    page.locator("#forward").click()
    painted(page, 1)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="The last image is compared").wait_for()
    until(lambda: here.stored == {"id0": {}, "id1": {}})


def test_the_reference_takes_no_marks(page: Any, room: Rooms) -> None:
    here = room(count=1, panes=2, reference=1)
    enter(page, here)
    painted(page, 0)
    box = page.locator(".pane").nth(1).bounding_box()
    page.locator('[data-shape="point"]').click()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_timeout(200)
    assert not here.marks


def test_practice_shows_the_grade_and_waits(page: Any, room: Rooms) -> None:
    here = room(count=3, mode="practice", labels=[])
    enter(page, here)
    for number in range(3):
        painted(page, number)
        page.keyboard.press("4")
        words = f"This image was made as an example of {1 + number}."
        until(lambda words=words: words in page.locator("#notice").inner_text())
        assert page.evaluate("() => document.body.dataset.painted") == f"id{number}"
        page.keyboard.press("Enter")
    page.get_by_role("heading", name="That was the practice").wait_for()
    until(lambda: len(here.stored) == 3)
    assert page.locator("#marks").is_hidden()


def test_the_end_of_the_scores_leads_to_the_comparison(page: Any, room: Rooms) -> None:
    here = room(count=1, fidelity=2, criteria=[OVERALL, NOISE])
    enter(page, here)
    painted(page, 0)
    for key in ("3", "4", "Enter"):
        page.keyboard.press(key)
    page.get_by_text("2 of these images are shown again beside their references").wait_for()
    button = page.get_by_role("button", name="Compare with the reference")
    until(button.is_enabled)
    assert page.locator("#finish-link").is_hidden()


def test_the_magnifier_shows_the_place_under_the_cursor(page: Any, room: Rooms) -> None:
    here = room(count=2, display={"renderer": "canvas"})
    enter(page, here)
    painted(page, 0)
    box = page.locator(".pane").bounding_box()
    page.mouse.move(box["x"] + 300, box["y"] + 250)
    page.keyboard.press("m")
    lens = page.locator(".lens")
    lens.wait_for()
    page.mouse.move(box["x"] + 310, box["y"] + 260)
    place = lens.bounding_box()
    assert place["x"] + place["width"] / 2 == pytest.approx(box["x"] + 310, abs=1)
    first = lens.screenshot()
    page.mouse.move(box["x"] + 420, box["y"] + 330)
    assert lens.screenshot() != first
    page.keyboard.press("m")
    assert lens.count() == 0
    page.keyboard.press("m")
    page.keyboard.press("4")
    painted(page, 1)
    assert lens.count() == 0, "the next image starts without it"


def test_the_time_in_each_setting_is_stored_with_the_score(page: Any, room: Rooms) -> None:
    here = room(count=1)
    enter(page, here)
    painted(page, 0)
    page.wait_for_timeout(300)
    page.keyboard.press("Alt+Digit2")
    page.wait_for_timeout(400)
    page.keyboard.press("2")
    until(lambda: here.keys)
    body = next(iter(here.keys.values()))
    settings = body["viewport"]["settings"]
    assert [(s["center"], s["width"]) for s in settings] == [(40, 400), (-600, 1500)]
    assert sum(s["ms"] for s in settings) == pytest.approx(body["elapsed_ms"], abs=60)
    assert settings[0]["ms"] >= 250 and settings[1]["ms"] >= 350


def test_a_break_is_suggested_once(page: Any, room: Rooms) -> None:
    here = room(count=4, display={"break_after_minutes": 0.01, "too_fast_ms": 0})
    enter(page, here)
    painted(page, 0)
    page.wait_for_timeout(700)
    page.keyboard.press("3")
    painted(page, 1)
    until(lambda: "a short break helps" in page.locator("#notice").inner_text())
    page.keyboard.press("3")
    painted(page, 2)
    until(lambda: page.locator("#notice").is_hidden())
