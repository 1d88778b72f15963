"""What a reader does: open a session, answer, sign. Browser and simulated readers call the same verbs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import Http404
from django.utils import timezone

from readerstudy.accounts.models import User
from readerstudy.audit.actions import record
from readerstudy.audit.canonical import sha256_of
from readerstudy.reading.models import Answer, Score
from readerstudy.reading.queries import may_open, score_as_data, unscored
from readerstudy.schedules.models import Presentation, Session
from readerstudy.studies.models import Criterion, Reader, Study


class ReadingError(ValueError):
    """Why an answer was refused, in one sentence."""


class Closed(ReadingError):
    """Session or study take no answers any more (or not yet)."""


class Conflict(ReadingError):
    """A differing live answer exists; ``stored`` is what it says."""

    def __init__(self, sentence: str, stored: dict[str, Any]) -> None:
        super().__init__(sentence)
        self.stored = stored


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
    """An answer as it arrived: per criterion ``{"value": 1-5}``, ``{"choice": ...}`` or ``{"cannot_judge": ...}``."""

    key: UUID
    presentation: str
    answers: Mapping[str, Mapping[str, Any]]
    comment: str = ""
    replaces: bool = False
    timing: Timing = field(default_factory=Timing)
    viewport: Mapping[str, Any] = field(default_factory=dict)

    def digest(self) -> str:
        return sha256_of({"presentation": self.presentation, "answers": self.answers, "comment": self.comment})


@dataclass(frozen=True)
class Stored:
    """The acknowledgement: ``duplicate`` when this key had been stored before."""

    key: UUID
    duplicate: bool


@transaction.atomic
def start_session(user: User, session: Session) -> Session:
    """Open a session for reading; opening it again resumes it."""
    if not may_open(session):
        raise Closed("This session is not open: finish the one before it, or wait until its day.")
    if session.started_at is None:
        changed = Session.objects.filter(pk=session.pk, started_at=None).update(started_at=timezone.now())
        session.refresh_from_db()
        if changed:
            record(session.schedule.study.chain, user.handle, "session.start", f"session:{session.pk}", {})
    return session


@transaction.atomic
def record_answer(user: User, given: Given) -> Stored:
    """Store one answer, acknowledged by returning; the event is a row of the study's chain.

    Raises ``Http404`` (not the person's presentation), ``Closed``, ``Conflict`` or ``ReadingError``.
    """
    presentation = _presentation(user, given.presentation)
    # The study's row first, so that no answer slips past a closing; then the session's, where two tabs queue up.
    study = Study.objects.select_for_update().get(pk=presentation.session.schedule.study_id)
    presentation.session.schedule.study = study
    Session.objects.select_for_update().get(pk=presentation.session_id)
    if known := Answer.objects.filter(key=given.key).first():
        if known.presentation_id != presentation.pk or known.digest != given.digest():
            raise ReadingError("This answer's key was used for another answer: reload the page and answer again.")
        return Stored(given.key, duplicate=True)
    _require_open(presentation)
    criteria = {c.key: c for c in Criterion.objects.filter(study=study)}
    checked = _check_answers(study, criteria, given)
    live = {s.criterion.key: s for s in Score.objects.filter(presentation=presentation).select_related("criterion")}
    differing = {k: score_as_data(s) for k, s in live.items() if k in checked and score_as_data(s) != checked[k]}
    if differing and not given.replaces:
        raise Conflict("This image already has another answer: keep it, or replace it.", differing)
    _require_turn(presentation, replacing=bool(live))
    previous = {k: score_as_data(live[k]) for k in checked if k in live}
    data = {
        "key": str(given.key), "presentation": presentation.pk, "answers": checked, "previous": previous,
        "comment": given.comment, "timing": _timing_as_data(given.timing),
    }  # fmt: skip
    entry = record(study.chain, user.handle, "score", f"presentation:{presentation.pk}", data)
    answer = Answer.objects.create(key=given.key, presentation=presentation, digest=given.digest(), entry=entry)
    for key, value in checked.items():
        _write_score(presentation, criteria[key], value, given, answer, live.get(key))
    return Stored(given.key, duplicate=False)


def _presentation(user: User, pk: str) -> Presentation:
    row = (
        Presentation.objects.select_related("session__schedule__study")
        .filter(
            pk=pk, session__schedule__reader__membership__user=user,
            session__schedule__reader__state=Reader.State.ACTIVE,
        )
        .first()
    )  # fmt: skip
    if row is None:
        raise Http404
    return row


def _require_open(presentation: Presentation) -> None:
    session = presentation.session
    session.refresh_from_db(fields=["signed_at", "started_at"])
    study = session.schedule.study
    if session.signed_at is not None:
        raise Closed("This session is signed: its answers can't change any more.")
    if study.state != Study.State.OPEN:
        raise Closed("The study takes no answers now: ask the coordinator.")
    if study.paused:
        raise Closed("The study is paused: your answers wait here until it goes on.")
    if session.started_at is None:
        raise Closed("Open the session from your worklist first.")


def _check_answers(study: Study, criteria: Mapping[str, Criterion], given: Given) -> dict[str, dict[str, Any]]:
    """The answers in their stored form; pairwise studies take choices, all others values 1-5."""
    if not given.answers or set(given.answers) - set(criteria):
        raise ReadingError(f"Answer the criteria of this study: {', '.join(criteria)}.")
    pairwise = study.protocol["design"]["kind"] == "pairwise"
    checked: dict[str, dict[str, Any]] = {}
    for key, answer in given.answers.items():
        reason, value, choice = answer.get("cannot_judge"), answer.get("value"), answer.get("choice")
        if isinstance(reason, str) and 0 < len(reason.strip()) <= 300:
            checked[key] = {"cannot_judge": reason.strip()}
        elif not pairwise and type(value) is int and 1 <= value <= 5:
            checked[key] = {"value": value}
        elif pairwise and choice in Score.Choice.values:
            checked[key] = {"choice": choice}
        else:
            wanted = "left, right or equal" if pairwise else "a whole number from 1 to 5"
            raise ReadingError(f"Answer {key} with {wanted}, or say in up to 300 characters why it can't be judged.")
    return checked


def _require_turn(presentation: Presentation, *, replacing: bool) -> None:
    """Forward one image at a time; back as far as the protocol says, never past another version of the slice."""
    session = presentation.session
    scored = Presentation.objects.filter(session=session, scores__isnull=False)
    last = scored.order_by("-position").first()
    if not replacing:
        if last is not None and presentation.position > last.position + 1:
            raise ReadingError("Images are scored in their order: an earlier answer has not arrived yet.")
        if last is None and presentation.position != 0:
            raise ReadingError("Images are scored in their order: start with the first.")
        return
    back = session.schedule.study.protocol["display"]["back"]
    if last is not None and presentation.position <= last.position - max(back, 1):
        raise Closed("This image lies too far back to be changed.")
    later = scored.filter(position__gt=presentation.position, study_slice_id=presentation.study_slice_id)
    if later.exists():
        raise Closed("Another version of this image has been scored since: this answer stays.")


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


@transaction.atomic
def sign_session(user: User, session: Session, *, printed_name: str, meaning: str) -> Session:
    """Bind the person to the session's scores; from here on the database refuses every change.

    The caller has just verified the person's password or passkey.
    """
    session = Session.objects.select_for_update().select_related("schedule__study").get(pk=session.pk)
    if session.signed_at is not None:
        raise Closed("This session is signed already.")
    if session.started_at is None or session.schedule.study.state != Study.State.OPEN:
        raise Closed("This session can't be signed now: ask the coordinator.")
    if missing := unscored(session):
        raise ReadingError(f"{missing} images of this session have no score yet: finish them before you sign.")
    if not printed_name.strip() or not meaning.strip():
        raise ReadingError("Write your name and confirm what the signature means.")
    session.signature = {
        "name_hash": sha256_of(printed_name.strip()), "meaning": meaning.strip(), "scores": scores_hash(session),
    }  # fmt: skip
    session.signed_at = timezone.now()
    session.save(update_fields=["signature", "signed_at"])
    record(
        session.schedule.study.chain, user.handle, "session.sign", f"session:{session.pk}",
        {"scores": session.signature["scores"], "meaning": session.signature["meaning"]},
    )  # fmt: skip
    return session


def scores_hash(session: Session) -> str:
    """SHA-256 over the session's live scores in their order."""
    rows = Score.objects.filter(presentation__session=session).select_related("criterion", "presentation")
    ordered = rows.order_by("presentation__position", "criterion__position")
    return sha256_of([[s.presentation_id, s.criterion.key, score_as_data(s), s.comment] for s in ordered])
