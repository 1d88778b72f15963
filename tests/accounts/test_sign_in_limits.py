"""Guessing a password ends soon, for one name and for one machine; the right one then has to wait too."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from tests.factories import PASSWORD, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_tries_left_over() -> None:
    cache.clear()


def sign_in(login: str, password: str, address: str = "192.0.2.1") -> Any:
    return Client(REMOTE_ADDR=address).post(reverse("account_login"), {"login": login, "password": password})


def test_five_wrong_passwords_close_a_name_for_a_while_from_anywhere() -> None:
    person = make_user()
    for number in range(5):
        assert sign_in(person.username, "wrong", f"192.0.2.{number}").status_code == 200
    refused = sign_in(person.username, PASSWORD, "192.0.2.77")
    assert refused.status_code == 200 and b"Too many failed login attempts" in refused.content
    other = make_user()
    assert sign_in(other.username, PASSWORD, "192.0.2.77").status_code == 302


def test_ten_wrong_passwords_close_a_machine_for_a_minute() -> None:
    for number in range(10):
        sign_in(f"nobody{number}", "wrong")
    assert sign_in(make_user().username, PASSWORD).status_code in {200, 429}
    assert sign_in(make_user().username, PASSWORD, "192.0.2.9").status_code == 302


def test_who_there_is_is_not_told() -> None:
    known = sign_in(make_user().username, "wrong").content.decode()
    unknown = sign_in("nobody-at-all", "wrong").content.decode()
    words = "The username and/or password you specified are not correct"
    assert words in known.replace("&#x27;", "'") and words in unknown.replace("&#x27;", "'")


def test_the_limits_are_those_that_are_stated() -> None:
    assert settings.ACCOUNT_RATE_LIMITS["login_failed"] == "10/m/ip,5/5m/key"
    assert {"login", "reauthenticate", "change_password", "reset_password"} <= set(settings.ACCOUNT_RATE_LIMITS)
    assert settings.PASSWORD_HASHERS[0].endswith(("Argon2PasswordHasher", "MD5PasswordHasher"))
