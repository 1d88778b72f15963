"""Simulated readers score images, not names."""

from __future__ import annotations

import pytest

from readerstudy.conduct.actions import open_study
from readerstudy.conduct.verify import verify_study
from readerstudy.demo.simulated import read_everything, score_of
from readerstudy.reading.models import Score
from readerstudy.reconstructions.models import Reconstruction
from readerstudy.schedules.models import Session
from readerstudy.studies.models import Arm, Reader
from tests.factories import World, make_draft

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    made = make_draft()
    Reader.objects.filter(study=made.study).update(simulated=True)
    for number, row in enumerate(Reconstruction.objects.order_by("pk")):
        row.ssim = 0.3 + 0.7 * (number % 11) / 10
        row.save()
    study = open_study(made.study, made.coordinator)
    return World(study, made.coordinator, made.second, made.analyst, made.readers)


def scores(world: World) -> dict[str, int | None]:
    return {row.presentation_id: row.value for row in Score.objects.filter(criterion__study=world.study)}


def test_every_session_is_scored_and_signed_through_the_chain(world: World) -> None:
    assert read_everything(world.study, lambda: None) == 2 * 32
    assert not Session.objects.filter(schedule__study=world.study, schedule__reader__isnull=False, signed_at=None)
    assert list(verify_study(world.study)) == []


def test_running_again_adds_nothing(world: World) -> None:
    read_everything(world.study, lambda: None)
    assert read_everything(world.study, lambda: None) == 0


def test_scores_do_not_depend_on_the_arms_names(world: World) -> None:
    """The same images under permuted names and methods get the same scores, presentation by presentation."""
    from django.db import transaction

    point = transaction.savepoint()
    read_everything(world.study, lambda: None)
    before = scores(world)
    transaction.savepoint_rollback(point)
    arms = list(Arm.objects.filter(study=world.study).order_by("position"))
    names = [(a.key, a.title, a.method) for a in arms]
    for arm in arms:
        arm.key = f"temporary-{arm.pk}"
        arm.save()
    for arm, (key, title, method) in zip(arms, names[1:] + names[:1], strict=True):
        arm.key, arm.title, arm.method = key, title, method
        arm.save()
    read_everything(world.study, lambda: None)
    assert scores(world) == before
    assert len(set(before.values())) > 2


def test_scores_fall_with_distance() -> None:
    assert [score_of(d / 10, 0, 0) for d in range(0, 11, 2)] == sorted(
        (score_of(d / 10, 0, 0) for d in range(0, 11, 2)), reverse=True
    )
    assert (score_of(0, 0, 0), score_of(1, -0.4, -0.5)) == (5, 1)
