"""Marks by mouse: changed, undone, on their pane and frame, measured; every change is reported."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.browser.viewer.fake_room import slice_of
from tests.browser.viewer.marks_bench import NEW, TWO, Bench, near

pytestmark = pytest.mark.browser


def test_fidelity_marks_ask_for_confidence_and_consequence(bench: Callable[..., Bench]) -> None:
    here = bench(labels=["lost structure", "invented structure"], fidelity=True)
    drawn = here.draw("Ellipse", *TWO)
    assert (drawn["label"], drawn["confidence"], drawn["consequence"]) == ("lost structure", 3, "none")
    assert here.page.evaluate("() => document.activeElement.id") == "mark-label"
    here.page.locator("#mark-confidence").select_option("5")
    here.page.locator("#mark-consequence").select_option("could change the report")
    last = here.calls()[-1]
    assert (last["confidence"], last["consequence"], last["revision"]) == (5, "could change the report", 3)


def test_move_resize_delete_undo_redo(bench: Callable[..., Bench]) -> None:
    here = bench()
    first = here.draw("Rectangle", (30, 20), (70, 60))
    here.drag((50, 20), (60, 25))
    here.drag((80, 25), (90, 15))
    here.page.locator("#mark-delete").click()
    assert here.marks() == [] and not here.page.locator("#mark-editor").is_visible()
    undo, redo = here.page.locator("#mark-undo"), here.page.locator("#mark-redo")
    for button in (undo, undo, undo, undo, undo, redo, redo):
        button.click()
    calls = here.calls()
    boxes = [((30, 20), (70, 60)), ((40, 25), (80, 65)), ((40, 15), (90, 65)), ((40, 15), (90, 65))]
    boxes += [boxes[2], boxes[1], boxes[0], boxes[0], boxes[0], boxes[1]]
    assert all(near(call["points"], box, 0.6) for call, box in zip(calls, boxes, strict=True))
    assert [call["deleted"] for call in calls] == [False, False, False, True, False, False, False, True, False, False]
    assert [call["revision"] for call in calls] == list(range(1, 11))
    assert {call["id"] for call in calls} == {first["id"]} and here.marks() == [calls[-1]]


def test_a_click_selects_without_a_change(bench: Callable[..., Bench]) -> None:
    here = bench()
    here.draw("Rectangle", (30, 20), (70, 60))
    here.drag((100, 80))
    assert not here.page.locator("#mark-editor").is_visible()
    here.drag((50.2, 20))
    assert here.page.locator("#mark-title").text_content() == "Rectangle, artefact, mark 1 of 1"
    sizes = here.page.locator(".mark[aria-pressed=true] .mark-handle").evaluate_all(
        "(all) => all.map((one) => 2 * one.getAttribute('r') + parseFloat(getComputedStyle(one).strokeWidth))"
    )
    assert len(sizes) == 4 and min(sizes) >= 10 and len(here.calls()) == 1


def test_the_viewer_keeps_its_gestures(bench: Callable[..., Bench]) -> None:
    here = bench()
    here.drag((60, 40), (70, 45))
    window = here.state()
    assert window["width"] != 400
    here.page.get_by_role("button", name="Ellipse", exact=True).click()
    here.drag((60, 40), (70, 45), button="right")
    panned = here.state()
    assert panned["pan"] != [0, 0] and panned["width"] == window["width"] and here.calls() == []
    here.page.mouse.wheel(0, -100)
    assert here.state()["zoom"] > panned["zoom"]
    here.page.keyboard.down("Shift")
    here.drag((60, 40), (65, 40))
    here.page.keyboard.up("Shift")
    assert here.state()["pan"] != panned["pan"] and here.calls() == []
    zoomed = here.state()["zoom"]
    here.drag((60, 40), (70, 45))
    assert len(here.calls()) == 1
    here.page.mouse.dblclick(*here.where((65, 40)))
    assert here.state()["zoom"] == zoomed and len(here.calls()) == 1
    here.page.mouse.dblclick(*here.where((65, 60)))
    assert here.state()["zoom"] != zoomed, "beside the mark a double click fits the view"


def test_two_panes_and_frames(bench: Callable[..., Bench]) -> None:
    here = bench(panes=2, frames=3)
    right = here.draw("Ellipse", *TWO, pane=1)
    assert right["pane"] == 1 and near(right["points"], TWO)
    assert here.page.locator(".pane").nth(1).locator(".mark").count() == 1 and here.page.locator(".mark").count() == 1
    here.page.evaluate("() => stage.scroll(1)")
    assert here.page.locator(".mark").count() == 0 and not here.page.locator("#mark-editor").is_visible()
    assert here.draw("Point", (50, 50))["frame"] == 1
    assert here.mark("Point, artefact, mark 2 of 2").count() == 1
    here.page.evaluate("() => stage.scroll(-1)")
    assert here.mark("Ellipse, artefact, mark 1 of 2").count() == 1 and here.page.locator(".mark").count() == 1


def test_read_only_marks_are_seen_but_not_changed(bench: Callable[..., Bench]) -> None:
    mark = NEW | {"id": "m", "shape": "rectangle", "points": [[30, 20], [70, 60]], "comment": "seen"}
    here = bench(marks=[mark, mark | {"id": "n", "deleted": True}])
    here.page.evaluate("() => { board.readOnly = true; }")
    here.drag((50, 20), (60, 30))
    comment = here.page.locator("#mark-comment")
    assert comment.input_value() == "seen" and comment.is_disabled()
    for key in ("Delete", "ArrowDown", "e", "Control+z"):
        here.page.keyboard.press(key)
    assert here.calls() == [] and here.marks() == [mark] and "Delete" in here.page.evaluate("() => unused")
    assert here.page.get_by_role("button", name="Ellipse", exact=True).is_disabled()
    here.page.evaluate("() => { board.readOnly = false; }")
    here.drag((50, 20), (60, 30))
    assert here.calls()[0]["revision"] == 2


@pytest.mark.parametrize("shape", ["Rectangle", "Ellipse", "Freehand"])
def test_statistics_equal_numpy_and_only_where_allowed(bench: Callable[..., Bench], shape: str) -> None:
    ends = [(30.3, 20.4), (60.2, 50.7)]
    assert bench().draw(shape, *ends) and bench().words() == ""
    here = bench(pixelStatistics=True, slope=2, intercept=-1000)
    (left, top), (right, bottom) = np.array(here.draw(shape, *ends)["points"])[[0, -1]]
    y, x = np.mgrid[0.5:96, 0.5:128]
    inside = (x > left) & (x < right) & (y > top) & (y < bottom)
    if shape == "Ellipse":
        u, v = (x - (left + right) / 2) / ((right - left) / 2), (y - (top + bottom) / 2) / ((bottom - top) / 2)
        inside = u**2 + v**2 <= 1
    values = 2.0 * slice_of(0)[inside] - 1000
    expected = "" if shape == "Freehand" else f"mean {values.mean():.4g}, SD {values.std():.4g}"
    assert here.words() == expected


def test_drawing_over_words_is_not_a_drag_of_text(bench: Callable[..., Bench]) -> None:
    here = bench(pixelStatistics=True)
    for shape in ("Rectangle", "Ellipse", "Arrow", "Line", "Freehand"):
        here.draw(shape, (15, 15), (70, 40), (60, 60))
    assert len(here.marks()) == 5


def test_a_new_presentation_starts_empty_and_clear_takes_everything_away(bench: Callable[..., Bench]) -> None:
    here = bench()
    here.draw("Line", *TWO)
    here.page.evaluate("() => { board.start(item, []); board.undo(); }")
    assert here.marks() == [] and here.page.locator(".mark").count() == 0 and len(here.calls()) == 1
    here.draw("Line", *TWO)
    here.page.evaluate("() => { board.clear(); stage.blank(); }")
    here.page.keyboard.press("e")
    assert here.page.locator(".mark").count() == 0 and len(here.calls()) == 2
    assert here.page.get_by_role("button", name="Ellipse", exact=True).is_disabled()
