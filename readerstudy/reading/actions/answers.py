"""Scores: one live score per presentation and criterion, every change an event of the study's chain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from readerstudy.accounts.models import User
from readerstudy.audit.canonical import sha256_of
from readerstudy.reading.actions.errors import Conflict, ReadingError
from readerstudy.reading.actions.receiving import (
    Stored,
    hold,
    keep,
    own,
    require_open,
    require_turn,
    scored_near,
    stored_before,
)
from readerstudy.reading.models import Answer, Score
from readerstudy.reading.queries import score_as_data
from readerstudy.schedules.models import Presentation
from readerstudy.studies.models import Criterion, Study

LONGEST_REASON = 300


@dataclass(frozen=True)
class Timing:
    """When the image was painted and scored (the reader's clock), and what happened between (milliseconds)."""

    painted_at: datetime | None = None
    scored_at: datetime | None = None
    elapsed_ms: int | None = None
    idle_ms: int = 0
    too_fast: bool = False


@dataclass(frozen=True)
class Given:
    """An answer as it arrived: per criterion ``{"value": 1-5}``, ``{"choice": ...}`` or ``{"cannot_judge": ...}``.

    In the fidelity pass there is nothing to score: ``answers`` is empty and says that the image has been compared.
    """

    key: UUID
    presentation: str
    answers: Mapping[str, Mapping[str, Any]]
    comment: str = ""
    replaces: bool = False
    timing: Timing = field(default_factory=Timing)
    viewport: Mapping[str, Any] = field(default_factory=dict)

    def digest(self) -> str:
        return sha256_of({"presentation": self.presentation, "answers": self.answers, "comment": self.comment})


def record_answer(user: User, given: Given) -> Stored:
    """Store one answer, acknowledged by returning; the event is a row of the study's chain.

    Raises ``Http404`` (not the person's presentation), ``Closed``, ``Conflict`` or ``ReadingError``.
    """
    presentation, digest = own(user, given.presentation), given.digest()
    study = presentation.session.schedule.study_id
    criteria = {c.key: c for c in Criterion.objects.filter(study_id=study)}
    try:
        with transaction.atomic():
            hold(user, presentation)
            if presentation.kind == Presentation.Kind.FIDELITY:
                return _record_compared(user, presentation, given, digest)
            return _record_scores(user, presentation, criteria, given, digest)
    except IntegrityError:
        if stored_before(given.key, presentation, digest):
            return Stored(given.key, duplicate=True)
        raise


def _record_scores(
    user: User, presentation: Presentation, criteria: Mapping[str, Criterion], given: Given, digest: str
) -> Stored:
    near, keys = scored_near(presentation), {c.pk: c.key for c in criteria.values()}
    live = {keys[score.criterion_id]: score for score in near if score.presentation_id == presentation.pk}
    # Without a live score this key has no answer here; that it has none elsewhere is the database's to say.
    if live and stored_before(given.key, presentation, digest):
        return Stored(given.key, duplicate=True)
    require_open(presentation)
    checked = _check_answers(presentation.session.schedule.study, criteria, given)
    differing = {k: score_as_data(s) for k, s in live.items() if k in checked and score_as_data(s) != checked[k]}
    if differing and not given.replaces:
        raise Conflict(_("This image already has another answer: keep it, or replace it."), differing)
    require_turn(presentation, near)
    previous = {k: score_as_data(live[k]) for k in checked if k in live}
    data = {
        "presentation": presentation.pk, "answers": checked, "previous": previous, "comment": given.comment,
        "timing": _timing_as_data(given.timing), "viewport": dict(given.viewport),
    }  # fmt: skip
    answer = keep(user, presentation, given.key, digest, "score", data)
    for key, value in checked.items():
        _write_score(presentation, criteria[key], value, given, answer, live.get(key))
    return Stored(given.key, duplicate=False)


def _record_compared(user: User, presentation: Presentation, given: Given, digest: str) -> Stored:
    if stored_before(given.key, presentation, digest):
        return Stored(given.key, duplicate=True)
    require_open(presentation)
    if given.answers:
        raise ReadingError(_("In the comparison with the reference nothing is scored: only marks are made."))
    data = {"presentation": presentation.pk, "comment": given.comment, "timing": _timing_as_data(given.timing)}
    keep(user, presentation, given.key, digest, "compared", data)
    return Stored(given.key, duplicate=False)


def _check_answers(study: Study, criteria: Mapping[str, Criterion], given: Given) -> dict[str, dict[str, Any]]:
    """The answers in their stored form; pairwise studies take choices, all others values 1-5."""
    if not given.answers or set(given.answers) - set(criteria):
        raise ReadingError(_("Answer the criteria of this study: {names}.").format(names=", ".join(criteria)))
    pairwise = study.protocol["design"]["kind"] == "pairwise"
    checked: dict[str, dict[str, Any]] = {}
    for key, answer in given.answers.items():
        reason, value, choice = answer.get("cannot_judge"), answer.get("value"), answer.get("choice")
        if isinstance(reason, str) and 0 < len(reason.strip()) <= LONGEST_REASON:
            checked[key] = {"cannot_judge": reason.strip()}
        elif not pairwise and type(value) is int and 1 <= value <= 5:
            checked[key] = {"value": value}
        elif pairwise and choice in Score.Choice.values:
            checked[key] = {"choice": choice}
        elif pairwise:
            sentence = _(
                "Answer {key} with left, right or equal, or say in up to 300 characters why it can't be judged."
            )
            raise ReadingError(sentence.format(key=key))
        else:
            sentence = _("Answer {key} with 1, 2, 3, 4 or 5, or say in up to 300 characters why it can't be judged.")
            raise ReadingError(sentence.format(key=key))
    return checked


def _write_score(
    presentation: Presentation, criterion: Criterion, value: dict[str, Any], given: Given, answer: Answer,
    live: Score | None,
) -> None:  # fmt: skip
    score = live or Score(presentation=presentation, criterion=criterion)
    score.value, score.choice = value.get("value"), value.get("choice", "")
    score.cannot_judge, score.comment = value.get("cannot_judge", ""), given.comment
    score.answer, score.viewport = answer, dict(given.viewport)
    score.changes += 1 if live else 0
    for name, measured in asdict(given.timing).items():
        setattr(score, name, measured)
    score.save()


def _timing_as_data(timing: Timing) -> dict[str, Any]:
    return {k: v.isoformat() if isinstance(v, datetime) else v for k, v in asdict(timing).items()}
