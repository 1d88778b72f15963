"""Every reader page keeps the rules of WCAG 2.2 AA that axe-core can check, in every state a reader meets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings as django_settings
from django.test import Client
from django.urls import reverse

from readerstudy.reading.actions import draw_display_check, record_practice, report_display_check, sign_session
from readerstudy.reading.display_check import STEPS, Surroundings
from tests.browser import axe
from tests.browser.viewer.conftest import enter, painted, until
from tests.browser.viewer.fake_room import NOISE, OVERALL, FakeRoom, serving
from tests.browser.viewer.test_modes import PAIR
from tests.factories import World, make_open, read_session

pytestmark = pytest.mark.browser
Rooms = Callable[..., FakeRoom]
SMALL: dict[str, Any] = {
    "sessions": {"number": 2}, "slices": {"number": 6}, "design": {"readers": 1, "guess_images": 1, "minimum_gap": 2},
}  # fmt: skip


@pytest.fixture
def room() -> Iterator[Rooms]:
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(serving(FakeRoom(**settings)))


def keys(page: Any, *pressed: str) -> None:
    for key in pressed:
        page.keyboard.press(key)


def select_a_mark(page: Any) -> None:
    keys(page, "b", "Enter", "Shift+ArrowRight", "Shift+ArrowDown", "Enter")
    page.locator("#mark-editor").wait_for()


def open_both(page: Any) -> None:
    keys(page, "n", "Escape", "c")
    page.locator("#comment").wait_for()


def to_the_end(page: Any) -> None:
    keys(page, "3")
    page.locator("#finish-title").wait_for()
    page.locator("#finish-link[href]").wait_for()


def show_keys(page: Any) -> None:
    keys(page, "?")
    page.locator("#keys[open]").wait_for()


def see_the_grade(page: Any) -> None:
    keys(page, "4")
    page.locator("#notice", has_text="was made as an example of").wait_for()


def scored_too_fast(page: Any) -> None:
    keys(page, "3")
    painted(page, 1)
    page.locator("#notice", has_text="was scored after").wait_for()


STATES: dict[str, tuple[dict[str, Any], Callable[[Any], None] | None]] = {
    "one criterion": ({"count": 2, "display": {"too_fast_ms": 5000}}, scored_too_fast),
    "several criteria": ({"criteria": [OVERALL, NOISE]}, lambda page: keys(page, "4", "Enter")),
    "pairwise": ({"panes": 2, "mode": "pairwise", "criteria": [PAIR]}, None),
    "reference beside": ({"panes": 2, "reference": 1, "context": 1}, None),
    "fidelity": (
        {"panes": 2, "reference": 1, "mode": "fidelity", "labels": ["lost structure", "invented structure"]},
        select_a_mark,
    ),
    "practice": ({"mode": "practice", "labels": []}, see_the_grade),
    "keys": ({}, show_keys),
    "cannot judge and comment": ({}, open_both),
    "a mark": ({}, select_a_mark),
    "the end": ({"count": 1}, to_the_end),
    "the end before a comparison": ({"count": 1, "fidelity": 2}, lambda page: keys(page, "3")),
}


@pytest.mark.parametrize("state", STATES)
def test_the_room(page: Any, room: Rooms, state: str) -> None:
    settings, act = STATES[state]
    enter(page, room(**settings))
    painted(page, 0)
    if act:
        act(page)
    axe.check(page)


def test_the_room_in_trouble(page: Any, room: Rooms) -> None:
    here = room(count=3)
    enter(page, here)
    painted(page, 0)
    here.signed_out = True
    keys(page, "3")
    page.locator("#login-notice").wait_for()
    axe.check(page)
    here.signed_out, here.closed = False, "The session is signed."
    page.locator("#dispute[open]").wait_for()
    axe.check(page)


def sign_in(page: Any, address: str, world: World) -> None:
    client = Client()
    client.force_login(world.readers[0])
    name = django_settings.SESSION_COOKIE_NAME
    page.context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": address}])


def see(page: Any, address: str, name: str, *arguments: Any) -> None:
    """Opens a page of the reader's, and checks that it is this one."""
    path = reverse(name, args=arguments)
    reply = page.goto(address + path)
    assert reply.status == 200 and page.url == address + path
    axe.check(page)


@pytest.mark.django_db(transaction=True)
def test_sign_in(page: Any, live_server: Any) -> None:
    see(page, live_server.url, "account_login")
    page.locator("input[name=login]").fill("nobody")
    page.locator("input[name=password]").fill("wrong")
    keys(page, "Enter")
    page.locator(".errorlist, .field-error, .notice--bad").first.wait_for()
    axe.check(page)


@pytest.mark.django_db(transaction=True)
def test_before_the_sessions(page: Any, live_server: Any) -> None:
    world = make_open(
        study={"consent": "You read blinded images.\n\nYour scores are kept."}, display={"check": "asked"},
        slices={"number": 4}, sessions={"number": 4}, design={"readers": 1, "practice": 5, "minimum_gap": 1},
    )  # fmt: skip
    address, schedule, session = live_server.url, world.schedule(), world.sessions()[0]
    sign_in(page, address, world)
    see(page, address, "reading:worklist")
    see(page, address, "reading:consent", schedule.token)
    page.locator("input[name=agreed]").check()
    page.locator("main button").click()
    page.wait_for_url(f"{address}/reading/*/practice/")
    page.locator("body[data-painted]").wait_for()
    axe.check(page)
    see(page, address, "reading:consent", schedule.token)
    for image in world.study.practice_images.all():
        record_practice(world.readers[0], uuid4(), image.pk, {"overall": {"value": 3}})
    see(page, address, "reading:check", session.token)
    drawn, here = draw_display_check(world.readers[0], session), Surroundings("no", "dimmed", {})
    report_display_check(world.readers[0], session, drawn.pk, [-1] * len(STEPS), here)
    see(page, address, "reading:check", session.token)
    see(page, address, "reading:worklist")


@pytest.mark.django_db(transaction=True)
def test_the_signature_and_after_it(page: Any, live_server: Any) -> None:
    world = make_open(**SMALL)
    address, reader = live_server.url, world.readers[0]
    first, last = world.sessions()
    sign_in(page, address, world)
    see(page, address, "reading:room", first.token)
    see(page, address, "reading:finish", first.token)
    read_session(reader, first, sign=False)
    see(page, address, "reading:finish", first.token)
    page.locator("input[name=password]").fill("wrong")
    page.locator("input[name=printed_name]").fill("R. Reader")
    page.locator("input[name=meaning]").check()
    keys(page, "Enter")
    page.locator(".field-error").wait_for()
    axe.check(page)
    sign_session(reader, first, printed_name="R. Reader", meaning="I scored these images.")
    see(page, address, "reading:finish", first.token)
    read_session(reader, last)
    see(page, address, "reading:finish", last.token)
    see(page, address, "reading:worklist")
    see(page, address, "reading:guess", world.schedule().token)
    until(lambda: page.locator(".guess-image canvas").count() == 4)
    for question in page.locator(".guess select").all():
        question.select_option(index=1)
    page.get_by_role("button", name="Send all guesses").click()
    page.get_by_role("heading", name="Thank you").wait_for()
    axe.check(page)
