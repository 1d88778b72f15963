"""A stage with a board on it, and the steps of a reader who draws."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import numpy as np
from django.template.loader import render_to_string

from tests.browser.viewer.fake_room import FakeRoom, slice_of

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
SHEETS = [f"/static/readerstudy/css/{name}.css" for name in ("base", "controls", "reading", "room", "stage", "marks")]
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
TWO = [(30.25, 20.5), (70.75, 61.0)]


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


def near(points: Any, expected: Any, within: float = 0.5) -> bool:
    return np.shape(points) == np.shape(expected) and bool(np.abs(np.subtract(points, expected)).max() <= within)
