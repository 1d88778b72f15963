"""A radiologist before the first session and after the last: consent, display check, guess, signing by passkey."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from readerstudy.reading.actions import give_consent
from readerstudy.reading.models import DisplayCheck, MethodGuess
from tests.browser.keyboard import tab_to
from tests.browser.test_reading_room import painted, sign_in
from tests.factories import ARMS, PASSWORD, World, make_open, read_session

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SMALL: dict[str, Any] = {"sessions": {"number": 2}, "slices": {"number": 6}}


@pytest.fixture(autouse=True)
def no_attempts_yet() -> None:
    cache.clear()


@pytest.fixture
def prepared() -> World:
    """A study with everything that can stand before a session, and guesses after it."""
    return make_open(
        **SMALL, study={"consent": "You read blinded images.\n\nYou may stop at any time."},
        display={"check": "asked"}, design={"readers": 1, "guess_images": 2},
    )  # fmt: skip


@pytest.fixture
def finished() -> World:
    """Everything is signed but the last session, whose images all have a score."""
    made = make_open(**SMALL, design={"readers": 1, "guess_images": 2})
    first, last = made.sessions()
    read_session(made.readers[0], first)
    read_session(made.readers[0], last, sign=False)
    return made


def report(page: Any, wrong: int) -> None:
    """Answer the check by keyboard: a digit per patch, then the two questions, then Enter."""
    page.locator("[data-step] input:focus").wait_for()
    targets = DisplayCheck.objects.filter(passed=None).get().targets
    for step, target in enumerate(targets):
        page.keyboard.press("0" if step < wrong else f"Numpad{target + 1}" if step % 2 else str(target + 1))
    tab_to(page, "[name=remote_desktop]")
    page.keyboard.press("Space")
    tab_to(page, "[name=ambient_light]")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")


def test_from_the_sign_in_to_the_room_by_keyboard(page: Any, prepared: World, live_server: Any) -> None:
    reader, session = prepared.readers[0], prepared.sessions()[0]
    sign_in(page, live_server.url, reader.username)
    tab_to(page, "a.button--primary")
    page.keyboard.press("Enter")
    page.wait_for_url("**/consent/")
    tab_to(page, "[name=agreed]")
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    page.wait_for_url("**/check/")
    report(page, wrong=3)
    page.locator(".notice--warn:has-text('1, 2, 3')").wait_for()
    assert page.locator("[name=go_on]").count() == 0
    report(page, wrong=1)
    painted(page, prepared.presentations()[0].pk)
    environment = prepared.sessions()[0].environment
    assert (environment["check"], environment["tries"], environment["wrong"]) == ("passed", 2, 1)
    assert (environment["remote_desktop"], environment["ambient_light"]) == ("no", "office"), "kept, then one down"
    screen = environment["screen"]
    assert (screen["viewport_width"], screen["viewport_height"], screen["ratio"]) == (1024, 768, 1)
    assert screen["width"] > 0 and screen["height"] > 0 and screen["depth"] >= 24 and "Chrome" in screen["agent"]
    assert session.token in page.url


def test_after_two_failures_one_may_go_on(page: Any, prepared: World, live_server: Any) -> None:
    give_consent(prepared.readers[0], prepared.schedule())
    sign_in(page, live_server.url, prepared.readers[0].username)
    page.goto(f"{live_server.url}/reading/{prepared.sessions()[0].token}/")
    for tries in (1, 2):
        report(page, wrong=8)
        page.locator(f'img[src$="?try={tries}"]').first.wait_for()
    tab_to(page, "body")
    tab_to(page, "[name=go_on]")
    page.keyboard.press("Enter")
    painted(page, prepared.presentations()[0].pk)
    assert prepared.sessions()[0].environment["check"] == "flagged"


@pytest.mark.parametrize("size", [(1024, 768), (1440, 900)])
def test_the_check_fits_the_window_and_its_pictures_are_never_scaled(
    size: tuple[int, int], page: Any, prepared: World, live_server: Any
) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    give_consent(prepared.readers[0], prepared.schedule())
    sign_in(page, live_server.url, prepared.readers[0].username)
    page.goto(f"{live_server.url}/reading/{prepared.sessions()[0].token}/check/")
    page.locator("[data-step] input:focus").wait_for()
    assert page.evaluate("() => document.documentElement.scrollHeight") <= size[1]
    natural = "(all) => all.map((one) => [one.width, one.height, one.naturalWidth, one.naturalHeight])"
    assert page.locator(".patch-image").evaluate_all(natural) == [[128] * 4] * 8


def test_the_guess_comes_after_the_last_signature(page: Any, finished: World, live_server: Any) -> None:
    sign_in(page, live_server.url, finished.readers[0].username)
    page.goto(f"{live_server.url}/reading/{finished.sessions()[1].token}/finish/")
    page.locator("[name=printed_name]").fill("R. Reader")
    page.locator("[name=meaning]").check()
    page.locator("[name=password]").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.locator("a:has-text('To the guess')").click()
    page.wait_for_url("**/guess/")
    for number in range(8):
        page.locator(f"#id_guess_{number}").scroll_into_view_if_needed()
        page.locator(f'[data-image="{number}"][data-painted] canvas').wait_for()
        tab_to(page, f"#id_guess_{number}")
        page.keyboard.press("ArrowDown" if number else "End")
        page.keyboard.press("Tab")
        page.keyboard.type(f"reason {number}")
    page.keyboard.press("Enter")
    page.locator("h1:has-text('Thank you')").wait_for()
    stored = sorted(MethodGuess.objects.values_list("reason", "guessed"))
    assert stored == [(f"reason {n}", ARMS[0] if n else "") for n in range(8)]


def with_passkey(page: Any, address: str) -> None:
    """Give the signed-in person a passkey of a virtual authenticator, through the account's own page."""
    client = page.context.new_cdp_session(page)
    client.send("WebAuthn.enable")
    client.send("WebAuthn.addVirtualAuthenticator", {"options": {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": True, "automaticPresenceSimulation": True,
    }})  # fmt: skip
    page.goto(f"{address}/accounts/2fa/webauthn/add/")
    page.locator("[name=password]").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/webauthn/add/", wait_until="load")
    page.locator("#mfa_webauthn_add").click()
    page.wait_for_url("**/recovery-codes/**")


@pytest.mark.parametrize("has_password", [True, False])
def test_a_passkey_signs(has_password: bool, page: Any, finished: World, live_server: Any) -> None:
    user = finished.readers[0]
    sign_in(page, live_server.url, user.username)
    with_passkey(page, live_server.url)
    if not has_password:
        type(user).objects.filter(pk=user.pk).update(password="!")
        # The sign-in ends with the password; this one is as good as one by passkey.
        page.context.add_cookies([{**cookie, "value": signed_in(user)} for cookie in session_cookies(page)])
    page.goto(f"{live_server.url}/reading/{finished.sessions()[1].token}/finish/")
    assert page.locator("[name=password]").count() == int(has_password)
    page.locator("[name=printed_name]").fill("R. Reader")
    page.locator("#passkey-button").click()
    assert finished.sessions()[1].signed_at is None, "the meaning is not confirmed yet"
    page.locator("[name=meaning]").check()
    tab_to(page, "#passkey-button")
    page.keyboard.press("Enter")
    page.locator("h1:has-text('is signed')").wait_for()
    assert finished.sessions()[1].signed_at is not None


def session_cookies(page: Any) -> list[dict[str, Any]]:
    return [cookie for cookie in page.context.cookies() if cookie["name"] == "sessionid"]


def signed_in(user: Any) -> str:
    """The key of a session in which the person is signed in."""
    client = Client()
    client.force_login(type(user).objects.get(pk=user.pk))
    return client.cookies["sessionid"].value
