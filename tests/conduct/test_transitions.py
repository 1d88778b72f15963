"""open, close, lock, unblind: who may, when, and exactly once."""

from __future__ import annotations

import pytest

from readerstudy.audit.models import Entry
from readerstudy.cases.models import Look
from readerstudy.conduct.actions import (
    close_study,
    lock_study,
    open_study,
    set_paused,
    unblind_study,
    waive_session,
)
from readerstudy.conduct.verify import verify_study
from readerstudy.reading.actions import Closed, start_session
from readerstudy.reconstructions.models import Reconstruction
from readerstudy.schedules.models import OrderSecret, Presentation, Schedule
from readerstudy.studies.actions import StudyError, add_member
from readerstudy.studies.models import Study, StudySlice
from tests.factories import World, answer, make_draft, make_open, make_user, read_all

pytestmark = pytest.mark.django_db


@pytest.fixture
def read_world() -> World:
    world = make_open()
    read_all(world)
    return world


def test_opening_freezes_and_draws_everything() -> None:
    world = make_open()
    study = Study.objects.get(pk=world.study.pk)
    assert study.state == Study.State.OPEN
    assert len(study.protocol_hash) == len(study.plan_hash) == 64
    assert StudySlice.objects.filter(study=study).count() == 8
    assert Schedule.objects.filter(study=study).count() == 3
    assert Schedule.objects.filter(study=study, reader=None).count() == 1
    assert Presentation.objects.filter(session__schedule__study=study).count() == 3 * 8 * 4
    entry = Entry.objects.get(chain__name=study.chain, verb="study.open")
    assert entry.data["commitment"] == OrderSecret.objects.get(study=study).commitment
    assert list(verify_study(study)) == []


def test_the_order_secret_is_made_at_opening_and_not_from_the_seed() -> None:
    first, second = make_open(), make_open()
    secrets = OrderSecret.objects.values_list("secret", flat=True)
    assert len(set(secrets)) == 2
    assert first.study.protocol["study"]["seed"] == second.study.protocol["study"]["seed"]


def test_a_missing_image_stops_the_opening_and_is_named() -> None:
    world = make_draft()
    Reconstruction.objects.filter(run__method="restormer").delete()
    with pytest.raises(StudyError, match=r"images are missing, the first is .* by restormer"):
        open_study(world.study, world.coordinator)
    world.study.refresh_from_db()
    assert world.study.state == Study.State.DRAFT
    assert not StudySlice.objects.filter(study=world.study).exists()


def test_opening_needs_the_readers_of_the_protocol() -> None:
    world = make_draft(design={"readers": 2})
    world.study.readers.get(number=2).delete()
    with pytest.raises(StudyError, match="asks for 2 readers and 1"):
        open_study(world.study, world.coordinator)


def test_who_has_seen_a_reference_cant_read_the_case() -> None:
    world = make_draft(slices={"number": 12})
    run = Reconstruction.objects.first()
    assert run is not None
    Look.objects.create(case=run.slice.case, user=world.readers[0])
    with pytest.raises(StudyError, match="unblinded"):
        open_study(world.study, world.coordinator)


def test_only_a_coordinator_of_the_study_moves_it() -> None:
    world = make_draft()
    for user in (world.analyst, world.readers[0], make_user(may_coordinate=True)):
        with pytest.raises(StudyError, match="coordinator of this study"):
            open_study(world.study, user)


def test_nobody_has_two_roles() -> None:
    world = make_draft()
    with pytest.raises(StudyError, match="already has a role"):
        add_member(world.study, world.analyst, "reader", world.coordinator)


def test_the_way_to_unblinding_needs_two_people(read_world: World) -> None:
    study, coordinator = read_world.study, read_world.coordinator
    close_study(study, coordinator)
    lock_study(study, coordinator)
    with pytest.raises(StudyError, match="Another coordinator"):
        unblind_study(study, coordinator)
    done = unblind_study(study, read_world.second)
    assert done.state == Study.State.UNBLINDED
    assert OrderSecret.objects.get(study=study).revealed_at is not None
    with pytest.raises(StudyError, match="only once"):
        unblind_study(study, read_world.second)
    assert list(verify_study(done)) == []


@pytest.mark.parametrize("verb", [close_study, lock_study, unblind_study])
def test_no_step_is_left_out(verb: object) -> None:
    world = make_draft()
    with pytest.raises(StudyError, match="Only"):
        verb(world.study, world.coordinator)  # type: ignore[operator]


def test_an_unsigned_session_needs_a_reason() -> None:
    world = make_open(sessions={"number": 1})
    close_study(world.study, world.coordinator)
    with pytest.raises(StudyError, match="2 sessions are neither signed"):
        lock_study(world.study, world.coordinator)
    for number in range(2):
        waive_session(world.sessions(number)[0], world.coordinator, "The reader left the hospital.")
    assert lock_study(world.study, world.coordinator).state == Study.State.LOCKED


def test_a_paused_study_takes_no_answers_and_goes_on() -> None:
    world = make_open()
    start_session(world.readers[0], world.sessions()[0])
    set_paused(world.study, world.coordinator, paused=True, reason="Scanner check")
    with pytest.raises(Closed, match="paused"):
        answer(world.readers[0], world.presentations()[0])
    set_paused(world.study, world.coordinator, paused=False, reason="")
    answer(world.readers[0], world.presentations()[0])


def test_a_closed_study_takes_no_answers() -> None:
    world = make_open()
    start_session(world.readers[0], world.sessions()[0])
    close_study(world.study, world.coordinator)
    with pytest.raises(Closed):
        answer(world.readers[0], world.presentations()[0])
