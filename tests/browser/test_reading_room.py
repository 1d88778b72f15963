"""A radiologist in a real browser: sign in, read ten slices by keyboard, sign out, resume, sign."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.contrib.sessions.models import Session

from readerstudy.audit import actions as audit
from readerstudy.reading.models import Annotation, Score
from tests.factories import PASSWORD, World, make_open

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def world() -> World:
    """Two sessions of twelve images each."""
    return make_open(sessions={"number": 2}, slices={"number": 6}, design={"readers": 1, "minimum_gap": 2})


def sign_in(page: Any, address: str, name: str) -> None:
    page.goto(f"{address}/accounts/login/")
    page.locator("input[name=login]").fill(name)
    page.locator("input[name=password]").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/reading/")


def painted(page: Any, presentation: str) -> None:
    page.locator(f'body[data-painted="{presentation}"]').wait_for()


def enter_by_keyboard(page: Any) -> None:
    """From the worklist into the first open session without a mouse."""
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('a.button--primary')"):
            break
    page.keyboard.press("Enter")
    page.wait_for_url("**/reading/*/")


def arrived(world: World, number: int) -> None:
    """Wait until the outbox has brought everything to the server."""
    deadline = time.monotonic() + 20
    while len(stored(world)) < number:
        assert time.monotonic() < deadline, f"{len(stored(world))} of {number} answers arrived"
        time.sleep(0.05)


def stored(world: World) -> list[int | None]:
    rows = Score.objects.filter(criterion__study=world.study)
    return list(
        rows.order_by("presentation__session__number", "presentation__position").values_list("value", flat=True)
    )


def test_ten_slices_by_keyboard_sign_out_and_resume(page: Any, world: World, live_server: Any) -> None:
    reader, rows = world.readers[0], world.presentations()
    sign_in(page, live_server.url, reader.username)
    enter_by_keyboard(page)
    wanted = [1 + number % 5 for number in range(10)]
    for row, value in zip(rows, wanted, strict=False):
        painted(page, row.pk)
        page.keyboard.press(str(value))
    painted(page, rows[10].pk)
    page.locator("#sign-out button").click()
    page.wait_for_url("**/accounts/login/**")
    assert stored(world) == wanted

    sign_in(page, live_server.url, reader.username)
    enter_by_keyboard(page)
    painted(page, rows[10].pk)
    page.keyboard.press("4")
    painted(page, rows[11].pk)
    page.keyboard.press("Backspace")
    painted(page, rows[10].pk)
    page.keyboard.press("2")
    painted(page, rows[11].pk)
    page.keyboard.press("5")
    page.locator("#finish-title").wait_for()
    arrived(world, 12)
    assert stored(world) == [*wanted, 2, 5]
    assert Score.objects.get(presentation=rows[10]).changes == 1
    assert list(audit.verify(world.study.chain)) == []


def test_the_signature_ends_a_session_and_opens_the_next(page: Any, world: World, live_server: Any) -> None:
    rows = world.presentations()
    sign_in(page, live_server.url, world.readers[0].username)
    enter_by_keyboard(page)
    for row in rows:
        painted(page, row.pk)
        page.keyboard.press("3")
    page.locator("#finish-title").wait_for()
    arrived(world, 12)
    page.locator("#finish-link[href]").click()
    page.locator("input[name=printed_name]").fill("R. Reader")
    page.locator("input[name=meaning]").check()
    page.locator("input[name=password]").fill("wrong")
    page.keyboard.press("Enter")
    page.locator(".field-error").wait_for()
    page.locator("input[name=password]").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.locator("form[method=post] button:has-text('Sign the session')").wait_for(state="detached")
    assert world.sessions()[0].signed_at is not None
    page.goto(f"{live_server.url}/reading/")
    enter_by_keyboard(page)
    painted(page, world.presentations(session=1)[0].pk)


def test_a_sign_in_that_ends_in_the_middle_loses_nothing(context: Any, world: World, live_server: Any) -> None:
    rows, page = world.presentations(), context.new_page()
    sign_in(page, live_server.url, world.readers[0].username)
    enter_by_keyboard(page)
    painted(page, rows[0].pk)
    Session.objects.all().delete()
    page.keyboard.press("4")
    painted(page, rows[1].pk)
    page.keyboard.press("2")
    notice = page.locator("#login-notice a")
    notice.wait_for()
    assert stored(world) == []
    with context.expect_page() as opened:
        notice.click()
    second = opened.value
    second.locator("input[name=login]").fill(world.readers[0].username)
    second.locator("input[name=password]").fill(PASSWORD)
    second.keyboard.press("Enter")
    second.wait_for_url("**/reading/")
    page.bring_to_front()
    page.evaluate("() => dispatchEvent(new Event('focus'))")
    arrived(world, 2)
    assert stored(world) == [4, 2]
    notice.wait_for(state="hidden")


def test_marks_come_back_where_they_were(page: Any, world: World, live_server: Any) -> None:
    rows = world.presentations()
    sign_in(page, live_server.url, world.readers[0].username)
    enter_by_keyboard(page)
    painted(page, rows[0].pk)
    page.keyboard.press("+")
    page.keyboard.press("l")
    page.keyboard.press("Enter")
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    deadline = time.monotonic() + 20
    while not Annotation.objects.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    mark = Annotation.objects.get()
    (x, y), (end, level) = mark.points
    assert (end - x, level - y) == (pytest.approx(4, abs=0.5), pytest.approx(0, abs=0.5))
    page.reload()
    painted(page, rows[0].pk)
    drawn = page.locator("svg.marks [data-mark]")
    assert drawn.get_attribute("data-mark") == str(mark.pk) and "2.8 mm" in page.locator("svg.marks").inner_html()
    page.keyboard.press("5")
    arrived(world, 1)
    assert list(audit.verify(world.study.chain)) == []


def test_resume_on_another_machine(page: Any, world: World, live_server: Any, browser: Any) -> None:
    rows = world.presentations()
    sign_in(page, live_server.url, world.readers[0].username)
    enter_by_keyboard(page)
    painted(page, rows[0].pk)
    page.keyboard.press("Numpad5")
    painted(page, rows[1].pk)
    arrived(world, 1)
    other = browser.new_context()
    second = other.new_page()
    sign_in(second, live_server.url, world.readers[0].username)
    enter_by_keyboard(second)
    painted(second, rows[1].pk)
    other.close()
