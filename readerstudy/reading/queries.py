"""What a reader may see: the worklist, a session's items, the bytes of one frame. Nothing here names an arm."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db.models import Count, Exists, OuterRef, Q
from django.http import Http404
from django.utils import timezone

from readerstudy.accounts.models import User
from readerstudy.reading.models import Annotation, MethodGuess, Score
from readerstudy.reading.records import record_state
from readerstudy.schedules.models import Frame, OrderSecret, PracticeImage, Presentation, Schedule, Session
from readerstudy.studies.models import Criterion, Membership, Reader, Study
from readerstudy.studies.protocol import Protocol
from readerstudy.studies.queries import protocol_of

SCORED = (Presentation.Kind.MAIN, Presentation.Kind.REPEAT)
FIDELITY = Presentation.Kind.FIDELITY


@dataclass(frozen=True)
class SessionCard:
    """A session on the worklist: open, signed, waiting for an earlier one or a day, or locked with the study."""

    number: int
    of: int
    done: int
    total: int
    state: str
    available_on: datetime | None
    token: str


@dataclass(frozen=True)
class StudyCard:
    """One study on the worklist; ``record``: "missing", "given", or "" when there is nothing to say about oneself."""

    title: str
    reader: str
    simulated: bool
    commitment: str
    sessions: list[SessionCard]
    token: str
    practice: int
    practised: int
    guessable: bool
    guessed: bool
    record: str = ""

    @property
    def practisable(self) -> bool:
        """Whether there is a training phase, and a session still to come that it could serve."""
        return self.practice > 0 and any(card.state in ("open", "waiting") for card in self.sessions)


def session_for(user: User | AnonymousUser, token: str) -> Session:
    """The session if it belongs to the person's own schedule; everyone else learns nothing (404)."""
    try:
        return Session.objects.select_related("schedule__reader", "schedule__study").get(
            token=token,
            schedule__reader__membership__user_id=user.pk or 0,
            schedule__reader__state=Reader.State.ACTIVE,
        )
    except Session.DoesNotExist as error:
        raise Http404 from error


def frame_for(user: User | AnonymousUser, presentation: str, pane: int, index: int) -> Frame:
    """The frame if it is in the person's own schedule and its time has come; everything else is a 404."""
    try:
        frame = Frame.objects.select_related("pane__presentation__session__schedule__study").get(
            pane__presentation_id=presentation, pane__index=pane, index=index,
            pane__presentation__session__schedule__reader__membership__user_id=user.pk or 0,
            pane__presentation__session__schedule__reader__state=Reader.State.ACTIVE,
            pane__presentation__session__started_at__isnull=False,
        )  # fmt: skip
    except Frame.DoesNotExist as error:
        raise Http404 from error
    shown = frame.pane.presentation
    if shown.session.schedule.study.state != Study.State.OPEN:
        raise Http404
    if shown.kind == FIDELITY and shown.session.scores_final_at is None:
        raise Http404
    return frame


def schedule_for(user: User | AnonymousUser, token: str) -> Schedule:
    """The schedule if it is the person's own; everyone else learns nothing (404)."""
    try:
        return Schedule.objects.select_related("study", "reader__study").get(
            token=token, reader__membership__user_id=user.pk or 0, reader__state=Reader.State.ACTIVE
        )
    except Schedule.DoesNotExist as error:
        raise Http404 from error


def practice_image_for(user: User | AnonymousUser, pk: str) -> PracticeImage:
    """The practice image if the person reads its study while that is open; else a 404."""
    try:
        return PracticeImage.objects.select_related("slice__case").get(
            pk=pk, study__state=Study.State.OPEN, study__readers__membership__user_id=user.pk or 0,
            study__readers__state=Reader.State.ACTIVE,
        )  # fmt: skip
    except PracticeImage.DoesNotExist as error:
        raise Http404 from error


def worklist(user: User) -> list[StudyCard]:
    """The person's studies with the state of every session."""
    schedules = (
        Schedule.objects.filter(
            reader__membership__user=user, reader__membership__role=Membership.Role.READER,
            reader__state=Reader.State.ACTIVE,
        )
        .select_related("study", "reader")
        .annotate(
            practice=Count("study__practice_images", distinct=True),
            practised=Count("reader__practice_answers", distinct=True),
            guessed=Exists(MethodGuess.objects.filter(pane__presentation__session__schedule=OuterRef("pk"))),
            begun=Exists(Session.objects.filter(schedule=OuterRef("pk"), started_at__isnull=False)),
        )
        .order_by("-study__opened_at")
    )  # fmt: skip
    commitments = dict(
        OrderSecret.objects.filter(study__in=[s.study_id for s in schedules]).values_list("study_id", "commitment")
    )
    of_schedule = _cards_of(schedules)
    cards = []
    for s in schedules:
        sessions = of_schedule[s.pk]
        guessable = may_guess(s.study, sessions)
        cards.append(
            StudyCard(
                s.study.title, s.reader.pseudonym if s.reader else "", bool(s.reader and s.reader.simulated),
                commitments.get(s.study_id, ""), sessions, s.token, s.practice, s.practised, guessable,
                s.guessed, record_state(s.study, s.reader, begun=s.begun),
            )
        )  # fmt: skip
    return cards


def may_guess(study: Study, sessions: list[SessionCard]) -> bool:
    """Only after the last signature: earlier it would prime the next session."""
    asked = study.protocol["design"].get("guess_images", 0) > 0
    return asked and study.state == Study.State.OPEN and all(card.state == "signed" for card in sessions)


def session_cards(schedule: Schedule) -> list[SessionCard]:
    """The sessions of one schedule; one opens when the one before is signed and its day has come."""
    return _cards_of([schedule])[schedule.pk]


def _cards_of(schedules: Iterable[Schedule]) -> dict[int, list[SessionCard]]:
    """The cards by schedule: three queries, however many schedules a person has."""
    studies = {schedule.pk: schedule.study for schedule in schedules}
    rows = Session.objects.filter(schedule__in=studies).order_by("schedule_id", "number")
    sessions = {pk: list(own) for pk, own in groupby(rows, key=attrgetter("schedule_id"))}
    shown = Presentation.objects.filter(session__schedule__in=studies, kind__in=SCORED)
    totals = dict(shown.order_by().values_list("session").annotate(n=Count("pk")))
    given = Score.objects.filter(presentation__session__schedule__in=studies)
    scores = dict(given.order_by().values_list("presentation__session").annotate(n=Count("pk")))
    return {pk: _cards(studies[pk], sessions.get(pk, []), totals, scores) for pk in studies}


def _cards(
    study: Study, rows: list[Session], totals: Mapping[int, int], scores: Mapping[int, int]
) -> list[SessionCard]:
    protocol, cards, previous = protocol_of(study), [], None
    criteria = len(protocol.criteria)
    for row in rows:
        state, available = _state(study, protocol, row, previous)
        done, total = scores.get(row.pk, 0) // criteria, totals.get(row.pk, 0)
        cards.append(SessionCard(row.number, len(rows), done, total, state, available, row.token))
        previous = row
    return cards


def _state(study: Study, protocol: Protocol, session: Session, previous: Session | None) -> tuple[str, datetime | None]:
    if session.signed_at:
        return "signed", None
    if study.state != Study.State.OPEN or study.paused:
        return "locked", None
    if previous is None:
        return "open", None
    if previous.signed_at is None:
        return "waiting", None
    available = previous.signed_at + timedelta(days=protocol.sessions.minimum_days_apart)
    return ("open", None) if available <= timezone.now() else ("waiting", available)


def may_open(session: Session) -> bool:
    cards = {card.number: card for card in session_cards(session.schedule)}
    return cards[session.number].state == "open"


def criteria_as_data(study: Study) -> list[dict[str, Any]]:
    return [
        {"key": c.key, "title": c.title, "question": c.question, "texts": c.texts}
        for c in Criterion.objects.filter(study=study).order_by("position")
    ]


def score_as_data(score: Score) -> dict[str, Any]:
    """What a score says, as it travels: a value, a choice or the reason why it can't be judged."""
    if score.cannot_judge:
        return {"cannot_judge": score.cannot_judge}
    return {"choice": score.choice} if score.choice else {"value": score.value}


def mark_as_data(mark: Annotation) -> dict[str, Any]:
    """A mark as it travels; ``pane`` is the pane's index."""
    return {
        "id": str(mark.pk), "pane": mark.pane.index, "frame": mark.frame_index, "shape": mark.shape,
        "points": mark.points, "label": mark.label, "comment": mark.comment, "confidence": mark.confidence,
        "consequence": mark.consequence, "deleted": mark.deleted, "revision": mark.revision,
    }  # fmt: skip


def unscored(session: Session) -> int:
    """Presentations of the session that still lack a score on some criterion."""
    criteria = session.schedule.study.criteria.count()
    rows = Presentation.objects.filter(session=session, kind__in=SCORED)
    return rows.annotate(n=Count("scores")).filter(Q(n__lt=criteria)).count()


def uncompared(session: Session) -> int:
    """Images of the fidelity pass that have not been compared with their reference yet."""
    rows = Presentation.objects.filter(session=session, kind=FIDELITY)
    return rows.exclude(answers__entry__verb="compared").count()
