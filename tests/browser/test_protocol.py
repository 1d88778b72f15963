"""A protocol is written with the keyboard alone, with and without a script, and previewed as a reader sees it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client

from readerstudy.accounts.models import User
from readerstudy.cases.models import Look
from readerstudy.reading.models import Answer
from readerstudy.studies.models import Study
from readerstudy.studies.queries import protocol_of
from tests.browser import axe
from tests.browser.viewer.conftest import until
from tests.factories import make_draft, make_open, make_user

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SIZES = ((1440, 900), (1024, 768))


def sign_in(context: Any, address: str, user: User) -> None:
    client = Client()
    client.force_login(user)
    name = django_settings.SESSION_COOKIE_NAME
    context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": address}])


def press(page: Any, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def replace_text(page: Any, selector: str, text: str) -> None:
    page.locator(selector).focus()
    press(page, "Control+a")
    page.keyboard.type(text)


def focused(page: Any) -> str:
    return str(page.evaluate("() => document.activeElement.id"))


@pytest.fixture
def bare(browser: Any) -> Iterator[Any]:
    """A browser that runs no scripts."""
    context = browser.new_context(java_script_enabled=False, viewport={"width": 1024, "height": 768})
    yield context
    context.close()


def test_a_protocol_is_written_by_keyboard(page: Any, live_server: Any) -> None:
    make_draft()
    sign_in(page.context, live_server.url, make_user(may_coordinate=True))
    page.goto(f"{live_server.url}/studies/new/")
    replace_text(page, "#f-study-title", "Written by hand")
    replace_text(page, "#f-slices-number", "many")
    page.locator("#f-slices-number-error", has_text="write a whole number, not 'many'").wait_for()
    assert page.locator("#f-slices-number[aria-invalid=true]").count() == 1
    replace_text(page, "#f-slices-number", "8")
    page.locator("#outlook", has_text="32").wait_for()
    until(lambda: page.locator("[aria-invalid]").count() == 0)
    assert page.locator("#f-slices-number-error").text_content() == ""

    page.get_by_role("button", name="Add an arm").focus()
    press(page, "Enter")
    until(lambda: focused(page) == "f-arms-4-key")
    page.locator("#outlook", has_text="40").wait_for()
    page.get_by_role("button", name="Remove arm_5").focus()
    press(page, "Space")
    until(lambda: page.locator("#f-arms-4-key").count() == 0)
    page.locator("#outlook", has_text="32").wait_for()

    page.locator("#f-design-kind").focus()
    press(page, "End")
    page.locator("#f-criteria-0-texts-left").wait_for()
    page.locator("#f-design-kind").focus()
    press(page, "Home")
    page.locator("#f-criteria-0-texts-5").wait_for()
    assert page.locator("#f-criteria-0-texts-5").input_value().startswith("Excellent")

    page.get_by_role("button", name="TOML file").focus()
    press(page, "Enter")
    text = page.locator("#protocol-text")
    assert 'title = "Written by hand"' in text.input_value()
    page.get_by_role("button", name="Form").focus()
    press(page, "Enter")
    page.locator("#f-study-title").focus()
    press(page, "Enter")
    page.wait_for_url("**/studies/*-*/")
    made = protocol_of(Study.objects.get(title="Written by hand"))
    assert (made.slices.number, len(made.arms), made.design.kind) == (8, 4, "balanced")


def test_it_works_without_a_script(bare: Any, live_server: Any) -> None:
    make_draft()
    sign_in(bare, live_server.url, make_user(may_coordinate=True))
    page = bare.new_page()
    page.goto(f"{live_server.url}/studies/new/?preset=paper")
    page.locator("#f-slices-number").fill("8")
    page.get_by_role("button", name="Compute again").click()
    assert "32" in page.locator("#outlook").inner_text()
    page.get_by_role("button", name="Add a criterion").click()
    assert page.url.endswith("#part-criteria")
    page.get_by_role("button", name="Save the draft").click()
    assert "criteria.criterion_2.texts" in page.locator("#f-criteria-1-texts-error").inner_text()
    page.get_by_role("button", name="Remove criterion_2").click()
    page.get_by_role("button", name="Save the draft").click()
    page.wait_for_url("**/studies/*-*/")
    assert Study.objects.latest("created_at").protocol["slices"]["number"] == 8


def test_a_study_is_previewed_by_keyboard(page: Any, live_server: Any) -> None:
    world = make_draft()
    sign_in(page.context, live_server.url, world.coordinator)
    page.goto(f"{live_server.url}/studies/{world.study.pk}/protocol/")
    page.get_by_role("link", name="Preview as a reader (counts as a look at the cases)").focus()
    press(page, "Enter")
    for number in range(1, 7):
        page.locator(f'body[data-painted="preview-{number}"]').wait_for()
        press(page, "4")
        page.locator("#forward").wait_for()
        assert "was made as an example of" in page.locator("#notice").inner_text()
        press(page, "ArrowRight")
    page.locator("#finish-link[href]").wait_for()
    assert page.locator(".preview-banner").is_visible()
    assert Look.objects.filter(user=world.coordinator).count() == 6
    assert not Answer.objects.exists()
    page.locator("#finish-link").focus()
    press(page, "Enter")
    page.wait_for_url(f"**/studies/{world.study.pk}/protocol/")


@pytest.mark.parametrize("size", SIZES)
def test_every_page_is_accessible(page: Any, live_server: Any, size: tuple[int, int]) -> None:
    draft, opened = make_draft(), make_open()
    page.set_viewport_size({"width": size[0], "height": size[1]})
    for world in (draft, opened):
        sign_in(page.context, live_server.url, world.coordinator)
        base = f"{live_server.url}/studies/{world.study.pk}"
        for url in (f"{base}/protocol/", f"{base}/protocol/?tab=text", f"{base}/protocol/print/"):
            assert page.goto(url).status == 200
            axe.check(page)
        page.goto(f"{base}/preview/")
        page.locator("body[data-painted]").wait_for()
        axe.check(page)
    page.goto(f"{live_server.url}/studies/new/?preset=recommended")
    axe.check(page)
    page.locator("#f-slices-number").fill("1")
    page.get_by_role("button", name="Save the draft").last.click()
    page.locator("#protocol-error").wait_for()
    axe.check(page)
