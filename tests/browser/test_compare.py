"""A coordinator in a real browser: request a dose ladder by keyboard, and look at all methods side by side."""

from __future__ import annotations

import io
import re
from typing import Any

import numpy as np
import pytest
from django.core.cache import cache
from PIL import Image

from readerstudy.accounts.models import User
from readerstudy.cases import queries
from readerstudy.cases.models import Case, Look
from readerstudy.reconstructions.models import Run
from readerstudy.reconstructions.uncertainty import keep_map
from tests.browser import axe
from tests.browser.keyboard import tab_to
from tests.factories import PASSWORD, SIDE, make_case, make_run, make_user

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
METHODS = ("reference", "degraded", "tv_recon", "pix2pix", "restormer", "diffusion_unet")


@pytest.fixture(autouse=True)
def no_attempts_yet() -> None:
    cache.clear()


@pytest.fixture
def cora() -> User:
    return make_user(may_coordinate=True)


@pytest.fixture
def case() -> Case:
    made = make_case("CT", slices=3)
    made.slices.update(window_center=-900.0, window_width=300.0)
    for method in METHODS:
        make_run(made, method)
    return made


def sign_in(page: Any, address: str, user: User) -> None:
    page.goto(f"{address}/accounts/login/")
    page.locator("input[name=login]").fill(user.username)
    page.locator("input[name=password]").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/studies/")


def painted(page: Any, what: str) -> None:
    page.locator(f'body[data-painted="{what}"]').wait_for()


def pane(page: Any, number: int) -> bytes:
    """What a pane shows, as an image."""
    shot: bytes = page.locator(".compare-image").nth(number).screenshot()
    return shot


@pytest.mark.parametrize("size", [(1024, 768), (1440, 900)])
def test_every_slice_with_all_methods_by_keyboard(
    size: tuple[int, int], page: Any, case: Case, cora: User, live_server: Any
) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    sign_in(page, live_server.url, cora)
    page.goto(f"{live_server.url}/runs/compare/{case.pk}/?slice=2")
    axe.check(page)
    assert not Look.objects.exists()
    tab_to(page, "button.button--primary")
    page.keyboard.press("Enter")
    painted(page, "image/2")
    assert Look.objects.get().user == cora
    axe.check(page)
    assert page.locator(".compare-image canvas").count() == 6
    assert page.evaluate("() => document.documentElement.scrollHeight") <= size[1], "nothing scrolls"
    sizes = page.locator(".compare-image").evaluate_all(
        "(all) => all.map((one) => [one.clientWidth, one.clientHeight])"
    )
    assert max(w for w, _ in sizes) - min(w for w, _ in sizes) <= 1, "all panes are alike"
    assert max(h for _, h in sizes) - min(h for _, h in sizes) <= 1
    page.keyboard.press("ArrowRight")
    painted(page, "image/3")
    assert "slice=3" in page.url and page.locator("#place").inner_text() == "3 / 3"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Home")
    painted(page, "image/1")
    assert "PSNR 30.00 dB" in page.locator("figcaption").nth(1).inner_text()


def test_window_zoom_and_difference_are_shared(page: Any, case: Case, cora: User, live_server: Any) -> None:
    run = Run.objects.get(method="tv_recon")
    for row in run.reconstructions.all():  # this method gives the reference back: its difference is nothing
        row.pixels = row.slice.pixels
        row.save()
    sign_in(page, live_server.url, cora)
    page.goto(f"{live_server.url}/runs/compare/{case.pk}/")
    page.keyboard.press("Tab")
    page.locator("text=Open; I won").click()
    painted(page, "image/1")
    assert pane(page, 0) == pane(page, 2) != pane(page, 3)
    before = pane(page, 0)
    for keys in (["w"], ["+"], ["Shift+ArrowRight"], ["i"]):
        for key in keys:
            page.keyboard.press(key)
        page.wait_for_timeout(150)
        assert pane(page, 0) == pane(page, 2) != before, f"{keys} moves every pane"
        before = pane(page, 0)
    page.keyboard.press("d")
    painted(page, "difference/1")
    page.wait_for_timeout(150)
    assert pane(page, 0) == before, "the reference stays as it is"
    assert pane(page, 2) != before
    page.keyboard.press("d")
    painted(page, "image/1")
    page.wait_for_timeout(150)
    assert pane(page, 0) == pane(page, 2) == before, "window, polarity and place are back"
    page.keyboard.press("r")
    page.wait_for_timeout(150)
    assert pane(page, 0) == pane(page, 2) != before


def test_a_dose_ladder_is_requested_by_keyboard(page: Any, cora: User, live_server: Any) -> None:
    make_case("CT", slices=2)
    make_case("US", slices=2)
    sign_in(page, live_server.url, cora)
    page.goto(f"{live_server.url}/runs/new/")
    axe.check(page)
    page.locator("#run-count:has-text('12')").wait_for()
    tab_to(page, "#id_modality")
    page.keyboard.type("CT")
    page.locator("#run-count:has-text('6')").wait_for()
    page.locator("#cases:has-text('1 case matches')").wait_for()
    tab_to(page, "button[value=ladder]")
    page.keyboard.press("Enter")
    page.locator("#run-count:has-text('21')").wait_for()
    assert page.locator("#id_ct").input_value() == "1, 0.5, 0.25, 0.1"
    tab_to(page, "button[value=start]")
    page.keyboard.press("Enter")
    page.locator("text=21 runs are requested").wait_for()
    axe.check(page)
    assert Run.objects.count() == 21
    page.goto(f"{live_server.url}/runs/metrics/")
    axe.check(page)


def test_the_sd_map_is_shown_by_keyboard_with_its_scale(page: Any, case: Case, cora: User, live_server: Any) -> None:
    several = make_run(case, "diffusion_unet", settings={"samples": 4})
    left = np.zeros((SIDE, SIDE), np.float32)
    left[:, : SIDE // 2] = 19.5
    first = several.reconstructions.get(slice__index=0)
    several.reconstructions.filter(pk=first.pk).update(**keep_map(left, queries.values(first.slice), case))
    runs = [str(run.pk) for run in Run.objects.exclude(method="reference").order_by("method", "created_at")]
    sign_in(page, live_server.url, cora)
    page.goto(f"{live_server.url}/runs/compare/{case.pk}/?{'&'.join(f'run={pk}' for pk in runs)}")
    page.locator("text=Open; I won").click()
    painted(page, "image/1")
    captions = page.locator("figcaption strong").all_inner_texts()
    (drawn,) = [number for number, text in enumerate(captions) if "samples 4" in text]
    before = [pane(page, number) for number in range(len(captions))]
    page.keyboard.press("s")
    painted(page, "deviation/1")
    page.wait_for_timeout(150)
    axe.check(page)
    assert page.locator("[data-act=deviation]").get_attribute("aria-pressed") == "true"
    changed = [number for number, shot in enumerate(before) if pane(page, number) != shot]
    assert changed == [drawn], "only a run with several samples has a map"
    shown = np.asarray(Image.open(io.BytesIO(pane(page, drawn))).convert("L"), float)
    rows, columns = np.nonzero(shown > 128)
    assert columns.max() < shown.shape[1] / 2 and np.ptp(rows) > 0.8 * shown.shape[0], "the map as it is"
    assert page.locator("figcaption strong").nth(drawn).inner_text().endswith(": SD over 4 samples")
    scale = page.locator("figcaption span").nth(drawn)
    assert re.fullmatch(r"black 0, white 19\.\d HU", scale.inner_text())
    image = page.locator(".compare-image").nth(drawn)
    assert "SD over 4 samples, black 0" in str(image.get_attribute("aria-label"))
    box = image.bounding_box()
    page.mouse.move(box["x"] + 50, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + 90, box["y"] + 50)
    page.mouse.up()
    page.wait_for_timeout(150)
    assert not scale.inner_text().startswith("black 0, white 19"), "the scale follows the window"
    page.keyboard.press("ArrowRight")
    painted(page, "deviation/2")
    page.keyboard.press("s")
    painted(page, "image/2")
    assert "PSNR" in scale.inner_text()
    page.keyboard.press("ArrowLeft")
    painted(page, "image/1")
    page.wait_for_timeout(150)
    assert pane(page, drawn) == before[drawn], "the window of the images is back"
