"""A database or disk that fails: 503 or 507 with a sentence in page and JSON, and a real fault stays a 500."""

from __future__ import annotations

import errno

import pytest
from django.db import DatabaseError, OperationalError
from django.http import HttpRequest
from django.test import Client

from readerstudy.accounts.outages import outage_of

AWAY = OperationalError('connection failed: server at "127.0.0.1" refused, password=secret')
SQLITE_FULL = OperationalError("database or disk is full")
POSTGRES_FULL = OperationalError('could not extend file "base/1/2": No space left on device')
NO_SPACE = OSError(errno.ENOSPC, "No space left on device", "/hidden/path")


@pytest.mark.parametrize(
    ("error", "status"),
    [(AWAY, 503), (SQLITE_FULL, 507), (POSTGRES_FULL, 507), (NO_SPACE, 507), (OSError(errno.EACCES, "no"), None),
     (DatabaseError("syntax"), None), (ValueError("fault"), None), (None, None)],
)  # fmt: skip
def test_what_is_an_outage(error: BaseException | None, status: int | None) -> None:
    found = outage_of(error)
    assert (found.status if found else None) == status


def test_an_outage_behind_another_error_is_found() -> None:
    try:
        try:
            raise NO_SPACE
        except OSError as error:
            raise RuntimeError("writing failed") from error
    except RuntimeError as outer:
        found = outage_of(outer)
    assert found is not None and found.status == 507


def failing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> Client:
    """The health page raises; the client does not raise with it."""

    def view(request: HttpRequest) -> None:
        raise error

    from readerstudy import urls

    for pattern in urls.urlpatterns:
        if getattr(pattern, "name", "") == "healthz":
            monkeypatch.setattr(pattern, "callback", view)
    return Client(raise_request_exception=False)


@pytest.mark.parametrize(("error", "status"), [(AWAY, 503), (SQLITE_FULL, 507), (NO_SPACE, 507)])
def test_the_page_says_what_to_do_and_leaks_nothing(
    monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    response = failing(monkeypatch, error).get("/healthz")
    text = response.content.decode()
    assert response.status_code == status and response["Retry-After"] == "5"
    assert "Nothing that was saved is lost" in text
    for secret in ("secret", "hidden", "127.0.0.1", "Traceback"):
        assert secret not in text


def test_a_program_gets_json(monkeypatch: pytest.MonkeyPatch) -> None:
    response = failing(monkeypatch, AWAY).get("/healthz", headers={"accept": "application/json"})
    assert response.status_code == 503 and "database does not answer" in response.json()["error"]


def test_a_fault_of_the_product_stays_a_500(monkeypatch: pytest.MonkeyPatch) -> None:
    response = failing(monkeypatch, ValueError("fault")).get("/healthz")
    assert response.status_code == 500 and "Retry-After" not in response
