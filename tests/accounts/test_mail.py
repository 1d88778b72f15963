"""Mail that does not get through: said to whoever waits for it, and never a reason to fail."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from smtplib import SMTPRecipientsRefused
from typing import Any

import pytest
from django.core import mail
from django.core.mail import EmailMessage
from django.core.mail.backends.locmem import EmailBackend
from django.test import Client
from django.urls import reverse

from readerstudy.accounts.mail import deliver
from tests.factories import make_user


class Away(EmailBackend):
    """A mail server that nobody reaches."""

    def open(self) -> bool:
        raise ConnectionRefusedError(111, "Connection refused by 192.0.2.7")

    def send_messages(self, messages: Sequence[EmailMessage]) -> int:
        return self.open()


class Choosy(EmailBackend):
    """A mail server that refuses one address."""

    def send_messages(self, messages: Sequence[EmailMessage]) -> int:
        if messages[0].to == ["b@example.org"]:
            raise SMTPRecipientsRefused({"b@example.org": (550, b"unknown")})
        return super().send_messages(messages)


def test_each_address_gets_one_mail_of_its_own() -> None:
    assert deliver("Subject", "Text", ["a@example.org", "", "b@example.org", "a@example.org"]) == []
    assert [message.to for message in mail.outbox] == [["a@example.org"], ["b@example.org"]]


def test_without_an_address_no_server_is_asked(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    settings.EMAIL_BACKEND = "tests.accounts.test_mail.Away"
    with caplog.at_level(logging.WARNING):
        assert deliver("Subject", "Text", ["", ""]) == []
    assert caplog.text == ""


def test_one_refused_address_leaves_the_others(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    settings.EMAIL_BACKEND = "tests.accounts.test_mail.Choosy"
    with caplog.at_level(logging.WARNING):
        assert deliver("Subject", "Text", ["a@example.org", "b@example.org", "c@example.org"]) == ["b@example.org"]
    assert [message.to for message in mail.outbox] == [["a@example.org"], ["c@example.org"]]
    assert "SMTPRecipientsRefused" in caplog.text and "example.org" not in caplog.text


@pytest.mark.parametrize("backend", ["django.core.mail.backends.dummy.EmailBackend", "tests.accounts.test_mail.Away"])
def test_without_a_mail_server_nobody_is_reached(backend: str, settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    settings.EMAIL_BACKEND = backend
    assert deliver("Subject", "Text", ["a@example.org", "b@example.org"]) == ["a@example.org", "b@example.org"]
    assert "192.0.2.7" not in caplog.text


@pytest.mark.django_db
def test_a_lost_password_while_mail_is_away_is_503_for_known_and_unknown(settings: Any) -> None:
    settings.EMAIL_BACKEND = "tests.accounts.test_mail.Away"
    make_user(email="lost@example.org")
    client = Client(raise_request_exception=False)
    answers = [
        client.post(reverse("account_reset_password"), {"email": f"{who}@example.org"}) for who in ("lost", "no")
    ]
    assert {answer.status_code for answer in answers} == {503}
    assert all("The mail could not be sent" in answer.content.decode() for answer in answers)


@pytest.mark.django_db
def test_a_lost_password_without_e_mail_is_told_whom_to_ask(settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
    make_user(email="lost@example.org")
    answers = [
        Client().post(reverse("account_reset_password"), {"email": f"{who}@example.org"}) for who in ("lost", "no")
    ]
    assert {answer.status_code for answer in answers} == {503}
    assert all("Ask the administrator for a one-time link" in answer.content.decode() for answer in answers)
