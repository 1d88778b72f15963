"""Marks by mouse: what is drawn is what is kept, at every zoom, on its pane and frame, and every change is reported."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from django.template.loader import render_to_string

from tests.browser.viewer.fake_room import FakeRoom, slice_of

pytestmark = pytest.mark.browser
Rooms = Callable[..., FakeRoom]

SETUP = """async ([markup, sheets, panes, item, options, marks]) => {
  for (const href of sheets) {
    const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href });
    document.head.append(link);
    await new Promise((resolve) => link.addEventListener("load", resolve));
  }
  document.body.className = "reading room";
  document.body.replaceChildren(...new DOMParser().parseFromString(markup, "text/html").body.childNodes);
  const { Stage } = await import("/static/readerstudy/js/reading/stage.js");
  const { Board } = await import("/static/readerstudy/js/marks/board.js");
  const stage = new Stage(document.querySelector("#stage"), {}, () => {}, (index) => board.frameShown(index));
  const bytes = (encoded) => Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0)).buffer;
  const calls = [], unused = [];
  const board = new Board(stage, { ...options, changed: (mark) => calls.push(mark) });
  await stage.show(item, panes.map((frames) => frames.map(bytes)), "Image 1");
  board.start(item, marks);
  document.addEventListener("keydown", ({ key, defaultPrevented }) => defaultPrevented || unused.push(key));
  Object.assign(window, { stage, board, calls, unused, item });
}"""
PAGE = """<header class="room-bar">Reading</header><main class="room-main"><div id="stage" class="stage"></div>
<aside id="panel" class="panel"><button id="elsewhere">Elsewhere</button>{}<div id="window-tools">Window</div>
<div id="zoom-tools">View</div></aside></main><footer class="room-foot">Foot</footer>{}"""
SHEETS = [f"/static/readerstudy/css/{name}.css" for name in ("base", "controls", "reading", "room", "marks")]
WHERE = """([x, y, pane]) => {
  const box = document.querySelectorAll("#stage .pane")[pane].getBoundingClientRect();
  const at = stage.viewers[pane].locate(x, y);
  return [box.left + at.x, box.top + at.y];
}"""
ITEM = {"id": "id0", "rows": 96, "columns": 128, "spacing": [0.9, 0.7], "modality": "CT", "slope": 1,
        "intercept": -1024, "window": {"center": 40, "width": 400}, "inverted": False}  # fmt: skip
NEW = {"pane": 0, "frame": 0, "label": "artefact", "comment": "", "confidence": None, "consequence": "",
       "deleted": False, "revision": 1}  # fmt: skip
Point = tuple[float, float]


class Bench:
    """A stage with a board on it, and the steps of a reader."""

    def __init__(self, page: Any, room: FakeRoom, panes: int = 1, frames: int = 1, marks: Any = (), **given: Any):
        self.page = page
        self.item = ITEM | {key: given.pop(key) for key in list(given) if key in ITEM}
        self.item["panes"] = [[{"url": "", "offset": frame} for frame in range(frames)] for _ in range(panes)]
        images = [[slice_of(10 * pane + frame).tobytes() for frame in range(frames)] for pane in range(panes)]
        pixels = [[base64.b64encode(image).decode() for image in stack] for stack in images]
        labels = ["artefact", "noise", "blur", "finding"]
        options = {"labels": labels, "fidelity": False, "pixelStatistics": False} | given
        page.goto(f"{room.url}/blank/")
        markup = PAGE.format(render_to_string("reading/_marks.html"), render_to_string("reading/_texts.html"))
        page.evaluate(SETUP, [markup, SHEETS, pixels, self.item, options, list(marks)])

    def where(self, point: Point, pane: int = 0) -> Point:
        x, y = self.page.evaluate(WHERE, [*point, pane])
        return x, y

    def drag(self, *points: Point, pane: int = 0, button: str = "left", steps: int = 3) -> None:
        mouse, places = self.page.mouse, [self.where(point, pane) for point in points]
        mouse.move(*places[0])
        mouse.down(button=button)
        for place in places[1:]:
            mouse.move(*place, steps=steps)
        mouse.up(button=button)

    def draw(self, shape: str, *points: Point, pane: int = 0, steps: int = 3) -> dict[str, Any]:
        """The change that the drawing made."""
        self.page.get_by_role("button", name=shape, exact=True).click()
        self.drag(*points, pane=pane, steps=steps)
        return self.calls()[-1]

    def calls(self) -> list[dict[str, Any]]:
        return list(self.page.evaluate("() => calls"))

    def marks(self) -> list[dict[str, Any]]:
        return list(self.page.evaluate("() => board.marks"))

    def state(self, pane: int = 0) -> dict[str, Any]:
        return dict(self.page.evaluate("(pane) => stage.viewers[pane].state()", pane))

    def status(self) -> str:
        return str(self.page.locator("#mark-status").text_content())

    def words(self) -> str:
        return str(self.page.locator("#mark-words").text_content())

    def mark(self, name: str) -> Any:
        return self.page.get_by_role("button", name=name)


@pytest.fixture
def bench(page: Any, room: Rooms) -> Callable[..., Bench]:
    return lambda **settings: Bench(page, room(), **settings)


def near(points: Any, expected: Any, within: float = 0.5) -> bool:
    return np.shape(points) == np.shape(expected) and bool(np.abs(np.subtract(points, expected)).max() <= within)


TWO = [(30.25, 20.5), (70.75, 61.0)]


@pytest.mark.parametrize("shape", ["Arrow", "Line", "Rectangle", "Ellipse"])
def test_two_points_make_a_shape_by_drag_or_by_two_clicks(bench: Callable[..., Bench], shape: str) -> None:
    here = bench()
    drawn = here.draw(shape, *TWO)
    assert near(drawn["points"], TWO) and drawn["shape"] == shape.lower()
    assert {key: drawn[key] for key in NEW} == NEW
    assert here.status() == f"{shape} drawn, label artefact"
    here.page.get_by_role("button", name=shape, exact=True).click()
    here.drag(TWO[1])
    assert here.page.evaluate("() => board.busy")
    here.drag(TWO[0])
    assert not here.page.evaluate("() => board.busy")
    assert near(here.calls()[1]["points"], TWO[::-1]) and len(here.calls()) == 2
    assert here.mark(f"{shape}, artefact, mark 2 of 2").evaluate("(mark) => mark === document.activeElement")
    assert here.state()["width"] == 400, "the window stays while a mark is drawn"


def test_point_and_freehand(bench: Callable[..., Bench]) -> None:
    here = bench()
    assert near(here.draw("Point", (40.5, 30.5))["points"], [(40.5, 30.5)])
    way: list[Point] = [(20.0, 20.0), (60.0, 30.0), (50.0, 70.0)]
    drawn = here.draw("Freehand", *way)["points"]
    assert near(drawn[0], way[0]) and near(drawn[-1], way[-1]) and 5 <= len(drawn) <= 20
    assert near(min(drawn, key=lambda point: np.hypot(*np.subtract(point, way[1]))), way[1])
    here.page.get_by_role("button", name="Freehand", exact=True).click()
    for point in (*way, way[-1]):
        here.drag(point)
    assert near(here.calls()[-1]["points"], way), "clicks set its corners, one more at the last ends it"


def test_a_long_freehand_line_is_thinned(bench: Callable[..., Bench]) -> None:
    here = bench()
    way = [(float(20 + 80 * (turn % 2)), 20.0 + 4 * turn) for turn in range(12)]
    points = here.draw("Freehand", *way, steps=55)["points"]
    assert 200 < len(points) <= 500 and near(points[0], way[0]) and near(points[-1], way[-1])
    assert all(np.hypot(*np.subtract(points, corner).T).min() < 4 for corner in way)


@pytest.mark.parametrize("view", ["{zoom: 11.7, pan: [6.3, -4.9]}", "{zoom: 2.3, pan: [-20.1, 9.7]}"])
def test_places_stay_exact_under_zoom_pan_resize_and_reload(bench: Callable[..., Bench], view: str) -> None:
    here = bench()
    here.page.evaluate(f"() => stage.viewers[0].view({view})")
    ends = [(60.25, 40.75), (75.5, 52.125)]
    drawn = here.draw("Line", *ends)
    assert near(drawn["points"], ends)
    here.page.mouse.wheel(0, -200)
    here.page.set_viewport_size({"width": 1200, "height": 700})
    here.page.wait_for_timeout(100)
    again = bench(marks=[drawn])
    assert again.marks() == [drawn]
    for change in ("fit()", f"view({view})", "panBy(17, -11)"):
        here.page.evaluate(f"() => stage.viewers[0].{change}")
        path = again.mark("Line, artefact, mark 1 of 1").locator(".mark-line")
        seen = path.evaluate("""(line) => {
          const to = line.getScreenCTM(), end = (at) => line.getPointAtLength(at).matrixTransform(to);
          return [end(0), end(line.getTotalLength())].map(({ x, y }) => [x, y]);
        }""")
        assert near(seen, [here.where(point) for point in drawn["points"]], 0.1)


def test_nothing_leaves_the_image(bench: Callable[..., Bench]) -> None:
    here = bench(spacing=[1, 1])
    here.page.evaluate("() => stage.viewers[0].view({zoom: 3, pan: [0, 0]})")
    assert here.draw("Rectangle", (100, 80), (140, 99))["points"][1] == [128, 96]
    here.drag((110, 80), (60, 10))
    assert near(here.calls()[-1]["points"], [(50, 10), (78, 26)], 0.6)
    here.drag((60, 10.2), (60, -40))
    assert here.calls()[-1]["points"][0][1] == 0


def test_labels_lengths_and_fields(bench: Callable[..., Bench]) -> None:
    here = bench()
    here.page.locator("#mark-next").select_option("blur")
    assert here.draw("Line", (20, 20), (60, 50))["label"] == "blur"
    (x, y), (to_x, to_y) = here.calls()[-1]["points"]
    assert here.words() == f"{np.hypot((to_x - x) * 0.7, (to_y - y) * 0.9):.1f} mm"
    here.page.locator("#mark-label").select_option("noise")
    here.page.locator("#mark-comment").fill("streaks")
    here.page.locator("#mark-comment").press("Escape")
    last = here.calls()[-1]
    assert [(call["label"], call["comment"], call["revision"]) for call in here.calls()] == [
        ("blur", "", 1), ("noise", "", 2), ("noise", "streaks", 3)
    ]  # fmt: skip
    assert here.mark("Line, noise, mark 1 of 1").evaluate("(mark) => mark === document.activeElement")
    assert here.draw("Arrow", (30, 60), (60, 20))["label"] == "blur", "the label is remembered"
    assert not here.page.locator("#mark-fidelity").is_visible() and last["confidence"] is None
    plain = bench(spacing=None)
    (x, y), (to_x, to_y) = plain.draw("Line", (20, 20), (60, 50))["points"]
    assert plain.words() == f"{np.hypot(to_x - x, to_y - y):.1f} px"


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
