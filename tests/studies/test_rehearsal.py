"""The study as a reader sees it: the room's shape, nobody's arms, nothing stored but the look."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from readerstudy.audit.models import Entry
from readerstudy.cases import store
from readerstudy.cases.models import Look
from readerstudy.conduct.actions import close_study
from readerstudy.reading.models import Answer, PracticeAnswer, Score
from readerstudy.reading.rooms import practice_room
from readerstudy.reconstructions.models import Reconstruction
from readerstudy.schedules.models import Presentation
from readerstudy.studies.queries import protocol_of
from readerstudy.studies.rehearsal import room, specimens
from tests.factories import SIDE, World, make_draft, make_open

pytestmark = pytest.mark.django_db
PAIR = [{"key": "overall", "title": "O", "question": "?", "texts": {"left": "l", "equal": "e", "right": "r"}}]


def entered(world: World) -> Client:
    client = Client()
    client.force_login(world.coordinator)
    return client


def url(world: World, name: str = "preview", *more: int) -> str:
    return reverse(f"studies:{name}", args=[world.study.pk, *more])


def told(world: World) -> dict[str, Any]:
    protocol = protocol_of(world.study)
    return room(world.study, protocol, specimens(protocol))


def test_the_room_has_the_shape_of_a_practice() -> None:
    world = make_open(design={"practice": 2}, slices={"number": 5, "one_per_patient": True})
    real, ours = practice_room(world.schedule(), protocol_of(world.study)), told(world)
    assert ours.keys() == real.keys() and ours["display"] == real["display"] and ours["criteria"] == real["criteria"]
    assert ours["items"][0].keys() == real["items"][0].keys()
    assert ours["labels"] == protocol_of(world.study).display.labels


def test_six_slices_of_all_modalities_and_no_arm() -> None:
    world = make_open()
    page = entered(world).get(url(world)).content.decode()
    items = told(world)["items"]
    assert len(items) == 6 and {item["modality"] for item in items} == {"CT", "MR", "US"}
    for secret in [*Presentation.objects.values_list("pk", flat=True), "tv_recon", "pix2pix"]:
        assert secret not in page
    assert "Preview: nothing is stored" in page


def test_a_frame_counts_as_a_look_and_is_no_arms_image() -> None:
    world = make_draft()
    answer = entered(world).get(url(world, "preview_frame", 1, 0, 0))
    assert len(answer.content) == 2 * SIDE * SIDE and answer["Cache-Control"] == "private, no-store"
    look = Look.objects.get()
    assert look.user == world.coordinator
    assert Entry.objects.filter(verb="case.look").count() == 1
    arms = {store.get(name) for name in Reconstruction.objects.values_list("pixels", flat=True)}
    assert answer.content not in arms


def test_frames_that_do_not_exist() -> None:
    world = make_draft()
    client = entered(world)
    for place in ((9, 0, 0), (0, 1, 0), (0, 0, 1)):
        assert client.get(url(world, "preview_frame", *place)).status_code == 404


def test_an_answer_is_heard_and_not_kept() -> None:
    world = make_draft()
    key = str(uuid4())
    before = Entry.objects.count()
    answer = entered(world).post(url(world, "preview_answers"), {"key": key}, content_type="application/json")
    assert answer.json() == {"key": key, "stored": True, "duplicate": False}
    assert Entry.objects.count() == before
    assert not (Score.objects.exists() or Answer.objects.exists() or PracticeAnswer.objects.exists())


def test_two_panes_for_pairs_and_for_the_reference_beside() -> None:
    pairs = told(make_draft(criteria=PAIR, design={"kind": "pairwise"}))
    assert (
        pairs["mode"] == "pairwise" and len(pairs["items"][0]["panes"]) == 2 and pairs["items"][0]["reference"] is None
    )
    beside = told(make_draft(display={"reference": "beside", "context_slices": 1}))
    assert beside["items"][0]["reference"] == 1
    assert [frame["offset"] for frame in beside["items"][0]["panes"][0]] in ([0, -1], [0, 1])


def test_nothing_eligible_and_closed_are_said() -> None:
    world = make_draft(slices={"anatomy": ["moon"]})
    answer = entered(world).get(url(world), follow=True)
    assert b"No slice is eligible yet" in answer.content
    world = make_open()
    close_study(world.study, world.coordinator)
    answer = entered(world).get(url(world), follow=True)
    assert b"while it is a draft or open" in answer.content
