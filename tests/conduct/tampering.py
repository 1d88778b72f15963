"""A study signed, locked and unblinded, and a hand that changes one value of one of its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import islice
from typing import Any
from uuid import UUID, uuid4

from django.db import IntegrityError, connection, models, transaction
from django.utils import timezone

from readerstudy.audit.models import Chain, Entry
from readerstudy.conduct.actions import close_study, lock_study, unblind_study, waive_session
from readerstudy.reading.actions import (
    Given,
    Guess,
    Mark,
    Timing,
    begin_fidelity,
    record_answer,
    record_guesses,
    record_mark,
    record_practice,
    see_practice,
    sign_session,
    start_session,
)
from readerstudy.reading.guessing import guess_items
from readerstudy.reading.models import Annotation, Answer, MethodGuess, Score
from readerstudy.reconstructions.models import Reconstruction
from readerstudy.schedules.models import (
    Frame,
    OrderSecret,
    Pane,
    PracticeImage,
    Presentation,
    Schedule,
    Session,
)
from readerstudy.studies.actions import create_study
from readerstudy.studies.models import Arm, Criterion, Study, StudyImage, StudySlice
from tests.factories import World, make_open, make_protocol

Rows = Callable[[Study], "models.QuerySet[Any]"]
ROWS: dict[type[models.Model], Rows] = {
    Chain: lambda study: Chain.objects.filter(name=study.chain),
    Entry: lambda study: Entry.objects.filter(chain__name=study.chain, verb="score"),
    Study: lambda study: Study.objects.filter(pk=study.pk),
    Arm: lambda study: study.arms.all(),
    Criterion: lambda study: study.criteria.all(),
    StudySlice: lambda study: study.slices.all(),
    StudyImage: lambda study: StudyImage.objects.filter(arm__study=study),
    Reconstruction: lambda study: Reconstruction.objects.filter(
        pk__in=StudyImage.objects.filter(arm__study=study).values("reconstruction")
    ),
    OrderSecret: lambda study: OrderSecret.objects.filter(study=study),
    Schedule: lambda study: study.schedules.all(),
    Session: lambda study: Session.objects.filter(schedule__study=study, signed_at__isnull=False),
    Presentation: lambda study: Presentation.objects.filter(session__schedule__study=study, kind="main"),
    Pane: lambda study: Pane.objects.filter(presentation__session__schedule__study=study, arm__isnull=False),
    Frame: lambda study: Frame.objects.filter(pane__presentation__session__schedule__study=study),
    PracticeImage: lambda study: study.practice_images.all(),
    Answer: lambda study: Answer.objects.filter(presentation__session__schedule__study=study, scores__isnull=False),
    Score: lambda study: Score.objects.filter(presentation__session__schedule__study=study),
    Annotation: lambda study: Annotation.objects.filter(presentation__session__schedule__study=study),
    MethodGuess: lambda study: MethodGuess.objects.filter(pane__presentation__session__schedule__study=study),
}

# Which part of a JSON column is changed: where the first would be no valid protocol any more, or is left out.
LEAVES = {"signature": "scores", "plan": "alpha"}


def signed_world() -> World:
    """One reader signs every session, with marks, a refusal, comments, guesses; the other's sessions are waived."""
    world = make_open(
        display={"reference": "beside", "context_slices": 1, "check": "off"},
        sessions={"number": 2}, slices={"number": 4},
        design={"fidelity": 0.25, "practice": 1, "guess_images": 1, "readers": 2, "reserves": 1, "minimum_gap": 1},
    )  # fmt: skip
    reader = world.readers[0]
    for image in world.study.practice_images.all():
        see_practice(reader, image.pk)
        record_practice(reader, uuid4(), image.pk, {"overall": {"value": 3}})
    for session in world.sessions():
        _read(world, session)
    schedule = world.schedule()
    record_guesses(reader, schedule, [Guess(i.presentation, i.pane, "tv_recon", "flat") for i in guess_items(schedule)])
    study = close_study(world.study, world.coordinator)
    for session in Session.objects.filter(schedule__study=study, schedule__reader__isnull=False, signed_at=None):
        waive_session(session, world.coordinator, "ill")
    study = unblind_study(lock_study(study, world.coordinator), world.second)
    _another_study(world)
    return World(study, world.coordinator, world.second, world.analyst, world.readers)


def _another_study(world: World) -> None:
    """A draft, to which a row can be moved."""
    texts = {str(n): "text" for n in range(1, 6)}
    criterion = {"key": "sharp", "title": "Sharp", "question": "How sharp?", "texts": texts}
    arms = [{"key": f"other{n}", "title": f"Other {n}", "method": "tv_recon"} for n in range(2)]
    create_study(
        make_protocol(study={"title": "Another", "seed": 8}, arms=arms, criteria=[criterion],
                      plan={"primary_criterion": "sharp"}),
        world.coordinator,
    )  # fmt: skip


def _read(world: World, session: Session) -> None:
    reader, now = world.readers[0], timezone.now()
    start_session(reader, session)
    for row in session.presentations.filter(kind="main").order_by("position"):
        mark = Mark(uuid4(), 0, 0, "point", [(3.0, 4.0)], "noise", comment="here")
        record_mark(reader, uuid4(), row.pk, mark)
        value = {"cannot_judge": "motion"} if row.position == 1 else {"value": 1 + row.position % 4}
        timing = Timing(now - timedelta(seconds=4), now, 4000, 100)
        record_answer(reader, Given(uuid4(), row.pk, {"overall": value}, "dark", timing=timing, viewport={"zoom": 2}))
    begin_fidelity(reader, session)
    for row in session.presentations.filter(kind="fidelity"):
        record_answer(reader, Given(uuid4(), row.pk, {}))
    sign_session(reader, session, printed_name="A Reader", meaning="I scored these images.")


def change(model: type[models.Model], name: str, study: Study) -> models.Model | None:
    """Change one value of the first row that lets itself be changed; returns that row, or None."""
    field = model._meta.get_field(name)
    for row in ROWS[model](study).order_by("pk")[:8]:
        for value in islice(_others(field, getattr(row, field.attname), study), 40):
            if _write(row, field, value):
                return row
    return None


def _write(row: models.Model, field: Any, value: Any) -> bool:
    table, column, key = row._meta.db_table, field.column, row._meta.pk
    quote = connection.ops.quote_name
    statement = f"UPDATE {quote(table)} SET {quote(column)} = %s WHERE {quote(key.column)} = %s"
    given = [field.get_db_prep_save(value, connection), key.get_db_prep_save(row.pk, connection)]
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement, given)
            return bool(cursor.rowcount == 1)
    except IntegrityError:
        return False


def _others(field: Any, value: Any, study: Study) -> Iterator[Any]:
    """Other values than ``value`` that the column may take, the nearest first."""
    if field.is_relation:
        related = ROWS.get(field.related_model)
        rows = related(study) if related else field.related_model.objects.all()
        yield from (pk for pk in rows.order_by("pk").values_list("pk", flat=True) if pk != value)
        yield from (pk for pk in field.related_model.objects.values_list("pk", flat=True) if pk != value)
        if value is not None and field.null:
            yield None
    elif isinstance(field, models.BooleanField):
        yield not value
    elif isinstance(field, models.DateTimeField):
        yield (value or timezone.now()) + timedelta(hours=1)
    elif isinstance(field, models.UUIDField):
        yield UUID(int=value.int ^ 1)
    elif isinstance(field, models.IntegerField):
        yield from (v for v in ((value or 0) + 1, (value or 0) - 1, (value or 0) + 1000) if v >= 0)
    elif isinstance(field, models.FloatField):
        yield (value or 0.0) + 0.001
    elif isinstance(field, models.JSONField):
        yield _changed(value, LEAVES.get(field.name))
    else:
        yield from _other_texts(field, value)


def _other_texts(field: Any, value: str) -> Iterator[str]:
    yield from (choice for choice, _ in field.choices or () if choice != value)
    if not field.choices:
        yield value[:-1] + ("0" if value[-1:] != "0" else "1")


def _changed(value: Any, key: str | None = None) -> Any:
    """The same JSON with one leaf changed: that of ``key``, else the first."""
    if isinstance(value, dict) and value:
        first = key or next(iter(value))
        return {**value, first: _changed(value[first])}
    if isinstance(value, list) and value:
        return [_changed(value[0]), *value[1:]]
    if isinstance(value, bool) or value is None:
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, str):
        return value[:-1] + ("0" if value[-1:] != "0" else "1")
    return {"planted": 1} if isinstance(value, dict) else ["planted"]
