"""The training phase: patients outside the study, graded, apart from the data, before the first session."""

from __future__ import annotations

from uuid import uuid4

import numpy as np
import pytest
from django.test import Client

from readerstudy.cases import store
from readerstudy.cases.models import Look
from readerstudy.conduct.actions import close_study
from readerstudy.reading.actions import NotPrepared, ReadingError, record_practice, start_session
from readerstudy.reading.models import Answer, PracticeAnswer, Score
from readerstudy.studies.actions import StudyError
from tests.factories import SIDE, World, make_open

pytestmark = pytest.mark.django_db
OVERALL = {"overall": {"value": 3}}


@pytest.fixture
def world() -> World:
    """Six patients with two slices each; four slices drawn leave at least two patients for practice."""
    return make_open(slices={"number": 4}, design={"practice": 5}, sessions={"number": 4})


def test_images_are_graded_and_of_other_patients(world: World) -> None:
    images = list(world.study.practice_images.select_related("slice__case"))
    assert sorted(image.grade for image in images) == [1, 2, 3, 4, 5]
    patients = {row.slice.case.patient_id for row in world.study.slices.select_related("slice__case")}
    assert not patients & {image.slice.case.patient_id for image in images}
    distances = {}
    for image in images:
        shown = store.get_slice(image.pixels, SIDE, SIDE).astype(float)
        distances[image.grade] = np.abs(shown - store.get_slice(image.slice.pixels, SIDE, SIDE)).mean()
    assert distances[5] == 0 and distances[1] > distances[4] > 0


def test_the_first_session_waits_for_it(world: World) -> None:
    reader = world.readers[0]
    with pytest.raises(NotPrepared) as caught:
        start_session(reader, world.sessions()[0])
    assert caught.value.step == "practice"
    for image in world.study.practice_images.all():
        record_practice(reader, uuid4(), image.pk, OVERALL)
    assert start_session(reader, world.sessions()[0]).started_at is not None
    assert not Score.objects.exists() and not Answer.objects.exists()


def test_answers_are_kept_once_and_checked(world: World) -> None:
    reader, image, key = world.readers[0], world.study.practice_images.all()[0], uuid4()
    assert not record_practice(reader, key, image.pk, OVERALL).duplicate
    assert record_practice(reader, key, image.pk, OVERALL).duplicate
    record_practice(reader, uuid4(), image.pk, {"overall": {"value": 5}})
    assert PracticeAnswer.objects.get().answers == {"overall": {"value": 5}}
    for wrong in ({}, {"overall": {"value": 9}}, {"noise": {"value": 3}}):
        with pytest.raises(ReadingError, match="every question"):
            record_practice(reader, uuid4(), image.pk, wrong)


def test_the_pages(world: World) -> None:
    reader, token = world.readers[0], world.schedule().token
    image = world.study.practice_images.all()[0]
    client = Client()
    client.force_login(reader)
    assert client.get(f"/reading/{world.sessions()[0].token}/").headers["Location"] == f"/reading/{token}/practice/"
    assert image.pk in client.get(f"/reading/{token}/practice/").content.decode()
    assert len(client.get(f"/reading/practice/{image.pk}/").content) == SIDE * SIDE * 2
    assert Look.objects.filter(user=reader, case=image.slice.case).exists()
    body = {"key": str(uuid4()), "presentation": image.pk, "answers": OVERALL}
    reply = client.post("/reading/practice/answers/", body, content_type="application/json")
    assert reply.json() == {"key": body["key"], "stored": True, "duplicate": False}
    stranger = Client()
    stranger.force_login(world.coordinator)
    assert stranger.get(f"/reading/practice/{image.pk}/").status_code == 404
    assert stranger.post("/reading/practice/answers/", body, content_type="application/json").status_code == 404
    close_study(world.study, world.coordinator)
    assert client.get(f"/reading/practice/{image.pk}/").status_code == 404
    assert client.get(f"/reading/{token}/practice/").status_code == 423


def test_opening_says_when_no_patient_is_left() -> None:
    with pytest.raises(StudyError, match="every eligible slice is of a patient in the study"):
        make_open(slices={"number": 12}, design={"practice": 3})
