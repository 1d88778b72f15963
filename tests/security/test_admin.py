"""The administrator's site: through our own sign-in, for people only, never for collected data."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.test import Client

from tests.factories import make_user

pytestmark = pytest.mark.django_db
COLLECTED = {"audit", "jobs", "cases", "reconstructions", "studies", "schedules", "reading", "conduct", "analytics"}


def test_sign_in_goes_through_our_own_page() -> None:
    answer = Client().get("/admin/", follow=True)
    assert answer.redirect_chain[-1][0].startswith("/accounts/login/")


def test_a_person_without_the_right_gets_no_further() -> None:
    client = Client()
    client.force_login(make_user(may_coordinate=True))
    assert client.get("/admin/").status_code in {302, 403}


def test_an_administrator_manages_people() -> None:
    client = Client()
    client.force_login(make_user(is_staff=True, is_superuser=True))
    assert client.get("/admin/accounts/user/").status_code == 200


def test_collected_data_have_no_admin_pages() -> None:
    assert not {model._meta.app_label for model in admin.site._registry} & COLLECTED
