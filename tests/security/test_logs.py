"""Logs name a request, a pseudonym and the pattern of an address: never a name, a secret, a query or a body."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from django.http import HttpRequest
from django.test import Client
from django.urls import reverse

from readerstudy import logs, urls
from readerstudy.accounts.models import User
from readerstudy.conduct.actions import invite
from readerstudy.reading.actions import start_session
from tests.factories import World, answer
from tests.security.test_canary import crawl, make_canaries

ADDRESS = "192.0.2.99"


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """Everything that is logged at INFO, as JSON."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.JsonFormatter())
    loggers = [logging.getLogger(), logging.getLogger("readerstudy.requests")]
    levels = [logger.level for logger in loggers]
    loggers[0].addHandler(handler)
    for logger in loggers:
        logger.setLevel(logging.INFO)
    yield stream
    loggers[0].removeHandler(handler)
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


@pytest.fixture
def world(db: None) -> World:
    made = make_canaries(study={"title": "Canary study"})
    for number, user in enumerate((*made.readers, made.coordinator)):
        name = {"username": f"canary{number}", "email": f"canary{number}@example.org", "first_name": "Canary"}
        User.objects.filter(pk=user.pk).update(**name)
        user.refresh_from_db()
    start_session(made.readers[0], made.sessions()[0])
    answer(made.readers[0], made.presentations()[0])
    return made


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_run_of_requests_tells_nobody_and_nothing(world: World, written: io.StringIO) -> None:
    secret = invite(world.study, "analyst", "canary9@example.org", world.coordinator).token
    for user in (world.readers[0], world.coordinator):
        client = Client(raise_request_exception=False, REMOTE_ADDR=ADDRESS, HTTP_USER_AGENT="canary browser")
        client.force_login(user)
        for _ in crawl(client, world):
            pass
        client.get("/studies/?canary=canary&name=Canary")
    visitor = Client(enforce_csrf_checks=True, REMOTE_ADDR=ADDRESS)
    visitor.post(reverse("account_login"), {"login": "canary0", "password": "canary secret"})
    visitor.post(reverse("invitation", args=[secret]), {"name": "Canary", "email": "canary8@example.org"})
    visitor.get(f"/nowhere/canary/{secret}/?canary")
    text, found = written.getvalue(), lines(written)
    assert len(found) > 150
    for word in ("canary", ADDRESS, secret, "correct horse", *(row.pk for row in world.presentations())):
        assert word not in text.lower(), [line for line in found if word in json.dumps(line).lower()][:3]
    assert {line["user"] for line in found if "user" in line} == {world.readers[0].handle, world.coordinator.handle}
    answers = [line for line in found if line["logger"] == "readerstudy.requests"]
    assert all({"request", "method", "status", "milliseconds"} <= set(line) for line in answers)
    assert "/reading/p/<str:presentation>/<int:pane>/<int:index>/" in {line.get("path") for line in answers}
    refused = [line["message"] for line in found if line["logger"] == "django.security.csrf"]
    assert refused and all("/invitations/<str:token>/" in words or "login" in words for words in refused)


def test_an_exception_says_where_and_nothing_of_the_request(
    written: io.StringIO, monkeypatch: pytest.MonkeyPatch, db: None
) -> None:
    def failing(request: HttpRequest) -> None:
        try:
            json.loads(request.body)
        except ValueError as error:
            raise RuntimeError(request.body.decode()) from error

    pattern = next(found for found in urls.urlpatterns if getattr(found, "name", "") == "healthz")
    monkeypatch.setattr(pattern, "callback", failing)
    client = Client(raise_request_exception=False)
    response = client.post(
        "/healthz", "canary body", content_type="text/plain", headers={"X-Request-ID": "from-afar-7"}
    )
    assert response.status_code == 500 and response["X-Request-ID"] == "from-afar-7"
    assert "canary" not in written.getvalue()
    error = next(line for line in lines(written) if line["level"] == "ERROR")
    assert error["exception"] == ["builtins.RuntimeError", "json.decoder.JSONDecodeError"]
    assert error["trace"][-1].endswith(" failing") and error["trace"][-1].startswith("tests/security/test_logs.py:")
    assert (error["request"], error["path"]) == ("from-afar-7", "/healthz")
    assert error["message"] == "Internal Server Error: /healthz"


@pytest.mark.parametrize("given", ["", "short", "a b c d e f g h", "x" * 65, "bad\r\nheader-value"])
def test_an_id_that_is_none_is_replaced(given: str) -> None:
    made = Client().get("/healthz", headers={"X-Request-ID": given})["X-Request-ID"]
    assert made != given and len(made) == 32


def record(message: str, *args: object, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("name", logging.WARNING, "file", 1, message, args, None)
    made.created, made.msecs = 1_800_000_000.25, 250.0
    for key, value in extra.items():
        setattr(made, key, value)
    return made


def test_a_line_of_json_has_its_time_in_utc_and_no_empty_field() -> None:
    made = json.loads(logs.JsonFormatter().format(record("%s ü\n%d", "a", 3, status=404)))
    assert made == {
        "time": "2027-01-15T08:00:00.250Z", "level": "WARNING", "logger": "name", "message": "a ü\n3", "status": 404,
    }  # fmt: skip


def test_a_plain_line_is_one_line_that_nobody_can_forge() -> None:
    made = logs.PlainFormatter().format(record("a\nERROR b", request_id=""))
    assert made == "2027-01-15T08:00:00.250Z WARNING name a\\nERROR b"


def test_a_message_whose_arguments_do_not_fit_is_still_a_line() -> None:
    with logs.during(HttpRequest()):
        assert logs.facts(record("%d %d", "x"))["message"] == "%d %d"


def test_the_words_of_an_exception_only_when_debugging() -> None:
    try:
        raise ValueError("canary")
    except ValueError:
        made = record("failed", exc_info=sys.exc_info())
    assert "canary" not in logs.PlainFormatter().format(made) and "builtins.ValueError" in logs.PlainFormatter().format(
        made
    )
    assert "builtins.ValueError: canary" in logs.JsonFormatter(debug=True).format(made)


def test_only_json_has_a_line_for_every_request() -> None:
    assert logs.configuration("json")["loggers"]["readerstudy.requests"]["level"] == "INFO"
    assert logs.configuration("plain")["loggers"]["readerstudy.requests"]["level"] == "WARNING"
    assert logs.configuration("json")["formatters"]["line"]["()"] == "readerstudy.logs.JsonFormatter"
