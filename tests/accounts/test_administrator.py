"""Whoever installs the product can begin at once, and everybody finds their own account."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from readerstudy.accounts.models import User
from tests.factories import make_open, make_user

pytestmark = pytest.mark.django_db


def test_the_first_administrator_may_coordinate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "a long enough secret")
    call_command("createsuperuser", username="ada", email="ada@example.org", interactive=False, verbosity=0)
    ada = User.objects.get()
    assert ada.is_superuser and ada.may_coordinate and ada.check_password("a long enough secret")
    assert not User.objects.create_user("bob").may_coordinate


def test_a_reader_finds_the_pages_of_the_account() -> None:
    client = Client()
    client.force_login(make_open().readers[0])
    page = client.get(reverse("reading:worklist")).content.decode()
    assert f'href="{reverse("account_change_password")}"' in page
    assert client.get(reverse("account_change_password")).status_code == 200


def test_a_coordinator_finds_them_too() -> None:
    client = Client()
    client.force_login(make_user(may_coordinate=True))
    assert f'href="{reverse("mfa_index")}"' in client.get(reverse("mfa_index")).content.decode()
