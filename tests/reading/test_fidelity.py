"""The fidelity pass: drawn and sealed at opening, hidden until the scores are final, then final for ever."""

from __future__ import annotations

from collections import Counter
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from readerstudy.audit.models import Entry
from readerstudy.cases.models import Look
from readerstudy.conduct.verify import verify_study
from readerstudy.reading.actions import (
    Closed,
    Given,
    Mark,
    ReadingError,
    begin_fidelity,
    record_answer,
    record_mark,
    sign_session,
    start_session,
)
from readerstudy.reading.queries import uncompared
from readerstudy.schedules.models import Presentation, Session
from readerstudy.schedules.queries import stored_orders_as_data
from tests.factories import World, answer, make_open, read_session

pytestmark = pytest.mark.django_db
KIND = Presentation.Kind


@pytest.fixture
def world() -> World:
    """Eight images a session, two of them (a quarter) compared afterwards."""
    return make_open(design={"fidelity": 0.25})


def parts(session: Session) -> tuple[list[Presentation], list[Presentation]]:
    rows = list(session.presentations.order_by("position"))
    return [r for r in rows if r.kind == KIND.MAIN], [r for r in rows if r.kind == KIND.FIDELITY]


def score(world: World, session: Session) -> None:
    start_session(world.readers[0], session)
    for row in parts(session)[0]:
        answer(world.readers[0], row)


def compared(row: Presentation, **values: Any) -> Given:
    return Given(uuid4(), row.pk, values.pop("answers", {}), **values)


def test_it_is_drawn_from_the_scored_images_with_the_reference_beside(world: World) -> None:
    for session in world.sessions():
        first, again = parts(session)
        assert (len(first), len(again)) == (8, 2)
        assert [row.position for row in again] == [8, 9]
        assert len({row.study_slice_id for row in again}) == 2
        for row in again:
            assert row.repeat_of in first and row.repeat_of.study_slice_id == row.study_slice_id
            arm, reference = row.panes.order_by("index")
            assert arm.arm_id == row.repeat_of.panes.get().arm_id
            assert reference.arm_id is None and reference.run.method == "reference"
    assert list(verify_study(world.study)) == []


def test_the_commitment_covers_it(world: World) -> None:
    rows = stored_orders_as_data(world.study)
    assert Counter(len(row) for order in rows for row in order) == {5: 3 * 32, 6: 3 * 8}
    assert all(row[-1] == "fidelity" for order in rows for row in order if len(row) == 6)


def test_nothing_of_it_is_to_be_had_before_the_scores_are_final(world: World) -> None:
    reader, session = world.readers[0], world.sessions()[0]
    start_session(reader, session)
    first, again = parts(session)
    client = Client()
    client.force_login(reader)
    page = client.get(f"/reading/{session.token}/").content.decode()
    assert not any(row.pk in page for row in again) and all(row.pk in page for row in first)
    assert client.get(f"/reading/p/{again[0].pk}/1/0/").status_code == 404
    with pytest.raises(Closed, match="Score all images"):
        record_answer(reader, compared(again[0]))
    with pytest.raises(ReadingError, match="Score all images"):
        begin_fidelity(reader, session)


def test_then_the_scores_are_final_and_the_marks_are_lost_or_invented(world: World) -> None:
    reader, session = world.readers[0], world.sessions()[0]
    score(world, session)
    first, again = parts(session)
    with pytest.raises(ReadingError, match="2 images still have to be compared"):
        sign_session(reader, session, printed_name="A", meaning="B")
    begin_fidelity(reader, session)
    begin_fidelity(reader, session)
    assert Entry.objects.filter(verb="session.final").count() == 1
    assert Look.objects.filter(user=reader).exists()
    with pytest.raises(Closed, match="final"):
        answer(reader, first[-1], 1, replaces=True)
    made = Mark(uuid4(), 0, 0, "point", [(3, 3)], "lost structure", "", 4, "could change the report")
    record_mark(reader, uuid4(), again[0].pk, made)
    with pytest.raises(ReadingError, match="confidence"):
        record_mark(reader, uuid4(), again[0].pk, Mark(uuid4(), 0, 0, "point", [(3, 3)], "lost structure"))
    with pytest.raises(ReadingError, match="lost structure, invented structure"):
        record_mark(reader, uuid4(), again[0].pk, Mark(uuid4(), 0, 0, "point", [(3, 3)], "noise", "", 4, "none"))
    with pytest.raises(ReadingError, match="image that is judged"):
        record_mark(
            reader, uuid4(), again[0].pk, Mark(uuid4(), 1, 0, "point", [(3, 3)], "lost structure", "", 4, "none")
        )
    with pytest.raises(ReadingError, match="nothing is scored"):
        record_answer(reader, compared(again[0], answers={"overall": {"value": 3}}))
    for row in again:
        record_answer(reader, compared(row))
    assert uncompared(session) == 0
    sign_session(reader, session, printed_name="A", meaning="B")
    assert list(verify_study(world.study)) == []


def test_the_page_shows_it_after_the_button(world: World) -> None:
    reader, session = world.readers[0], world.sessions()[0]
    score(world, session)
    again = parts(session)[1]
    client = Client()
    client.force_login(reader)
    response = client.post(f"/reading/{session.token}/compare/", follow=True)
    page = response.content.decode()
    assert response.status_code == 200 and all(row.pk in page for row in again)
    frames = [client.get(f"/reading/p/{again[0].pk}/{pane}/0/") for pane in (0, 1)]
    assert [response.status_code for response in frames] == [200, 200]
    assert len({len(response.content) for response in frames}) == 1


def test_without_a_fidelity_pass_there_is_nothing_to_begin() -> None:
    world = make_open()
    read_session(world.readers[0], world.sessions()[0], sign=False)
    with pytest.raises(ReadingError, match="no comparison"):
        begin_fidelity(world.readers[0], world.sessions()[0])
