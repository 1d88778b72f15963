"""Marks by mouse: what is drawn is what is kept, at every zoom."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.browser.viewer.marks_bench import NEW, TWO, Bench, Point, near

pytestmark = pytest.mark.browser


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
