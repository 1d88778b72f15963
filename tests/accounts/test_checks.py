"""Settings that don't go together are told at the start, under an id; a proxy nobody counted, at its first request."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from django.core.checks import Tags, run_checks
from django.test import Client

from readerstudy.accounts import incoming


@pytest.fixture(autouse=True)
def well_set(settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT, settings.TRUSTED_PROXIES = True, 1


def ids() -> set[str]:
    found = {message.id for message in run_checks(tags=[Tags.security])}
    return {name for name in found if name and name.startswith("accounts.")} - {"accounts.W003"}


def test_a_well_set_installation_has_nothing_to_say() -> None:
    assert ids() == set()


def test_https_without_a_proxy_is_told(settings: Any) -> None:
    settings.TRUSTED_PROXIES = 0
    assert ids() == {"accounts.W001"}
    settings.SECURE_SSL_REDIRECT = False
    assert ids() == set()


def test_an_installation_that_sends_no_mail_is_told(settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
    assert ids() == {"accounts.W002"}


def test_a_password_alone_for_coordinators_is_told(settings: Any) -> None:
    """Tests start servers with READERSTUDY_REQUIRE_MFA=0, so that the check speaks here."""
    assert "accounts.W003" in {message.id for message in run_checks(tags=[Tags.security])}


@pytest.mark.parametrize(("proxies", "header", "told"), [(0, True, 1), (0, False, 0), (1, True, 0)])
def test_a_proxy_that_nobody_counted_is_told_once(
    proxies: int, header: bool, told: int, settings: Any, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    settings.TRUSTED_PROXIES = proxies
    monkeypatch.setattr(incoming, "_told_of_proxy", False)
    headers = {"X-Forwarded-For": "192.0.2.7"} if header else {}
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            Client().get("/healthz", headers=headers)
    words = [message for message in caplog.messages if "READERSTUDY_TRUSTED_PROXIES is 0" in message]
    assert len(words) == told and "192.0.2.7" not in caplog.text
