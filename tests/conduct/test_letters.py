"""What a study writes to people, and what the page says when a mail did not go."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse

from readerstudy.accounts.models import User
from readerstudy.audit.models import Entry
from readerstudy.schedules.models import OrderSecret
from tests.factories import World, make_draft

pytestmark = pytest.mark.django_db
ADA = {"role": "reader", "email": "ada@example.org"}


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_the_link_is_mailed_and_shown_once() -> None:
    world = make_draft()
    client = signed_in(world.coordinator)
    answered = client.post(reverse("conduct:invite", args=[world.study.pk]), ADA)
    link = re.search(r"http://testserver(/invitations/[\w-]+/)", answered.content.decode())
    assert link is not None and link[1] in mail.outbox[0].body
    assert b"on its way to ada@example.org" in answered.content
    assert "no-store" in answered["Cache-Control"]
    assert link[1].encode() not in client.get(reverse("conduct:people", args=[world.study.pk])).content
    told = "\n".join(Entry.objects.values_list("text", flat=True))
    assert "ada@example.org" not in told and link[1].split("/")[2] not in told


@pytest.mark.parametrize("backend", ["django.core.mail.backends.console.EmailBackend", "tests.accounts.test_mail.Away"])
def test_a_link_that_was_not_mailed_is_handed_over(backend: str, settings: Any) -> None:
    settings.EMAIL_BACKEND = backend
    world = make_draft()
    answered = signed_in(world.coordinator).post(reverse("conduct:invite", args=[world.study.pk]), ADA)
    text = answered.content.decode()
    assert "No mail went to ada@example.org" in text and "on its way" not in text
    assert re.search(r"http://testserver/invitations/[\w-]+/", text)


def with_addresses() -> World:
    world = make_draft()
    for number, reader in enumerate(world.readers):
        reader.email = f"reader{number}@example.org"
        reader.save()
    return world


def opened_by_page(world: World) -> str:
    answered = signed_in(world.coordinator).post(
        reverse("conduct:transition", args=[world.study.pk, "open"]), follow=True
    )
    return answered.content.decode()


def test_the_commitment_is_mailed_to_the_readers() -> None:
    world = with_addresses()
    assert "No mail went" not in opened_by_page(world)
    commitment = OrderSecret.objects.get(study=world.study).commitment
    assert len(mail.outbox) == 2
    assert all(commitment in message.body for message in mail.outbox)
    assert all("tv_recon" not in message.body for message in mail.outbox)


def test_the_coordinator_hears_whom_the_commitment_did_not_reach(settings: Any) -> None:
    settings.EMAIL_BACKEND = "tests.accounts.test_mail.Away"
    text = opened_by_page(world := with_addresses())
    assert "No mail went to reader0@example.org, reader1@example.org: show them the commitment" in text
    assert OrderSecret.objects.get(study=world.study).commitment in text
