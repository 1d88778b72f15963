"""One value changed in any row that a study stands on is found by ``verify_study``, which names it.

Every column of every table is here: found (the default), refused by the database's own constraints, or left out with
the reason. A new column fails ``test_every_column_is_decided`` until somebody has decided.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db import models, transaction
from django.test import override_settings

from readerstudy.audit.models import Chain, Entry
from readerstudy.cases import store
from readerstudy.conduct.verify import verify_study
from readerstudy.reading.models import Annotation, Answer, MethodGuess, Score
from readerstudy.reconstructions.models import Reconstruction
from readerstudy.schedules.models import Frame, OrderSecret, Pane, PracticeImage, Presentation, Schedule, Session
from readerstudy.studies.models import Arm, Criterion, Study, StudyImage, StudySlice
from tests.conduct.tampering import ROWS, change, signed_world
from tests.conduct.test_verify_study import _lift_guards
from tests.factories import World

Model = type[models.Model]
ORDERS = r"Schedule \d+|commitment|Presentation {id}\b|Frame \d+|Pane \d+"
# What a fault must say to name the row: a pattern in which {name} stands for the row's value before the change.
NAMES: dict[Model, str] = {
    Chain: r"Audit chain: The chain",
    Entry: r"Entry {sequence}\b",
    Study: r"protocol|analysis plan|title|state|paused|opened|closed|locked|unblinded|extends",
    Arm: r"arm {key}\b|Arm {key}\b|commitment",
    Criterion: r"[Cc]riterion {key}\b|on {key} ",
    StudySlice: r"[Ss]lice {position}\b|commitment",
    StudyImage: r"[Rr]econstruction {reconstruction_id}\b|Frame \d+",
    Reconstruction: r"[Rr]econstruction {id}\b",
    OrderSecret: r"commitment|[Ss]ecret",
    Schedule: r"Schedule {number}\b|commitment",
    Session: r"[Ss]ession {id}\b|commitment",
    Presentation: ORDERS,
    Pane: r"Pane {id}\b|Frame \d+|commitment",
    Frame: r"Frame {id}\b",
    PracticeImage: r"pixels",
    Answer: r"answer {key}\b",
    Score: r"score of presentation {presentation_id} ",
    Annotation: r"mark {id}\b",
    MethodGuess: r"method guess on presentation",
}

ADDRESS = "an address of a page, drawn at random: it carries no data, and a changed one only leads nowhere"
PRACTICE = "practice is no data of a study and in no export: only that its pixels are there is checked"
LEFT_OUT: dict[tuple[Model, str], str] = {
    (Study, "id"): "the name by which verify_study is asked: under another name there is nothing to check",
    (Study, "created_at"): "when the draft was begun decides nothing; its first entry in the chain says it too",
    (Study, "created_by"): "gives no right (memberships do), is emptied when the person is erased; the chain says who",
    (Schedule, "token"): ADDRESS,
    (Session, "token"): ADDRESS,
    (PracticeImage, "id"): PRACTICE,
    (PracticeImage, "study"): PRACTICE,
    (PracticeImage, "position"): PRACTICE,
    (PracticeImage, "slice"): PRACTICE,
    (PracticeImage, "grade"): PRACTICE,
    (Answer, "digest"): "tells a repeated answer from another under the same key; what was said is in the chain",
    (Score, "stored_at"): "moves with every write of the row; the chain's entry says when the answer came",
    (Reconstruction, "created_at"): "when a worker wrote the row decides nothing; what it wrote is sealed",
    (Reconstruction, "failure"): "a frozen image has pixels and so no failure; nothing reads it",
}
# Columns in which the database takes no other single value: unique with its neighbours, or a check.
REFUSED: set[tuple[Model, str]] = {
    (StudyImage, "study_slice"), (Session, "schedule"), (Presentation, "session"), (Pane, "presentation"),
    (Frame, "pane"), (Score, "choice"),
}  # fmt: skip


def columns() -> Iterator[tuple[Model, str]]:
    """Every column but the running numbers that only join tables: what they join is checked on either side."""
    for model in ROWS:
        for field in model._meta.concrete_fields:
            if not isinstance(field, models.AutoField):
                yield model, field.name


CASES = [
    pytest.param(model, name, id=f"{model._meta.db_table}.{name}")
    for model, name in columns()
    if (model, name) not in REFUSED | set(LEFT_OUT)
]


@pytest.fixture(scope="module")
def signed(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: Any) -> Iterator[tuple[World, Path]]:
    """One study for all changes; each is rolled back, and in the end the study too."""
    pixels = tmp_path_factory.mktemp("pixels")
    hashers = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    with django_db_blocker.unblock(), transaction.atomic():
        with override_settings(PIXELS_DIR=pixels, PASSWORD_HASHERS=hashers):
            world = signed_world()
        _lift_guards()
        yield world, pixels
        transaction.set_rollback(True)


@pytest.fixture
def study(signed: tuple[World, Path], db: None, settings: Any, quick_and_apart: Path) -> Iterator[Study]:
    world, settings.PIXELS_DIR = signed
    with transaction.atomic():
        yield Study.objects.get(pk=world.study.pk)
        transaction.set_rollback(True)


def test_the_study_holds(study: Study) -> None:
    assert list(verify_study(study)) == []


@pytest.mark.parametrize(("model", "name"), CASES)
def test_a_changed_value_is_found_and_named(model: Model, name: str, study: Study) -> None:
    row = change(model, name, study)
    assert row is not None, "the database takes no other value: put the column into REFUSED"
    faults = list(verify_study(Study.objects.get(pk=study.pk)))
    values = {field.attname: re.escape(str(getattr(row, field.attname))) for field in model._meta.concrete_fields}
    wanted = re.sub(r"\{([a-z]\w*)\}", lambda found: values[found[1]], NAMES[model])
    assert any(re.search(wanted, fault) for fault in faults), f"{wanted!r} in none of {faults}"


@pytest.mark.parametrize(("model", "name"), sorted(REFUSED, key=str))
def test_the_database_itself_refuses_any_other_value(model: Model, name: str, study: Study) -> None:
    assert change(model, name, study) is None


def test_every_column_is_decided() -> None:
    """What is left out or refused is a column there is, and no column is decided twice."""
    known = set(columns())
    assert set(LEFT_OUT) | REFUSED <= known
    assert not set(LEFT_OUT) & REFUSED


def test_every_table_of_a_study_is_here(study: Study) -> None:
    """A new table of these rooms must be decided too; people, amendments and practice have checks of their own."""
    rooms = {"audit", "studies", "schedules", "reading"}
    apart = {
        "studies_membership", "studies_reader", "studies_amendment", "reading_practiceanswer", "reading_displaycheck",
    }  # fmt: skip
    tables = {model._meta.db_table for model in apps.get_models() if model._meta.app_label in rooms}
    assert tables - {model._meta.db_table for model in ROWS} == apart


@pytest.mark.parametrize("place", [0, -1])
def test_one_bit_of_any_pixels_is_found(place: int, study: Study) -> None:
    """Of an arm, of the reference beside it, of a neighbouring slice and of a practice image."""
    frames = Frame.objects.filter(pane__presentation__session__schedule__study=study)
    one_of_each = [
        frames.filter(pane__arm__isnull=False, offset=0).first(), frames.filter(pane__arm=None, offset=0).first(),
        frames.exclude(offset=0).first(), study.practice_images.first(),
    ]  # fmt: skip
    for shown in one_of_each:
        assert shown is not None
        path = store._path(shown.pixels)
        before = path.read_bytes()
        changed = bytearray(before)
        changed[place] ^= 1
        path.write_bytes(bytes(changed))
        faults = list(verify_study(study))
        path.write_bytes(before)
        assert any(shown.pixels[:12] in fault for fault in faults), faults
