"""One byte changed anywhere is found and named."""

from __future__ import annotations

import re
from collections.abc import Callable
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import connection

from readerstudy.cases import store
from readerstudy.conduct.verify import verify_study
from readerstudy.reading.actions import (
    Given,
    Mark,
    begin_fidelity,
    record_answer,
    record_mark,
    sign_session,
    start_session,
)
from readerstudy.studies.models import Study, StudyImage
from tests.conftest import _drop_triggers
from tests.factories import World, answer, make_open

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    made = make_open(display={"reference": "beside", "context_slices": 1, "check": "off"}, design={"fidelity": 0.25})
    reader, session = made.readers[0], made.sessions()[0]
    start_session(reader, session)
    record_mark(reader, uuid4(), made.presentations()[0].pk, Mark(uuid4(), 0, 0, "point", [(3, 4)], "noise"))
    for row in session.presentations.filter(kind="main").order_by("position"):
        answer(reader, row, 1 + row.position % 5)
    begin_fidelity(reader, session)
    for row in session.presentations.filter(kind="fidelity"):
        record_answer(reader, Given(uuid4(), row.pk, {}))
    sign_session(reader, session, printed_name="A Reader", meaning="I scored these images.")
    _lift_guards()
    return made


def _lift_guards() -> None:
    """What a person with the database's password could do."""
    if connection.vendor == "sqlite":
        _drop_triggers()
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT tgname, tgrelid::regclass FROM pg_trigger WHERE NOT tgisinternal")
        for name, table in cursor.fetchall():
            cursor.execute(f"DROP TRIGGER {name} ON {table}")


def sql(statement: str) -> Callable[[], None]:
    def change() -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            assert cursor.rowcount >= 1, statement

    return change


CHANGES = {
    "audit row": (
        sql("UPDATE audit_entry SET text = replace(text, '\"value\":1', '\"value\":2') WHERE verb = 'score'"),
        r"Entry \d+ \(score\) was changed",
    ),
    "audit row removed": (
        sql("UPDATE audit_entry SET sequence = sequence + 1000 WHERE sequence = 5"),
        "Entry 5 is missing",
    ),
    "score": (sql("UPDATE reading_score SET value = 5 WHERE value = 1"), "is not what the audit chain says"),
    "mark": (
        sql("UPDATE reading_annotation SET points = '[[3.0, 4.5]]'"),
        "(?s)The mark .* is not what the audit chain says.*no longer holds the marks|no longer holds the marks",
    ),
    "fidelity pass": (
        sql(
            "UPDATE schedules_presentation SET study_slice_id = (SELECT max(id) FROM studies_studyslice) "
            "WHERE kind = 'fidelity'"
        ),
        "commitment does not fit",
    ),
    "reference beside": (
        sql(
            "UPDATE schedules_frame SET pixels = 'f0' || substr(pixels, 3) WHERE pane_id IN "
            "(SELECT id FROM schedules_pane WHERE arm_id IS NULL)"
        ),
        r"Frame \d+ does not show what was frozen",
    ),
    "neighbouring slice": (
        sql("UPDATE schedules_frame SET pixels = 'f0' || substr(pixels, 3) WHERE \"offset\" <> 0"),
        r"Frame \d+ does not show what was frozen",
    ),
    "order": (
        sql(
            "UPDATE schedules_presentation SET study_slice_id = (SELECT max(id) FROM studies_studyslice) "
            "WHERE position < 2"
        ),
        "commitment does not fit",
    ),
    "protocol hash": (
        sql("UPDATE studies_study SET protocol_hash = 'f0' || substr(protocol_hash, 3)"),
        "protocol",
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_is_found_and_named(what: str, world: World) -> None:
    study = Study.objects.get(pk=world.study.pk)
    assert list(verify_study(study)) == []
    change, sentence = CHANGES[what]
    change()
    study.refresh_from_db()
    faults = "\n".join(verify_study(study))
    assert re.search(sentence, faults), faults


def test_changed_pixels_are_found(world: World) -> None:
    image = StudyImage.objects.filter(arm__study=world.study)[0]
    path = store._path(image.pixels)
    content = bytearray(path.read_bytes())
    content[0] ^= 1
    path.write_bytes(bytes(content))
    faults = list(verify_study(world.study))
    assert any("changed since" in fault for fault in faults), faults


def test_a_changed_protocol_is_found(world: World) -> None:
    study = Study.objects.get(pk=world.study.pk)
    study.protocol["display"]["back"] = 5
    study.save()
    assert any(fault.startswith("The protocol was changed") for fault in verify_study(study))


def test_the_command_ends_with_1_when_something_is_wrong(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("verify_study")
    assert "holds" in capsys.readouterr().out
    sql("UPDATE reading_score SET value = 5 WHERE value = 1")()
    with pytest.raises(SystemExit):
        call_command("verify_study", str(world.study.pk))
