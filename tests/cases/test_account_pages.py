"""The sign-in, password and second-factor pages are ours: the desk's look, the strict policy, no sign-up."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from readerstudy.accounts.models import User

OUTSIDE = ["account_login", "account_reset_password", "account_reset_password_done", "account_signup"]
INSIDE = [
    "account_change_password", "account_logout", "account_reauthenticate", "mfa_index", "mfa_activate_totp",
    "mfa_list_webauthn", "mfa_add_webauthn",
]  # fmt: skip
EXECUTED = re.compile(r"<script(?![^>]*(?:src=|type=.application/json))")


def check(html: str) -> None:
    assert "readerstudy/css/desk.css" in html
    assert '<section class="card stack">' in html
    assert "Research use only, not for diagnosis" in html
    assert not EXECUTED.search(html) and " style=" not in html and "<style" not in html
    assert " onclick=" not in html


def sign_in(client: Client) -> None:
    answer = client.post(
        reverse("account_login"), {"login": "carla", "password": "a long enough password"}, follow=False
    )
    assert answer.status_code == 302


@pytest.mark.django_db
@pytest.mark.parametrize("name", OUTSIDE)
def test_pages_before_signing_in(client: Client, name: str) -> None:
    answer = client.get(reverse(name))
    assert answer.status_code == 200
    check(answer.content.decode())


@pytest.mark.parametrize("name", INSIDE)
def test_pages_of_ones_own_account(client: Client, coordinator: User, name: str) -> None:
    sign_in(client)
    answer = client.get(reverse(name), follow=True)
    check(answer.content.decode())
    if answer.request["PATH_INFO"] == reverse("account_reauthenticate") and name != "account_reauthenticate":
        again = {"password": "a long enough password", "next": reverse(name)}
        answer = client.post(reverse("account_reauthenticate"), again, follow=True)
        assert answer.request["PATH_INFO"] == reverse(name)
    assert answer.status_code == 200
    check(answer.content.decode())
    if name.startswith("mfa"):
        assert 'aria-current="page">Second factor' in answer.content.decode()


def test_a_wrong_password_is_told_and_nobody_can_sign_up(client: Client, coordinator: User) -> None:
    answer = client.post(reverse("account_login"), {"login": "carla", "password": "wrong"})
    assert 'class="notice notice--bad" role="alert"' in answer.content.decode()
    assert 'href="' + reverse("account_signup") not in answer.content.decode()
    client.post(reverse("account_signup"), {"username": "eve", "password1": "a long enough password"})
    assert not User.objects.filter(username="eve").exists()


def test_signing_in_and_out_leaves_no_chatter(client: Client, coordinator: User) -> None:
    sign_in(client)
    html = client.get(reverse("cases:list")).content.decode()
    assert "Successfully signed in" not in html
    assert "Carla" not in html and "carla" in html
    answer = client.post(reverse("account_logout"))
    assert answer.headers["Location"] == reverse("account_login")


@pytest.mark.django_db
def test_an_error_page_needs_no_database_and_says_what_to_do(client: Client) -> None:
    answer = client.get("/nothing/here/")
    html = answer.content.decode()
    assert answer.status_code == 404
    assert "There is nothing here" in html and "To the first page" in html
    assert "Research use only, not for diagnosis" in html
