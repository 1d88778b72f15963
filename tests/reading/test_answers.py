"""record_answer: acknowledged means stored, one live score, every change an event."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest
from django.db import DatabaseError, connection, transaction
from django.http import Http404
from django.test import Client

from readerstudy.audit import actions as audit
from readerstudy.audit.models import Entry
from readerstudy.reading.actions import (
    Closed,
    Conflict,
    Given,
    ReadingError,
    record_answer,
    sign_session,
    start_session,
)
from readerstudy.reading.models import Score
from readerstudy.studies.models import Study
from tests.factories import World, answer, make_open, read_session

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    made = make_open()
    start_session(made.readers[0], made.sessions()[0])
    return made


def test_an_answer_is_a_row_and_an_entry_of_the_chain(world: World) -> None:
    first = world.presentations()[0]
    answer(world.readers[0], first, 4)
    score = Score.objects.get(presentation=first)
    assert score.value == 4
    assert score.answer.entry.data["answers"] == {"overall": {"value": 4}}
    assert score.answer.entry.actor == world.readers[0].handle
    assert list(audit.verify(world.study.chain)) == []


def test_the_same_key_again_changes_nothing(world: World) -> None:
    given = Given(uuid4(), world.presentations()[0].pk, {"overall": {"value": 2}})
    assert not record_answer(world.readers[0], given).duplicate
    assert record_answer(world.readers[0], given).duplicate
    assert Score.objects.count() == 1
    assert Entry.objects.filter(verb="score").count() == 1


def test_one_key_has_one_meaning(world: World) -> None:
    key, first = uuid4(), world.presentations()[0]
    record_answer(world.readers[0], Given(key, first.pk, {"overall": {"value": 2}}))
    with pytest.raises(ReadingError, match="another answer"):
        record_answer(world.readers[0], Given(key, first.pk, {"overall": {"value": 3}}))


def test_a_differing_answer_is_shown_not_overwritten(world: World) -> None:
    first = world.presentations()[0]
    answer(world.readers[0], first, 2)
    with pytest.raises(Conflict) as caught:
        answer(world.readers[0], first, 5)
    assert caught.value.stored == {"overall": {"value": 2}}
    assert Score.objects.get(presentation=first).value == 2


def test_an_explicit_replacement_is_an_event_with_both_values(world: World) -> None:
    first = world.presentations()[0]
    answer(world.readers[0], first, 2)
    answer(world.readers[0], first, 5, replaces=True)
    score = Score.objects.get(presentation=first)
    assert (score.value, score.changes) == (5, 1)
    assert score.answer.entry.data["previous"] == {"overall": {"value": 2}}


def test_cannot_judge_is_a_value(world: World) -> None:
    first = world.presentations()[0]
    record_answer(world.readers[0], Given(uuid4(), first.pk, {"overall": {"cannot_judge": "motion"}}))
    score = Score.objects.get(presentation=first)
    assert (score.value, score.cannot_judge) == (None, "motion")


@pytest.mark.parametrize("value", [0, 6, 3.0, "3", None, True])
def test_only_whole_numbers_from_1_to_5(world: World, value: object) -> None:
    with pytest.raises(ReadingError, match="1, 2, 3, 4 or 5"):
        record_answer(world.readers[0], Given(uuid4(), world.presentations()[0].pk, {"overall": {"value": value}}))


def test_images_are_scored_in_their_order(world: World) -> None:
    with pytest.raises(ReadingError, match="order"):
        answer(world.readers[0], world.presentations()[2])


def test_back_reaches_the_last_image_only(world: World) -> None:
    rows = world.presentations()
    for row in rows[:3]:
        answer(world.readers[0], row, 3)
    with pytest.raises(Closed, match="too far back"):
        answer(world.readers[0], rows[1], 5, replaces=True)
    answer(world.readers[0], rows[2], 5, replaces=True)


def test_nobody_answers_for_another(world: World) -> None:
    with pytest.raises(Http404):
        answer(world.readers[1], world.presentations()[0])


def test_a_signed_session_is_immutable_in_the_database_too(world: World) -> None:
    session = world.sessions()[0]
    read_session(world.readers[0], session)
    row = world.presentations()[0]
    with pytest.raises(Closed, match="signed"):
        answer(world.readers[0], row, 1, replaces=True)
    for sql in (
        "UPDATE reading_score SET value = 1 WHERE presentation_id = %s",
        "DELETE FROM reading_score WHERE presentation_id = %s",
    ):
        with (
            pytest.raises(DatabaseError, match="immutable"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(sql, [row.pk])


def test_a_session_is_signed_only_when_every_image_is_scored(world: World) -> None:
    answer(world.readers[0], world.presentations()[0])
    with pytest.raises(ReadingError, match="no score yet"):
        sign_session(world.readers[0], world.sessions()[0], printed_name="R", meaning="I did")


def test_the_next_session_waits_for_the_signature(world: World) -> None:
    first, second = world.sessions()[:2]
    with pytest.raises(Closed, match="before it"):
        start_session(world.readers[0], second)
    read_session(world.readers[0], first)
    assert start_session(world.readers[0], second).started_at is not None


def test_an_answer_during_a_pause_is_kept_by_the_browser_and_stored_afterwards(client: Client) -> None:
    """503, not 423: only what can't come right by waiting may leave the browser's outbox."""
    world = make_open()
    start_session(world.readers[0], world.sessions()[0])
    client.force_login(world.readers[0])
    body = {"key": str(uuid4()), "presentation": world.presentations()[0].pk, "answers": {"overall": {"value": 4}}}
    Study.objects.filter(pk=world.study.pk).update(paused=True)
    held = client.post("/reading/answers/", json.dumps(body), content_type="application/json")
    assert held.status_code == 503 and held.json()["paused"] is True and held["Retry-After"] == "30"
    assert "wait here until it goes on" in held.json()["error"]
    Study.objects.filter(pk=world.study.pk).update(paused=False)
    stored = client.post("/reading/answers/", json.dumps(body), content_type="application/json")
    assert stored.status_code == 200 and stored.json()["stored"] is True
