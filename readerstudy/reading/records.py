"""What a study asks its readers about themselves: the questions, what is an answer, until when it may change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from readerstudy.schedules.models import Schedule
from readerstudy.studies.models import Reader, Study

NUMBERS = {"years": 70, "cases_per_year": 200_000}
TEXTS = {"specialty": 120, "conflicts": 400}
BOARD = ("yes", "no", "in training")


def asked(study: Study) -> list[str]:
    """The fields that the protocol asks for, in its order."""
    return list(study.protocol["study"].get("reader_record", []))


def lacking(reader: Reader, study: Study) -> list[str]:
    """What the reader has not said yet."""
    return [name for name in asked(study) if name not in reader.record]


def record_state(study: Study, reader: Reader | None, *, begun: bool) -> str:
    """While it may be written: "missing" or "given"; else "".

    It may until the first session begins, and later where something is missing; only while the study is open.
    """
    if reader is None or reader.simulated or study.state != Study.State.OPEN or not asked(study):
        return ""
    if lacking(reader, study):
        return "missing"
    return "" if begun else "given"


def editable(schedule: Schedule) -> bool:
    """Whether the reader may write or change the record now."""
    begun = schedule.sessions.filter(started_at__isnull=False).exists()
    return record_state(schedule.study, schedule.reader, begun=begun) != ""


def well_said(name: str, value: Any) -> bool:
    """Whether a value is an answer to the field."""
    if name in NUMBERS:
        return type(value) is int and 0 <= value <= NUMBERS[name]
    if name == "board":
        return value in BOARD
    return isinstance(value, str) and 0 < len(value.strip()) <= TEXTS[name]


def complete(given: Mapping[str, Any], study: Study) -> bool:
    """Whether a record answers exactly what the study asks."""
    return set(given) == set(asked(study)) and all(well_said(name, value) for name, value in given.items())
