"""What a coordinator sees while scores come in: never per arm, and the half-width only by the plan's leave."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from readerstudy.audit.models import Entry
from readerstudy.conduct.actions import look_at_agreement, open_study, set_paused
from readerstudy.conduct.queries import progress
from readerstudy.reading.actions import Given, Timing, record_answer, sign_session, start_session
from readerstudy.schedules.models import Session
from readerstudy.studies.actions import StudyError
from tests.factories import ARMS, World, make_draft, make_open, read_all

pytestmark = pytest.mark.django_db
RULE = {"stopping_rule": "Stop when the half-width is below .1."}


def read_timed(world: World, *, fast: int) -> None:
    """The first reader gives the same score to three sessions of four, so many of them too fast; signs two."""
    number = 0
    for session in world.sessions()[:3]:
        start_session(world.readers[0], session)
        for row in session.presentations.order_by("position"):
            timing = Timing(elapsed_ms=1000 * (number + 1), too_fast=number < fast)
            record_answer(world.readers[0], Given(uuid4(), row.pk, {"overall": {"value": 3}}, timing=timing))
            number += 1
        if session.number < 3:
            sign_session(world.readers[0], session, printed_name="R", meaning="mine")


def test_pace_missing_and_flags() -> None:
    world = make_open()
    read_timed(world, fast=3)
    first, second = progress(world.study)
    assert (first.done, first.total, first.missing, first.signed, first.sessions) == (24, 32, 8, 2, 4)
    assert first.median_seconds == 12.5 and first.last_activity is not None
    assert first.flags == ("12 % too fast", "one score only: Overall")
    assert (second.done, second.median_seconds, second.flags) == (0, None, ())


def test_a_flagged_display_is_named_by_its_session() -> None:
    world = make_open()
    session = world.sessions()[0]
    start_session(world.readers[0], session)
    Session.objects.filter(pk=session.pk).update(environment={"check": "flagged"})
    assert progress(world.study)[0].flags == ("display check not passed: session 1",)


def test_flags_are_fixed_at_the_opening(monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_open()
    monkeypatch.setattr("readerstudy.conduct.flags.FLAGS", None)
    entry = Entry.objects.get(chain__name=world.study.chain, verb="study.open")
    assert entry.data["flags"] == {"too_fast_share": 0.1, "enough": 20}
    assert progress(world.study)[0].flags == ()


def test_the_page_names_no_arm_beside_a_number(django_assert_max_num_queries: object) -> None:
    world = make_open()
    read_timed(world, fast=0)
    client = Client()
    client.force_login(world.coordinator)
    with django_assert_max_num_queries(15):  # type: ignore[operator]
        content = client.get(reverse("conduct:monitor", args=[world.study.pk])).content.decode()
    assert "24 / 32" in content and not any(arm in content for arm in ARMS)


def test_the_half_width_needs_a_stopping_rule_and_every_look_is_recorded() -> None:
    world = make_open()
    with pytest.raises(StudyError, match="no stopping rule"):
        look_at_agreement(world.study, world.coordinator)
    draft = make_draft(plan=RULE, slices={"number": 12})
    study = open_study(draft.study, draft.coordinator)
    assert look_at_agreement(study, draft.coordinator).half_width is None
    read_all(draft)
    seen = look_at_agreement(study, draft.second)
    assert seen.images == 48 and seen.half_width is not None and 0 < seen.half_width < 1
    looks = Entry.objects.filter(chain__name=study.chain, verb="study.look").order_by("sequence")
    assert [(e.actor, e.data["half_width"]) for e in looks] == [
        (draft.coordinator.handle, None), (draft.second.handle, seen.half_width)
    ]  # fmt: skip
    with pytest.raises(StudyError, match="coordinator of this study"):
        look_at_agreement(study, draft.analyst)


def test_a_pause_has_a_reason_that_the_page_shows() -> None:
    world = make_open()
    with pytest.raises(StudyError, match="why the study pauses"):
        set_paused(world.study, world.coordinator, paused=True, reason="")
    client, page = Client(), reverse("conduct:pause", args=[world.study.pk])
    client.force_login(world.coordinator)
    assert b"Scanner check" in client.post(page, {"reason": "Scanner check"}, follow=True).content
    assert b"Scanner check" not in client.post(page, follow=True).content
