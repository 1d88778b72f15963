"""Marks: checked, stored once, every change an event, nothing overwritten unseen, immutable once signed."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import DatabaseError, transaction
from django.test import Client

from readerstudy.audit import actions as audit
from readerstudy.audit.models import Entry
from readerstudy.conduct.verify import verify_study
from readerstudy.reading.actions import (
    Closed,
    Conflict,
    Mark,
    ReadingError,
    record_mark,
    sign_session,
    start_session,
)
from readerstudy.reading.models import Annotation
from tests.factories import World, answer, make_open, read_session

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    made = make_open()
    start_session(made.readers[0], made.sessions()[0])
    return made


def mark(**changes: Any) -> Mark:
    values: dict[str, Any] = {
        "id": uuid4(), "pane": 0, "frame": 0, "shape": "ellipse", "points": [(1.0, 2.0), (5.5, 7.25)], "label": "noise",
    }  # fmt: skip
    return Mark(**(values | changes))


def put(world: World, made: Mark, position: int = 0, key: UUID | None = None) -> None:
    record_mark(world.readers[0], key or uuid4(), world.presentations()[position].pk, made)


def test_a_mark_is_stored_as_given_and_changed_by_the_next_revision(world: World) -> None:
    first = mark()
    put(world, first)
    put(world, mark(id=first.id, points=[(2, 3), (6, 8)], label="blur", comment="rim", revision=2))
    row = Annotation.objects.get()
    assert (row.points, row.label, row.comment, row.revision) == ([[2.0, 3.0], [6.0, 8.0]], "blur", "rim", 2)
    events = Entry.objects.filter(chain__name=world.study.chain, verb="mark").order_by("sequence")
    assert [event.data["mark"]["revision"] for event in events] == [1, 2]
    assert list(audit.verify(world.study.chain)) == [] and list(verify_study(world.study)) == []


def test_the_same_key_again_changes_nothing(world: World) -> None:
    made, key = mark(), uuid4()
    for _ in range(3):
        put(world, made, key=key)
    assert Entry.objects.filter(verb="mark").count() == 1
    with pytest.raises(ReadingError, match="key was used for another answer"):
        put(world, mark(), key=key)


def test_a_change_made_elsewhere_is_shown_not_overwritten(world: World) -> None:
    first = mark()
    put(world, first)
    put(world, mark(id=first.id, label="blur", revision=2))
    with pytest.raises(Conflict, match="changed in another window") as caught:
        put(world, mark(id=first.id, label="artefact", revision=2))
    assert caught.value.stored["label"] == "blur" and caught.value.stored["revision"] == 2
    assert Annotation.objects.get().label == "blur"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"shape": "star"}, "A mark is one of point, arrow"),
        ({"shape": "line", "points": [(1, 1)]}, "shape line has 2 to 2 points"),
        ({"points": [(1, 1), (17, 3)]}, "inside its image"),
        ({"points": [(1, 1), (float("nan"), 3)]}, "inside its image"),
        ({"label": "lost structure"}, "one of artefact, noise, blur, finding"),
        ({"pane": 1}, "on the image that is judged"),
        ({"frame": 1}, "on the image that is judged"),
        ({"confidence": 3, "consequence": "none"}, "in the comparison with the reference only"),
        ({"comment": "x" * 2001}, "2000 characters at most"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(world: World, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ReadingError, match=sentence):
        put(world, mark(**changes))
    assert not Annotation.objects.exists()


def test_marks_follow_the_order_of_images(world: World) -> None:
    with pytest.raises(ReadingError, match="in their order"):
        put(world, mark(), position=1)
    rows = world.presentations()
    for row in rows[:3]:
        answer(world.readers[0], row)
    put(world, mark(), position=3)
    put(world, mark(), position=2)
    with pytest.raises(Closed, match="too far back"):
        put(world, mark(), position=0)


def test_a_mark_stays_with_its_image(world: World) -> None:
    first = mark()
    put(world, first)
    answer(world.readers[0], world.presentations()[0])
    with pytest.raises(ReadingError, match="belongs to another image"):
        put(world, mark(id=first.id, revision=2), position=1)


def test_after_the_signature_the_database_refuses(world: World) -> None:
    put(world, mark())
    session = world.sessions()[0]
    read_session(world.readers[0], session)
    session.refresh_from_db()
    assert len(session.signature["marks"]) == 64
    with pytest.raises(Closed, match="signed"):
        put(world, mark())
    with pytest.raises(DatabaseError, match="immutable"), transaction.atomic():
        Annotation.objects.update(label="blur")
    with pytest.raises(DatabaseError, match="immutable"), transaction.atomic():
        Annotation.objects.all().delete()
    with pytest.raises(Closed, match="signed already"):
        sign_session(world.readers[0], session, printed_name="A", meaning="B")


def post(client: Client, body: Any) -> Any:
    return client.post("/reading/answers/", body, content_type="application/json")


def test_the_address_takes_marks_and_says_what_is_wrong(world: World) -> None:
    client = Client()
    client.force_login(world.readers[0])
    good = {
        "id": str(uuid4()), "pane": 0, "frame": 0, "shape": "point", "points": [[3.5, 4]], "label": "noise",
        "comment": "", "confidence": None, "consequence": "", "deleted": False, "revision": 1,
    }  # fmt: skip
    body = {"key": str(uuid4()), "presentation": world.presentations()[0].pk, "mark": good}
    assert post(client, body).json() == {"key": body["key"], "stored": True, "duplicate": False}
    assert post(client, body).json()["duplicate"] is True
    again = post(client, body | {"key": str(uuid4())})
    assert again.status_code == 409 and again.json()["stored"]["revision"] == 1
    for name, value in {
        "id": "x", "pane": -1, "frame": None, "shape": 7, "points": "abc", "label": "", "revision": 1.5,
        "confidence": "high", "points ": [[1]],
    }.items():  # fmt: skip
        wrong = {**good, "id": str(uuid4()), name.strip(): value}
        response = post(client, {"key": str(uuid4()), "presentation": world.presentations()[0].pk, "mark": wrong})
        assert response.status_code == 400 and response.json()["error"], name
    assert post(client, {"key": str(uuid4()), "presentation": "x", "mark": []}).status_code == 400
    assert post(client, {"key": str(uuid4()), "presentation": "x", "mark": good}).status_code == 404
