"""Consent: asked once before the first session, recorded with the hash of the text."""

from __future__ import annotations

import hashlib

import pytest
from django.test import Client
from django.urls import reverse

from readerstudy.audit import actions as audit
from readerstudy.audit.models import Entry
from readerstudy.reading.actions import Closed, NotPrepared, give_consent, start_session
from readerstudy.studies.models import Study
from tests.factories import World, make_open

pytestmark = pytest.mark.django_db
TEXT = "You read blinded images.\n\nYour scores are kept under a pseudonym."


@pytest.fixture
def world() -> World:
    return make_open(study={"consent": TEXT})


def page(world: World) -> str:
    return reverse("reading:consent", args=[world.schedule().token])


@pytest.fixture
def reader(world: World) -> Client:
    client = Client()
    client.force_login(world.readers[0])
    return client


def test_the_text_stands_before_the_first_session(world: World, reader: Client) -> None:
    with pytest.raises(NotPrepared) as caught:
        start_session(world.readers[0], world.sessions()[0])
    assert caught.value.step == "consent"
    response = reader.get(reverse("reading:room", args=[world.sessions()[0].token]))
    assert response["Location"] == page(world)
    content = reader.get(page(world)).content.decode()
    assert "<p>You read blinded images.</p>" in content
    assert "A study" in content and "research use only" in content


def test_consent_is_recorded_once_with_the_hash_of_the_text(world: World) -> None:
    for _ in range(2):
        give_consent(world.readers[0], world.schedule())
    entry = Entry.objects.get(verb="reader.consent")
    assert entry.data == {"text": hashlib.sha256(TEXT.encode()).hexdigest()}
    assert entry.actor == world.readers[0].handle
    assert world.schedule().reader.consented_at is not None  # type: ignore[union-attr]
    assert start_session(world.readers[0], world.sessions()[0]).started_at is not None
    assert list(audit.verify(world.study.chain)) == []


def test_the_box_must_be_ticked(world: World, reader: Client) -> None:
    response = reader.post(page(world), {})
    assert "Tick the box" in response.content.decode()
    assert not Entry.objects.filter(verb="reader.consent").exists()


def test_after_it_comes_the_next_step_or_the_worklist(reader: Client, world: World) -> None:
    assert reader.post(page(world), {"agreed": "on"})["Location"] == reverse("reading:worklist")
    assert "You agreed to this on" in reader.get(page(world)).content.decode()


def test_the_display_check_follows(reader: Client) -> None:
    other = make_open(study={"consent": TEXT}, display={"check": "asked"})
    reader.force_login(other.readers[0])
    check = reverse("reading:check", args=[other.sessions()[0].token])
    assert reader.get(check)["Location"] == page(other)
    assert reader.post(page(other), {"agreed": "on"})["Location"] == check


def test_a_study_that_is_not_open_takes_no_consent(world: World, reader: Client) -> None:
    Study.objects.filter(pk=world.study.pk).update(state=Study.State.CLOSED)
    with pytest.raises(Closed, match="no consent now"):
        give_consent(world.readers[0], world.schedule())
    assert reader.get(page(world)).status_code == 423


def test_a_study_without_a_text_asks_for_nothing(reader: Client) -> None:
    other = make_open()
    reader.force_login(other.readers[0])
    assert reader.get(page(other))["Location"] == reverse("reading:worklist")


@pytest.mark.parametrize(("given", "back"), [("consent", "consent"), ("https://elsewhere.example/", "/")])
def test_the_language_is_switched_and_leads_back_to_this_site(
    given: str, back: str, world: World, reader: Client
) -> None:
    content = reader.get(page(world)).content.decode()
    assert f'name="next" value="{page(world)}"' in content and 'name="language" value="de"' in content
    known = {"consent": page(world)}
    response = reader.post(reverse("language"), {"language": "de", "next": known.get(given, given)})
    assert response["Location"] == known.get(back, back)
    assert 'lang="de"' in reader.get(page(world)).content.decode()
