"""Marks without a mouse: every shape, selection, moves, editing, undo, on any layout; the room keeps its own keys."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.browser.viewer.marks_bench import NEW, Bench

pytestmark = pytest.mark.browser
MIDDLE = (64.5, 48.5)


def press(here: Bench, *keys: str) -> None:
    for key in keys:
        here.page.keyboard.press(key)


def focused(here: Bench) -> str:
    return str(here.page.evaluate("() => document.activeElement.ariaLabel ?? document.activeElement.id"))


def pressed(here: Bench, key: str, code: str) -> None:
    """A key of a layout that the test machine does not have."""
    event = {"key": key, "code": code, "bubbles": True, "cancelable": True}
    here.page.evaluate("(event) => document.body.dispatchEvent(new KeyboardEvent('keydown', event))", event)


FIRST = [*["ArrowLeft"] * 4, "Shift+ArrowUp", "Enter"]
SECOND = [*["Shift+ArrowRight"] * 2, *["ArrowDown"] * 5, "Space"]
ENDS = [[60.5, 38.5], [80.5, 43.5]]


@pytest.mark.parametrize(("key", "shape"), [("a", "arrow"), ("l", "line"), ("b", "rectangle"), ("e", "ellipse")])
def test_two_points_are_set_with_the_cross(bench: Callable[..., Bench], key: str, shape: str) -> None:
    here = bench()
    press(here, key)
    assert here.status().startswith(f"{shape.capitalize()}: drag or click")
    press(here, *FIRST)
    assert here.status() == "Point 1 set" and here.page.evaluate("() => board.busy")
    press(here, *SECOND)
    (drawn,) = here.calls()
    assert drawn == NEW | {"id": drawn["id"], "shape": shape, "points": ENDS}
    assert here.status() == f"{shape.capitalize()} drawn, label artefact"
    assert focused(here) == f"{shape.capitalize()}, artefact, mark 1 of 1"
    assert not here.page.evaluate("() => board.busy")


def test_point_and_freehand(bench: Callable[..., Bench]) -> None:
    here = bench()
    press(here, "p", "ArrowUp", "Enter")
    assert here.calls()[-1]["points"] == [[64.5, 47.5]]
    press(here, "d", "Enter", "Shift+ArrowRight", "Enter", "Shift+ArrowDown", "Enter", "Enter")
    line = [[64.5, 48.5], [74.5, 48.5], [74.5, 58.5]]
    assert here.calls()[-1]["points"] == line
    press(here, "d", "Enter", "Shift+ArrowRight", "Enter", "ArrowUp", "Escape")
    assert here.calls()[-1]["points"] == line[:2], "Escape ends the line at its last set point"
    press(here, "d", "Enter", "Escape")
    assert len(here.calls()) == 3 and not here.page.evaluate("() => board.busy")


def test_escape_leaves_tool_then_mark_then_goes_to_the_room(bench: Callable[..., Bench]) -> None:
    here = bench()
    press(here, "e", *FIRST, "Escape")
    assert here.calls() == [] and here.page.locator(".mark").count() == 0
    press(here, "p", "Enter")
    assert here.page.locator("#mark-editor").is_visible()
    press(here, "Escape")
    assert not here.page.locator("#mark-editor").is_visible() and here.page.evaluate("() => unused") == ["Shift"]
    press(here, "Escape", "3", "Backspace", "ArrowLeft", "Enter", "i")
    assert here.page.evaluate("() => unused")[1:] == ["Escape", "3", "Backspace", "ArrowLeft", "Enter", "i"]


def test_tab_selects_arrows_move_and_delete_deletes(bench: Callable[..., Bench]) -> None:
    marks = [
        NEW | {"id": f"m{n}", "shape": "rectangle", "points": [[10 * n + 0.5, 20], [10 * n + 9.25, 30]]}
        for n in range(1, 4)
    ]
    here = bench(marks=marks)
    here.page.locator(".pane").focus()
    press(here, "Tab", "Tab")
    assert focused(here) == "Rectangle, artefact, mark 2 of 3"
    assert here.page.locator("#mark-title").text_content() == focused(here)
    press(here, "ArrowRight", "Shift+ArrowDown", "Alt+ArrowLeft", "Alt+Shift+ArrowDown")
    assert [call["points"] for call in here.calls()] == [
        [[21.5, 20], [30.25, 30]],
        [[21.5, 30], [30.25, 40]],
        [[21.5, 30], [29.25, 40]],
        [[21.5, 30], [29.25, 50]],
    ]
    assert [call["revision"] for call in here.calls()] == [2, 3, 4, 5]
    for _ in range(5):
        here.page.keyboard.down("ArrowLeft")
    assert len(here.calls()) == 4 and here.page.evaluate("() => board.busy")
    here.page.keyboard.up("ArrowLeft")
    assert here.calls()[-1]["points"][0][0] == 16.5 and len(here.calls()) == 5, "a held key is one change"
    press(here, "Tab", "Backspace")
    assert here.calls()[-1] == marks[2] | {"deleted": True, "revision": 2}
    assert here.status() == "Rectangle deleted" and focused(here) == "Image 1"
    press(here, "Control+z", "Control+z", "Control+Shift+z", "Control+y", "Control+y")
    assert [(call["id"], call["deleted"], call["revision"]) for call in here.calls()[6:]] == [
        ("m3", False, 3), ("m2", False, 7), ("m2", False, 8), ("m3", True, 4)
    ]  # fmt: skip
    assert here.status() == "Done again" and here.page.evaluate("() => unused").count("Tab") == 3


def test_undo_of_a_creation_is_a_deletion(bench: Callable[..., Bench]) -> None:
    here = bench()
    press(here, "p", "Enter", "Control+z")
    assert here.page.locator(".mark").count() == 0 and here.marks() == []
    press(here, "Control+y")
    created, undone, redone = here.calls()
    assert undone == created | {"deleted": True, "revision": 2} and redone == created | {"revision": 3}


def test_enter_edits_and_fields_keep_their_keys(bench: Callable[..., Bench]) -> None:
    here = bench()
    press(here, "l", *FIRST, *SECOND, "Enter")
    assert focused(here) == "mark-label"
    press(here, "Tab")
    here.page.keyboard.type("pale edge, p a l 3")
    press(here, "Control+a", "Backspace")
    here.page.keyboard.type("blurred")
    press(here, "Escape")
    assert focused(here) == "Line, artefact, mark 1 of 1"
    assert [(call["comment"], call["revision"]) for call in here.calls()] == [("", 1), ("blurred", 2)]
    press(here, "Escape")
    here.page.locator("#mark-next").focus()
    press(here, "Escape")
    assert focused(here) == "Image 1"


def test_letters_work_where_the_layout_has_no_latin_ones(bench: Callable[..., Bench]) -> None:
    here = bench()
    for key, code, shape in (("у", "KeyE", "Ellipse"), ("l", "KeyP", "Line"), ("P", "KeyR", "Point")):
        pressed(here, key, code)
        assert here.page.locator('[data-shape][aria-pressed="true"]').get_attribute("title") == shape
    pressed(here, "ß", "Minus")
    here.page.keyboard.press("Control+e")
    assert here.page.evaluate("() => unused") == ["ß", "Control", "e"]


def test_two_panes_each_have_their_cross_and_a_zoomed_view_follows_it(bench: Callable[..., Bench]) -> None:
    here = bench(panes=2)
    here.page.locator(".pane").nth(1).focus()
    press(here, "p", "Enter")
    assert here.calls()[-1]["pane"] == 1 and tuple(here.calls()[-1]["points"][0]) == MIDDLE
    here.page.locator(".pane").nth(0).focus()
    here.page.evaluate("() => stage.viewers[0].view({zoom: 30, pan: [0, 0]})")
    press(here, "p", *["Shift+ArrowRight"] * 4, "Enter")
    drawn = here.calls()[-1]
    assert drawn["pane"] == 0 and drawn["points"] == [[104.5, 48.5]]
    x, _ = here.where((104.5, 48.5))
    box = here.page.locator(".pane").nth(0).bounding_box()
    assert box["x"] <= x <= box["x"] + box["width"]


def test_an_open_dialog_keeps_its_keys(bench: Callable[..., Bench]) -> None:
    here = bench()
    here.page.evaluate("() => document.body.appendChild(document.createElement('dialog')).showModal()")
    press(here, "e", "Escape")
    assert here.page.locator('[data-shape][aria-pressed="true"]').count() == 0
