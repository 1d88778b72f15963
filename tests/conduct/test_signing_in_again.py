"""Unblinding can't be undone: the page asks for the password again, then does what was asked."""

from __future__ import annotations

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from readerstudy.conduct.actions import close_study, lock_study
from readerstudy.studies.models import Study
from tests.factories import PASSWORD, World, make_open, read_all

pytestmark = pytest.mark.django_db


@pytest.fixture
def locked() -> World:
    cache.clear()
    world = make_open()
    read_all(world)
    lock_study(close_study(world.study, world.coordinator), world.coordinator)
    return world


def test_unblinding_waits_for_the_password_and_is_done_after_it(locked: World) -> None:
    client = Client()
    client.force_login(locked.second)
    address = reverse("conduct:transition", args=[locked.study.pk, "unblind"])
    asked = client.post(address)
    assert asked.status_code == 302 and "/accounts/reauthenticate/" in asked["Location"]
    locked.study.refresh_from_db()
    assert locked.study.state == Study.State.LOCKED
    wrong = client.post(asked["Location"], {"password": "not the password"})
    assert wrong.status_code == 200
    locked.study.refresh_from_db()
    assert locked.study.state == Study.State.LOCKED
    client.post(asked["Location"], {"password": PASSWORD}, follow=True)
    locked.study.refresh_from_db()
    assert locked.study.state == Study.State.UNBLINDED


def test_who_has_just_signed_in_is_not_asked_again(locked: World) -> None:
    client = Client()
    client.force_login(locked.second)
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    client.post(reverse("conduct:transition", args=[locked.study.pk, "unblind"]))
    locked.study.refresh_from_db()
    assert locked.study.state == Study.State.UNBLINDED
