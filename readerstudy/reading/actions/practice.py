"""The training phase: answers to practice images, kept apart from the data of the study."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.utils.translation import gettext as _

from readerstudy.accounts.models import User
from readerstudy.cases.actions import record_look
from readerstudy.reading.actions.errors import ReadingError
from readerstudy.reading.actions.receiving import Stored
from readerstudy.reading.models import PracticeAnswer, Score
from readerstudy.reading.queries import practice_image_for
from readerstudy.schedules.models import PracticeImage
from readerstudy.studies.models import Reader


def see_practice(user: User | AnonymousUser, image_id: str) -> PracticeImage:
    """The practice image, once it is on record that the person has seen its patient's reference; else a 404."""
    image = practice_image_for(user, image_id)
    assert isinstance(user, User)
    record_look(image.slice.case, user, reading=True)
    return image


@transaction.atomic
def record_practice(user: User, key: UUID, image_id: str, answers: Mapping[str, Mapping[str, Any]]) -> Stored:
    """Keep what a reader said of a practice image; answering again replaces it.

    Raises ``Http404`` (not the person's, or the study is not open) or ``ReadingError``.
    """
    image = practice_image_for(user, image_id)
    reader = Reader.objects.get(study=image.study, membership__user=user)
    criteria = set(image.study.criteria.values_list("key", flat=True))
    if set(answers) != criteria or not all(_says_something(answer) for answer in answers.values()):
        raise ReadingError(_("Answer every question of the practice image."))
    known = PracticeAnswer.objects.filter(key=key).first()
    if known is not None and (known.reader_id, known.image_id) != (reader.pk, image.pk):
        raise ReadingError(_("This answer's key was used for another answer: reload the page and answer again."))
    if known is None:
        PracticeAnswer.objects.filter(reader=reader, image=image).delete()
        PracticeAnswer.objects.create(
            key=key, reader=reader, image=image, answers={name: dict(answer) for name, answer in answers.items()}
        )
    return Stored(key, duplicate=known is not None)


def _says_something(answer: Mapping[str, Any]) -> bool:
    value, choice, reason = answer.get("value"), answer.get("choice"), answer.get("cannot_judge")
    scored = type(value) is int and 1 <= value <= 5
    return scored or choice in Score.Choice.values or (isinstance(reason, str) and 0 < len(reason.strip()) <= 300)
