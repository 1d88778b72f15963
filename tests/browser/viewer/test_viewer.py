"""The viewer alone: right pixels by both renderers, and window, zoom and pan that go where the hand goes."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.browser.viewer.fake_room import FakeRoom, slice_of

pytestmark = pytest.mark.browser
Rooms = Callable[..., FakeRoom]

SETUP = """async ([encoded, meta, options, size]) => {
  const { createViewer } = await import("/static/readerstudy/js/viewer/viewer.js");
  const box = document.createElement("div");
  const [width, height] = size.map((length) => length + "px");
  Object.assign(box.style, { position: "fixed", left: "20px", top: "10px", width, height });
  document.body.replaceChildren(box);
  const viewer = createViewer(box, options);
  const bytes = Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0));
  const start = { center: 40, width: 400 };
  viewer.load(bytes, { key: "a", intercept: -1024, slope: 1, spacing: null, window: start, ...meta });
  await new Promise((resolve) => { viewer.on("painted", resolve); viewer.show("a"); });
  window.viewer = viewer;
}"""
GREYS = """() => {
  const pixels = viewer.pixels(), { width } = viewer.state().size, greys = [];
  for (let i = 0; i < pixels.length; i += 4) greys.push(pixels[i]);
  return [width, greys];
}"""


def show(
    page: Any, room: FakeRoom, image: np.ndarray, size: tuple[int, int] = (300, 220), meta: Any = None, **options: Any
) -> None:
    page.goto(f"{room.url}/blank/")
    shape = {"rows": image.shape[0], "columns": image.shape[1]}
    page.evaluate(SETUP, [base64.b64encode(image.tobytes()).decode(), shape | (meta or {}), options, size])


def greys(page: Any) -> np.ndarray:
    width, values = page.evaluate(GREYS)
    return np.array(values, np.uint8).reshape(-1, width)


def state(page: Any) -> dict[str, Any]:
    return dict(page.evaluate("() => viewer.state()"))


VIEWS = {
    "fit": "() => viewer.fit()",
    "enlarged": "() => viewer.view({zoom: 3.7, pan: [11.3, -7.9]})",
    "reduced": "() => viewer.view({zoom: 0.83, pan: [0.2, 0.4]})",
    "inverted narrow": "() => { viewer.setWindow(35, 60); viewer.invert(); }",
}


@pytest.mark.parametrize("interpolation", ["smooth", "nearest"])
@pytest.mark.parametrize("view", VIEWS)
def test_both_renderers_agree_within_one_grey_level(page: Any, room: Rooms, view: str, interpolation: str) -> None:
    here, seen = room(), []
    for renderer in ("webgl", "canvas"):
        show(page, here, slice_of(1), renderer=renderer, interpolation=interpolation, meta={"spacing": [0.9, 0.7]})
        page.evaluate(VIEWS[view])
        assert state(page)["renderer"] == renderer
        seen.append(greys(page).astype(int))
    assert np.ptp(seen[0]) > 150
    assert np.abs(seen[0] - seen[1]).max() <= 1


@pytest.mark.parametrize("renderer", ["webgl", "canvas"])
def test_one_to_one_is_exact_to_the_pixel(page: Any, room: Rooms, renderer: str) -> None:
    image = slice_of(2, 95, 127)
    show(page, room(), image, renderer=renderer)
    page.evaluate("() => viewer.oneToOne()")
    seen = greys(page)
    corner = page.evaluate("() => { const p = viewer.pick(0.5, 0.5); return [p.x, p.y]; }")
    left, top = round(0.5 - corner[0]), round(0.5 - corner[1])
    expected = np.floor(np.clip((image.astype(float) - 1024 - 40) / 400 + 0.5, 0, 1) * 255 + 0.5)
    assert np.abs(seen[top : top + 95, left : left + 127] - expected).max() <= 1
    assert seen[:top].max() == 0 and seen[:, :left].max() == 0 and seen[top + 95 :].max() == 0


def test_zoom_holds_the_point_under_the_cursor(page: Any, room: Rooms) -> None:
    show(page, room(), slice_of(1))
    page.mouse.move(20 + 210, 10 + 60)
    before = page.evaluate("() => viewer.pick(210, 60)")
    for turn in (-300, -200, 150):
        page.mouse.wheel(0, turn)
    page.evaluate("() => viewer.zoomBy(1.2)")
    page.wait_for_timeout(100)
    after = page.evaluate("() => viewer.pick(210, 60)")
    assert state(page)["zoom"] > 1.5 * min(300 / 128, 220 / 96)
    assert after["x"] == pytest.approx(before["x"], abs=1e-9) and after["y"] == pytest.approx(before["y"], abs=1e-9)


def test_drags_set_window_and_pan_and_double_click_fits(page: Any, room: Rooms) -> None:
    show(page, room(), slice_of(1))
    fitted = state(page)
    drag(page, (150, 100), (182, 116))
    moved = state(page)
    assert moved["width"] == pytest.approx(400 + 32 * 400 / 320) and moved["center"] == pytest.approx(
        40 + 16 * 400 / 320
    )
    assert moved["pan"] == [0, 0]
    under = page.evaluate("() => viewer.pick(150, 100)")
    drag(page, (150, 100), (170, 90), button="right")
    there = page.evaluate("() => viewer.pick(170, 90)")
    assert (there["x"], there["y"]) == (pytest.approx(under["x"]), pytest.approx(under["y"]))
    assert state(page)["width"] == moved["width"]
    page.mouse.dblclick(170, 110)
    assert state(page)["pan"] == [0, 0] and state(page)["zoom"] == pytest.approx(fitted["zoom"])
    page.evaluate("() => viewer.reset()")
    assert (state(page)["center"], state(page)["width"]) == (40, 400)


def drag(page: Any, start: tuple[int, int], end: tuple[int, int], button: str = "left") -> None:
    page.mouse.move(20 + start[0], 10 + start[1])
    page.mouse.down(button=button)
    page.mouse.move(20 + (start[0] + end[0]) // 2, 10 + (start[1] + end[1]) // 2)
    page.mouse.move(20 + end[0], 10 + end[1])
    page.mouse.up(button=button)


def test_fixed_window_and_zoom_stay(page: Any, room: Rooms) -> None:
    show(page, room(), slice_of(1), fixedWindow=True, fixedZoom=True)
    before = state(page)
    drag(page, (100, 100), (160, 140))
    page.mouse.wheel(0, -300)
    page.evaluate("() => { viewer.setWindow(0, 10); viewer.invert(); viewer.oneToOne(); viewer.panBy(9, 9); }")
    assert state(page) == before


def test_short_frames_are_refused(page: Any, room: Rooms) -> None:
    from playwright.sync_api import Error

    with pytest.raises(Error, match=r"The image has 24576 bytes instead of 24832; load it again\."):
        show(page, room(), slice_of(1), meta={"rows": 97})


def test_a_lost_graphics_context_falls_back_to_canvas(page: Any, room: Rooms) -> None:
    show(page, room(), slice_of(1), renderer="webgl")
    before = greys(page)
    lose = "document.querySelector('canvas').getContext('webgl2').getExtension('WEBGL_lose_context').loseContext()"
    page.evaluate(f"() => new Promise((done) => {{ viewer.on('renderer', done); {lose}; }})")
    assert state(page)["renderer"] == "canvas"
    assert np.abs(before.astype(int) - greys(page)).max() <= 1


def test_high_density_screens_get_their_own_pixels(browser: Any, room: Rooms) -> None:
    context = browser.new_context(viewport={"width": 800, "height": 600}, device_scale_factor=2)
    page = context.new_page()
    show(page, room(), slice_of(1))
    page.wait_for_timeout(100)
    assert state(page)["size"] == {"width": 600, "height": 440}
    middle = page.evaluate("() => viewer.pick(150, 110)")
    assert (middle["x"], middle["y"]) == (pytest.approx(64), pytest.approx(48))
    context.close()
