"""What the room's page is told: reference beside, neighbouring slices, pairs, marks; never an arm."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from readerstudy.cases.models import Look
from readerstudy.conduct.verify import verify_study
from readerstudy.reading.actions import Given, Mark, record_answer, record_mark, start_session
from readerstudy.reading.models import Score
from readerstudy.reading.rooms import room
from readerstudy.studies.actions import StudyError
from readerstudy.studies.queries import protocol_of
from tests.factories import World, make_draft, make_open

pytestmark = pytest.mark.django_db
PAIRS = {"left": "the left image", "equal": "no difference", "right": "the right image"}


def opened(**changes: Any) -> World:
    world = make_open(**changes)
    start_session(world.readers[0], world.sessions()[0])
    return world


def data(world: World) -> dict[str, Any]:
    return room(world.sessions()[0], protocol_of(world.study))


def client(world: World) -> Client:
    made = Client()
    made.force_login(world.readers[0])
    return made


def test_the_reference_beside_is_a_pane_without_an_arm() -> None:
    world = opened(display={"reference": "beside", "check": "off"})
    item = data(world)["items"][0]
    assert len(item["panes"]) == 2 and item["reference"] == 1
    frames = [client(world).get(pane[0]["url"]) for pane in item["panes"]]
    assert [frame.status_code for frame in frames] == [200, 200]
    assert len({len(frame.content) for frame in frames}) == 1 and frames[0].content != frames[1].content
    assert Look.objects.filter(user=world.readers[0]).exists(), "who has seen references never reads them elsewhere"
    assert list(verify_study(world.study)) == []


def test_neighbouring_slices_come_with_their_offsets() -> None:
    world = opened(display={"context_slices": 1, "check": "off"})
    offsets = {tuple(frame["offset"] for frame in item["panes"][0]) for item in data(world)["items"]}
    assert offsets == {(0, 1), (0, -1)}, "cases of two slices have one neighbour each"
    for frame in data(world)["items"][0]["panes"][0]:
        assert client(world).get(frame["url"]).status_code == 200
    assert list(verify_study(world.study)) == []


def test_opening_needs_the_references_that_stand_beside() -> None:
    world = make_draft(display={"reference": "beside", "check": "off"})
    from readerstudy.conduct.actions import open_study
    from readerstudy.reconstructions.models import Run

    Run.objects.filter(method="reference").delete()
    with pytest.raises(StudyError, match=r"images are missing, the first is .* by the reference"):
        open_study(world.study, world.coordinator)


def test_pairs_are_two_blinded_panes_and_take_a_choice() -> None:
    criteria = [{"key": "overall", "title": "Overall", "question": "Which is better?", "texts": PAIRS}]
    world = opened(design={"kind": "pairwise"}, criteria=criteria, sessions={"number": 2}, slices={"number": 6})
    told = data(world)
    assert told["mode"] == "pairwise" and all(len(item["panes"]) == 2 for item in told["items"])
    first = told["items"][0]["id"]
    record_answer(world.readers[0], Given(uuid4(), first, {"overall": {"choice": "equal"}}))
    assert Score.objects.get().choice == "equal"
    assert data(world)["items"][0]["scores"] == {"overall": {"choice": "equal"}}


def test_marks_and_comments_come_back() -> None:
    world = opened()
    reader, first = world.readers[0], world.presentations()[0]
    made = Mark(uuid4(), 0, 0, "line", [(1.25, 2), (9, 9)], "blur")
    record_mark(reader, uuid4(), first.pk, made)
    record_answer(reader, Given(uuid4(), first.pk, {"overall": {"value": 2}}, comment="soft"))
    item = data(world)["items"][0]
    assert item["marks"] == [made.as_data()] and item["comment"] == "soft"
    assert item["scores"] == {"overall": {"value": 2}}
