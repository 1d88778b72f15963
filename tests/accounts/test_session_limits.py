"""A session ends after a while without activity and after a working day; an answer sent too late is kept."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.db import OperationalError
from django.test import Client
from django.urls import reverse

from readerstudy.accounts import sessions
from readerstudy.reading.actions import start_session
from tests.factories import World, make_open, make_user

pytestmark = pytest.mark.django_db
PAGE = {"Accept": "text/html"}


class Watch:
    """The wall clock of the sessions."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def time(self) -> float:
        return self.now

    def minutes(self, number: float) -> None:
        self.now += 60 * number


@pytest.fixture(autouse=True)
def watch(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Watch:
    settings.SESSION_IDLE_SECONDS, settings.SESSION_LONGEST_SECONDS = 30 * 60, 8 * 3600
    made = Watch()
    monkeypatch.setattr(sessions, "time", made)
    return made


@pytest.fixture
def client() -> Client:
    made = Client()
    made.force_login(make_user())
    return made


def signed_in(client: Client) -> bool:
    return client.get(reverse("studies:list")).status_code == 200


def test_activity_keeps_a_session_open_and_idleness_ends_it(client: Client, watch: Watch) -> None:
    for _ in range(5):
        watch.minutes(29)
        assert signed_in(client)
    watch.minutes(31)
    assert not signed_in(client)
    watch.minutes(-31)
    assert not signed_in(client), "an ended session does not come back"


@pytest.mark.parametrize(("behind", "kept"), [(OperationalError("database is locked"), True), (None, False)])
def test_a_busy_database_ends_no_session_but_another_request_may(
    client: Client, watch: Watch, monkeypatch: pytest.MonkeyPatch, behind: Exception | None, kept: bool
) -> None:
    """Django raises the same error for both; only a session that is gone signs its person out."""
    watch.minutes(5)

    def fails(*_: object, **__: object) -> None:
        error = UpdateError()
        error.__context__ = behind
        raise error

    with monkeypatch.context() as busy:
        busy.setattr(SessionStore, "save", fails)
        client.get("/healthz")
    assert signed_in(client) is kept


def test_the_day_ends_every_session(client: Client, watch: Watch) -> None:
    for _ in range(16):
        watch.minutes(29.9)
        assert signed_in(client)
    watch.minutes(3)
    assert not signed_in(client)


def test_signing_in_again_starts_anew(client: Client, watch: Watch) -> None:
    watch.minutes(31)
    client.force_login(make_user())
    assert signed_in(client)


def test_a_session_from_before_the_limits_gets_them(client: Client, watch: Watch) -> None:
    held = client.session
    del held[sessions.BEGAN], held[sessions.SEEN]
    held.save()
    assert signed_in(client)
    watch.minutes(31)
    assert not signed_in(client)


def test_a_page_that_follows_by_itself_is_no_sign_of_a_person(watch: Watch) -> None:
    world = make_open()
    client = Client()
    client.force_login(world.coordinator)
    for _ in range(4):
        watch.minutes(8)
        answer = client.get(reverse("conduct:monitor", args=[world.study.pk]))
    assert answer.status_code == 302 and not signed_in(client)


def test_the_person_reads_why_and_a_script_does_not(client: Client, watch: Watch) -> None:
    watch.minutes(31)
    page = client.get(reverse("studies:list"), headers=PAGE, follow=True)
    assert b"Your sign-in has ended" in page.content
    other = Client()
    other.force_login(make_user())
    watch.minutes(31)
    other.get(reverse("studies:list"), headers=PAGE | {"HX-Request": "true"})
    assert b"Your sign-in has ended" not in other.get(reverse("account_login")).content


def test_activity_is_written_once_a_minute_and_sets_no_cookie(client: Client, watch: Watch) -> None:
    def visit() -> int:
        assert "sessionid" not in client.get(reverse("studies:list")).cookies
        return Session.objects.get().get_decoded()[sessions.SEEN]

    first = visit()
    watch.minutes(0.9)
    assert visit() == first
    watch.minutes(0.2)
    assert visit() > first


@pytest.fixture
def world() -> World:
    made = make_open()
    start_session(made.readers[0], made.sessions()[0])
    return made


def answer_of(world: World) -> dict[str, Any]:
    first = world.presentations()[0].pk
    return {"key": "8c4ff1d0-3b07-4b44-9f0c-0f8f3bd1c4a1", "presentation": first, "answers": {"overall": {"value": 3}}}


def test_an_answer_after_the_end_is_refused_as_the_outbox_expects_and_stored_after_the_next_sign_in(
    world: World, watch: Watch
) -> None:
    client, reader = Client(), world.readers[0]
    client.force_login(reader)
    watch.minutes(31)
    late = client.post(reverse("reading:answers"), answer_of(world), content_type="application/json")
    assert late.status_code == 401 and "nothing is lost" in late.json()["error"]
    assert client.get(reverse("reading:csrf")).json()["signed_in"] is False
    client.force_login(reader)
    assert client.get(reverse("reading:csrf")).json()["signed_in"] is True
    again = client.post(reverse("reading:answers"), answer_of(world), content_type="application/json")
    assert again.status_code == 200 and again.json()["stored"] is True


def test_an_image_says_nothing_of_the_clock(world: World, watch: Watch) -> None:
    """The headers of a frame are the same before, at and after the minute in which activity is written down."""
    client = Client()
    client.force_login(world.readers[0])
    url = reverse("reading:frame", args=[world.presentations()[0].pk, 0, 0])
    first = dict(client.get(url).headers)
    watch.minutes(5)
    second = client.get(url)
    assert dict(second.headers) == first and not second.cookies
    watch.minutes(26)
    assert client.get(url).status_code == 401


def test_a_session_that_another_request_ended_is_no_error(client: Client, watch: Watch) -> None:
    watch.minutes(2)
    held = client.session

    class Gone(type(held)):  # type: ignore[misc]
        def save(self, must_create: bool = False) -> None:
            raise sessions.UpdateError

    held.__class__ = Gone
    request = type("Request", (), {"session": held, "user": None, "META": {}, "COOKIES": {}})()
    sessions._note(request, int(watch.now))
    assert request.user.is_anonymous
