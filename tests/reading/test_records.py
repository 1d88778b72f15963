"""What a study asks its readers about themselves: before the first session, kept under the pseudonym, then fixed."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from readerstudy.audit.models import Entry
from readerstudy.conduct.verify import verify_study
from readerstudy.reading.actions import (
    Closed,
    NotPrepared,
    ReadingError,
    give_consent,
    give_record,
    record_practice,
    see_practice,
    start_session,
)
from readerstudy.studies.models import Reader, Study
from tests.factories import World, make_open, make_user, read_session

pytestmark = pytest.mark.django_db
ALL = ["years", "specialty", "board", "cases_per_year", "conflicts"]
SAID = {
    "years": 12, "specialty": "Thoracic radiology", "board": "yes", "cases_per_year": 900,
    "conflicts": "Advises Planted Scanners Ltd",
}  # fmt: skip


@pytest.fixture
def world() -> World:
    return make_open(study={"reader_record": ALL})


def page(world: World, number: int = 0) -> str:
    return reverse("reading:record", args=[world.schedule(number).token])


def client_of(world: World) -> Client:
    client = Client()
    client.force_login(world.readers[0])
    return client


def record_of(world: World) -> dict[str, Any]:
    return Reader.objects.get(study=world.study, number=1).record


def test_it_stands_before_the_first_session_and_after_consent() -> None:
    asked = {"reader_record": ["years"], "consent": "Read."}
    world = make_open(study=asked, design={"practice": 1}, slices={"number": 2})
    session, client = world.sessions()[0], client_of(world)
    room = reverse("reading:room", args=[session.token])
    consent = reverse("reading:consent", args=[world.schedule().token])
    assert client.get(room)["Location"] == consent
    assert client.get(page(world))["Location"] == consent, "nothing is asked of who has not agreed"
    give_consent(world.readers[0], world.schedule())
    with pytest.raises(NotPrepared) as caught:
        start_session(world.readers[0], session)
    assert caught.value.step == "record"
    assert client.get(room)["Location"] == page(world)
    after = client.post(page(world), {"years": "0"})
    assert after["Location"] == reverse("reading:practice", args=[world.schedule().token])
    assert record_of(world) == {"years": 0}
    for image in world.study.practice_images.all():
        see_practice(world.readers[0], image.pk)
        record_practice(world.readers[0], uuid4(), image.pk, {"overall": {"value": 3}})
    assert start_session(world.readers[0], world.sessions()[0]).started_at is not None


def test_the_page_asks_what_the_protocol_asks(world: World) -> None:
    content = client_of(world).get(page(world)).content.decode()
    assert [f'name="{name}"' in content for name in ALL] == [True] * 5 and "never with your name" in content
    other = make_open(study={"reader_record": ["board"]})
    content = client_of(other).get(page(other)).content.decode()
    assert [f'name="{name}"' in content for name in ALL] == [False, False, True, False, False]
    none = make_open()
    assert client_of(none).get(page(none))["Location"] == reverse("reading:worklist")
    assert start_session(none.readers[0], none.sessions()[0]).started_at is not None


def test_what_was_said_is_kept_and_only_its_hash_is_audited(world: World) -> None:
    client = client_of(world)
    client.post(page(world), {**SAID, "years": "12"})
    assert record_of(world) == SAID
    entry = Entry.objects.get(verb="reader.record")
    assert entry.actor == world.readers[0].handle and entry.data["fields"] == sorted(ALL)
    assert "Planted" not in entry.text and "Thoracic" not in entry.text
    give_record(world.readers[0], world.schedule(), SAID)
    assert Entry.objects.filter(verb="reader.record").count() == 1, "the same again is no event"
    client.post(page(world), {**SAID, "years": "13"})
    assert record_of(world)["years"] == 13 and Entry.objects.filter(verb="reader.record").count() == 2
    assert list(verify_study(world.study)) == []
    Reader.objects.filter(study=world.study, number=1).update(record=SAID | {"years": 14})
    assert list(verify_study(world.study)) == ["What reader R1 said about themselves is not what the audit chain says."]


def test_it_is_fixed_once_the_first_session_has_begun(world: World) -> None:
    client, user = client_of(world), world.readers[0]
    assert "asked once" in client.get(reverse("reading:worklist")).content.decode()
    give_record(user, world.schedule(), SAID)
    assert "Change" in client.get(reverse("reading:worklist")).content.decode()
    read_session(user, world.sessions()[0])
    assert "asked once" not in client.get(reverse("reading:worklist")).content.decode()
    with pytest.raises(Closed, match="first session has begun"):
        give_record(user, world.schedule(), SAID | {"years": 40})
    content = client.get(page(world)).content.decode()
    assert "Thoracic radiology" in content and "<input" not in content.split("<main")[1].split("</main>")[0]
    assert client.post(page(world), {**SAID, "years": "40"}).status_code == 423
    assert client.post(page(world), {}).status_code == 423
    assert record_of(world) == SAID


def test_a_study_that_began_without_an_answer_still_gets_it(world: World) -> None:
    user = world.readers[0]
    give_record(user, world.schedule(), SAID)
    read_session(user, world.sessions()[0])
    Reader.objects.filter(study=world.study, number=1).update(record={})
    with pytest.raises(NotPrepared):
        start_session(user, world.sessions()[1])
    give_record(user, world.schedule(), SAID)
    assert start_session(user, world.sessions()[1]).started_at is not None


@pytest.mark.parametrize(
    "wrong",
    [
        {"years": -1}, {"years": 71}, {"years": True}, {"years": "12"}, {"specialty": " "}, {"specialty": "x" * 121},
        {"board": "perhaps"}, {"cases_per_year": 200_001}, {"conflicts": ""}, {"conflicts": 7}, {"more": "x"},
    ],
)  # fmt: skip
def test_what_is_no_answer_is_refused(world: World, wrong: dict[str, Any]) -> None:
    with pytest.raises(ReadingError, match="Answer every question"):
        give_record(world.readers[0], world.schedule(), SAID | wrong)
    with pytest.raises(ReadingError, match="Answer every question"):
        give_record(world.readers[0], world.schedule(), {"years": 3})
    assert record_of(world) == {}


def test_the_form_says_what_is_wrong_and_keeps_the_rest(world: World) -> None:
    response = client_of(world).post(page(world), {**SAID, "years": "many", "conflicts": "", "board": "\x00"})
    content = response.content.decode()
    assert response.status_code == 400 and record_of(world) == {}
    assert "Write “none” if there are none." in content and "Thoracic radiology" in content


def test_nobody_else_writes_it_and_only_while_the_study_is_open(world: World) -> None:
    strangers = [world.readers[1], world.coordinator, make_user()]
    for user in strangers:
        client = Client()
        client.force_login(user)
        assert client.post(page(world), SAID).status_code == 404
    Study.objects.filter(pk=world.study.pk).update(state=Study.State.CLOSED)
    with pytest.raises(Closed):
        give_record(world.readers[0], world.schedule(), SAID)


def test_a_simulated_reader_is_asked_nothing(world: World) -> None:
    Reader.objects.filter(study=world.study, number=1).update(simulated=True)
    assert start_session(world.readers[0], world.sessions()[0]).started_at is not None
    assert "asked once" not in client_of(world).get(reverse("reading:worklist")).content.decode()


def test_it_is_asked_in_german_too(world: World) -> None:
    client = Client(headers={"accept-language": "de"})
    client.force_login(world.readers[0])
    content = client.get(page(world)).content.decode()
    assert "Interessenkonflikte" in content and "Ihre Angaben unter R1" in content
    client.post(page(world), {**SAID, "board": "in training"})
    assert record_of(world)["board"] == "in training", "stored the same in every language"
