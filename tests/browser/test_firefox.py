"""The main reading path on Firefox ESR: images, keys, marks, greys and the outbox, under the strict policy."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.browser.firefox import FIREFOX, Firefox, Tab, started
from tests.browser.test_reading_room import arrived, stored
from tests.browser.viewer.conftest import until
from tests.browser.viewer.fake_room import NOISE, OVERALL, FakeRoom, serving, slice_of
from tests.browser.viewer.test_viewer import GREYS, SETUP, Rooms
from tests.factories import PASSWORD, make_open

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not FIREFOX.exists(), reason="Debian's Firefox is not installed: apt-get install firefox-esr"),
]


@pytest.fixture(scope="module")
def firefox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    with started(tmp_path_factory.mktemp("firefox")) as running:
        yield running


@pytest.fixture
def tab(firefox: Firefox) -> Iterator[Tab]:
    """A tab in which no script may fail, nothing may be logged as an error and no policy be broken."""
    with firefox.tab() as made:
        yield made
        assert not made.complaints, "\n".join(made.complaints)


@pytest.fixture
def room() -> Iterator[Rooms]:
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(serving(FakeRoom(**settings)))


def painted(tab: Tab, presentation: str) -> None:
    tab.wait_for(f'body[data-painted="{presentation}"]')


def test_what_is_complained_of_is_heard(firefox: Firefox, room: Rooms) -> None:
    with firefox.tab() as tab:
        tab.open(f"{room(count=1).url}/blank/")
        tab.evaluate("() => document.body.setAttribute('style', 'color: red')")
        tab.evaluate("() => { setTimeout(() => { throw new Error('thrown'); }); console.error('logged'); }")
        until(lambda: len(tab.complaints) == 3)
        words = ("Content-Security-Policy: The page’s settings blocked an inline style", "thrown", "logged")
        assert all(any(word in text for text in tab.complaints) for word in words)


def test_digits_of_both_rows_to_the_end(tab: Tab, room: Rooms) -> None:
    here = room(count=4)
    tab.open(f"{here.url}/reading/T/")
    for number, key in enumerate(["3", "Numpad5", "1", "Numpad4"]):
        painted(tab, f"id{number}")
        tab.press(key)
    tab.wait_for("#finish:not([hidden])")
    until(lambda: len(here.stored) == 4)
    assert [here.stored[f"id{n}"]["overall"]["value"] for n in range(4)] == [3, 5, 1, 4]
    tab.wait_for('#finish-link[href="/reading/T/finish/"]')
    assert tab.text("#status") == "Saved"


def test_back_and_change(tab: Tab, room: Rooms) -> None:
    here = room(count=3, criteria=[OVERALL, NOISE])
    tab.open(f"{here.url}/reading/T/")
    painted(tab, "id0")
    tab.press("4", "2", "Enter")
    painted(tab, "id1")
    tab.press("Backspace")
    painted(tab, "id0")
    tab.wait_for('.score[data-value="4"][aria-pressed="true"]')
    tab.press("5", "Enter")
    painted(tab, "id1")
    until(lambda: here.stored.get("id0") == {"overall": {"value": 5}, "noise": {"value": 2}})
    tab.press("ArrowLeft")
    painted(tab, "id0")
    tab.press("n", *"motion", "Enter", "1", "Enter")
    painted(tab, "id1")
    until(lambda: here.stored["id0"] == {"overall": {"cannot_judge": "motion"}, "noise": {"value": 1}})


def test_marks_by_key_and_mouse(tab: Tab, room: Rooms) -> None:
    here = room(count=2)
    tab.open(f"{here.url}/reading/T/")
    painted(tab, "id0")
    pane = tab.box("#stage .pane")
    x, y = pane["x"] + pane["width"] / 2, pane["y"] + pane["height"] / 2
    tab.press("p")
    tab.drag((x, y))
    tab.click('[data-shape="ellipse"]')
    tab.drag((x - 120, y - 90), (x - 40, y - 60), (x + 60, y + 30))
    until(lambda: len(here.marks.get("id0", {})) == 2)
    point, ellipse = here.marks["id0"].values()
    assert point["shape"] == "point" and point["points"][0] == pytest.approx([64, 48], abs=0.6)
    assert ellipse["shape"] == "ellipse"
    scale = pane["width"] / 128
    (left, top), (right, bottom) = ellipse["points"]
    assert (right - left, bottom - top) == pytest.approx((180 / scale, 120 / scale), abs=0.6)
    assert tab.evaluate("() => document.querySelectorAll('#stage g.mark').length") == 2
    tab.press("Delete", "3")
    painted(tab, "id1")
    until(lambda: [mark["deleted"] for mark in here.marks["id0"].values()] == [False, True])


def greys(tab: Tab) -> np.ndarray:
    width, values = tab.evaluate(GREYS)
    return np.array(values, np.uint8).reshape(-1, width).astype(int)


@pytest.mark.parametrize("renderer", ["canvas", "auto"])
def test_the_greys_are_right_within_one_level(tab: Tab, room: Rooms, renderer: str) -> None:
    image = slice_of(2)
    tab.open(f"{room(count=1).url}/blank/")
    encoded, meta = base64.b64encode(image.tobytes()).decode(), {"rows": 96, "columns": 128}
    tab.evaluate(SETUP, [encoded, meta, {"renderer": renderer}, [300, 220]])
    tab.evaluate("() => viewer.view({zoom: 1, pan: [0, 0]})")
    expected = np.floor(np.clip((image.astype(float) - 1024 - 40) / 400 + 0.5, 0, 1) * 255 + 0.5)
    inside = np.s_[62 : 62 + 96, 86 : 86 + 128]
    assert np.abs(greys(tab)[inside] - expected).max() <= 1
    shown = np.asarray(Image.open(io.BytesIO(tab.screenshot("canvas"))).convert("RGB")).astype(int)
    assert np.abs(shown[inside] - expected[..., None]).max() <= 1, "the screen shows what the canvas holds"
    assert shown[:60].max() == 0


def test_every_third_answer_cut_loses_nothing(tab: Tab, room: Rooms) -> None:
    here = room(count=10, cut_every=3)
    tab.open(f"{here.url}/reading/T/")
    for number in range(10):
        painted(tab, f"id{number}")
        tab.press(str(1 + number % 5))
    tab.wait_for("#finish:not([hidden])")
    tab.wait_for("#finish-link[href]")
    assert [here.stored[f"id{n}"]["overall"]["value"] for n in range(10)] == [1 + n % 5 for n in range(10)]
    assert len(here.keys) == 10 and here.duplicates >= 3


@pytest.mark.django_db(transaction=True)
def test_from_the_sign_in_to_the_signature(tab: Tab, live_server: Any) -> None:
    world = make_open(sessions={"number": 2}, slices={"number": 6}, design={"readers": 1, "minimum_gap": 2})
    tab.open(f"{live_server.url}/accounts/login/")
    tab.click("input[name=login]")
    tab.press(*world.readers[0].username, "Tab", *PASSWORD, "Enter")
    tab.wait_for(".sitting a.button--primary")
    tab.click(".sitting a.button--primary")
    for number, row in enumerate(world.presentations()):
        painted(tab, row.pk)
        tab.press(str(1 + number % 5))
    tab.wait_for("#finish-link[href]")
    arrived(world, 12)
    assert stored(world)[:12] == [1 + number % 5 for number in range(12)]
    tab.click("#finish-link")
    tab.wait_for("input[name=printed_name]")
    tab.click("input[name=printed_name]")
    tab.press(*"R. Reader")
    tab.click("input[name=meaning]")
    tab.click("input[name=password]")
    tab.press(*PASSWORD, "Enter")
    tab.wait_for("main:not(:has(#signature)) h1")
    assert world.sessions()[0].signed_at is not None
