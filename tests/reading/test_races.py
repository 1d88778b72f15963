"""Many at once: one live score, one signature, nothing after the close."""

from __future__ import annotations

import threading
from collections.abc import Callable
from uuid import uuid4

import pytest
from django.db import connections

from readerstudy.audit import actions as audit
from readerstudy.conduct.actions import close_study, lock_study, open_study, unblind_study
from readerstudy.reading.actions import (
    Closed,
    Conflict,
    Given,
    ReadingError,
    record_answer,
    sign_session,
    start_session,
)
from readerstudy.reading.models import Answer, Score
from readerstudy.schedules.models import OrderSecret
from readerstudy.studies.actions import StudyError
from readerstudy.studies.models import Study
from tests.factories import make_draft, make_open, read_all, read_session

pytestmark = pytest.mark.django_db(transaction=True)
PRESSES = 8


def at_once(act: Callable[[], object], times: int = PRESSES) -> list[object]:
    """What so many threads get that act at the same time: a result, or the refusal."""
    barrier, results = threading.Barrier(times), []

    def run() -> None:
        barrier.wait()
        try:
            results.append(act())
        except (ReadingError, StudyError) as error:
            results.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == times
    return results


def test_one_key_pressed_eight_times_is_one_score() -> None:
    world = make_open()
    start_session(world.readers[0], world.sessions()[0])
    given = Given(uuid4(), world.presentations()[0].pk, {"overall": {"value": 4}})
    results = at_once(lambda: record_answer(world.readers[0], given))
    assert sorted(r.duplicate for r in results) == [False] + [True] * (PRESSES - 1)  # type: ignore[attr-defined]
    assert Score.objects.count() == Answer.objects.count() == 1


def test_eight_devices_with_different_answers_leave_one_and_tell_the_rest() -> None:
    world = make_open()
    start_session(world.readers[0], world.sessions()[0])
    first, values = world.presentations()[0].pk, iter([1, 2, 3, 4] * 2)
    results = at_once(
        lambda: record_answer(world.readers[0], Given(uuid4(), first, {"overall": {"value": next(values)}}))
    )
    assert sum(isinstance(r, Conflict) for r in results) == 6
    assert Score.objects.count() == 1
    assert list(audit.verify(world.study.chain)) == []


def test_signing_happens_once() -> None:
    world = make_open()
    session = world.sessions()[0]
    read_session(world.readers[0], session, sign=False)
    results = at_once(lambda: sign_session(world.readers[0], session, printed_name="R", meaning="mine"))
    assert sum(isinstance(r, Closed) for r in results) == PRESSES - 1


@pytest.mark.parametrize("verb", ["open", "close", "lock", "unblind"])
def test_a_transition_happens_once(verb: str) -> None:
    world = make_draft()
    if verb != "open":
        study = open_study(world.study, world.coordinator)
        read_all(world)
        if verb in {"lock", "unblind"}:
            close_study(study, world.coordinator)
        if verb == "unblind":
            lock_study(study, world.coordinator)
    act = {"open": open_study, "close": close_study, "lock": lock_study, "unblind": unblind_study}[verb]
    results = at_once(lambda: act(world.study, world.second))
    assert sum(isinstance(r, Study) for r in results) == 1
    assert OrderSecret.objects.filter(study=world.study).count() == 1
    assert list(audit.verify(world.study.chain)) == []
