"""What a reader may see: the worklist, a session's items, the bytes of one frame. Nothing here names an arm."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db.models import Count, Q
from django.http import Http404
from django.urls import reverse
from django.utils import timezone

from readerstudy.accounts.models import User
from readerstudy.reading.models import Score
from readerstudy.schedules.models import Frame, OrderSecret, Presentation, Schedule, Session
from readerstudy.studies.models import Criterion, Membership, Reader, Study
from readerstudy.studies.protocol import Protocol
from readerstudy.studies.queries import preset_windows, protocol_of


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
    title: str
    reader: str
    simulated: bool
    commitment: str
    sessions: list[SessionCard]


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
    """The frame if it is in the person's own schedule, in a session that may be opened."""
    try:
        frame = Frame.objects.select_related("pane__presentation__session__schedule__study").get(
            pane__presentation_id=presentation, pane__index=pane, index=index,
            pane__presentation__session__schedule__reader__membership__user_id=user.pk or 0,
            pane__presentation__session__started_at__isnull=False,
        )  # fmt: skip
    except Frame.DoesNotExist as error:
        raise Http404 from error
    if frame.pane.presentation.session.schedule.study.state != Study.State.OPEN:
        raise Http404
    return frame


def worklist(user: User) -> list[StudyCard]:
    """The person's studies with the state of every session."""
    schedules = (
        Schedule.objects.filter(
            reader__membership__user=user, reader__membership__role=Membership.Role.READER,
            reader__state=Reader.State.ACTIVE,
        )
        .select_related("study", "reader")
        .order_by("-study__opened_at")
    )  # fmt: skip
    commitments = dict(
        OrderSecret.objects.filter(study__in=[s.study_id for s in schedules]).values_list("study_id", "commitment")
    )
    return [
        StudyCard(
            s.study.title, s.reader.pseudonym if s.reader else "", bool(s.reader and s.reader.simulated),
            commitments.get(s.study_id, ""), session_cards(s),
        )
        for s in schedules
    ]  # fmt: skip


def session_cards(schedule: Schedule) -> list[SessionCard]:
    """The sessions of one schedule; one opens when the one before is signed and its day has come."""
    protocol = protocol_of(schedule.study)
    criteria = len(protocol.criteria)
    rows = list(
        schedule.sessions.annotate(
            total=Count("presentations", distinct=True), scores=Count("presentations__scores", distinct=True)
        ).order_by("number")
    )
    cards, previous = [], None
    for row in rows:
        state, available = _state(schedule.study, protocol, row, previous)
        cards.append(SessionCard(row.number, len(rows), row.scores // criteria, row.total, state, available, row.token))
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


def room(session: Session, protocol: Protocol) -> dict[str, Any]:
    """All that the reading room's page needs for one session, as JSON-able data."""
    items = _items(session)
    done = sum(1 for item in items if len(item["scores"]) == len(protocol.criteria))
    reader = session.schedule.reader
    return {
        "session": {
            "number": session.number, "of": session.schedule.sessions.count(), "total": len(items), "done": done,
        },
        "start": next((i for i, item in enumerate(items) if len(item["scores"]) < len(protocol.criteria)), len(items)),
        "items": items,
        "criteria": [
            {"key": c.key, "title": c.title, "question": c.question, "texts": c.texts}
            for c in Criterion.objects.filter(study=session.schedule.study).order_by("position")
        ],
        "display": {
            "interpolation": protocol.display.interpolation, "window": protocol.display.window,
            "zoom": protocol.display.zoom, "dark_interval_ms": protocol.display.dark_interval_ms,
            "back": protocol.display.back, "reference": "none", "too_fast_ms": protocol.sessions.too_fast_ms,
        },
        "presets": {m: preset_windows(m) for m in sorted({item["modality"] for item in items})},
        "simulated": bool(reader and reader.simulated),
        "reader": reader.pseudonym if reader else "",
    }  # fmt: skip


def _items(session: Session) -> list[dict[str, Any]]:
    rows = (
        Presentation.objects.filter(session=session)
        .select_related("study_slice__slice__case")
        .prefetch_related("panes__frames", "scores__criterion")
        .order_by("position")
    )
    return [_item(row) for row in rows]


def _item(row: Presentation) -> dict[str, Any]:
    case = row.study_slice.slice.case
    return {
        "id": row.pk,
        "position": row.position + 1,
        "panes": [
            [{"url": reverse("reading:frame", args=[row.pk, p.index, f.index])} for f in p.frames.all()]
            for p in row.panes.all()
        ],
        "rows": case.rows,
        "columns": case.columns,
        "spacing": case.pixel_spacing,
        "modality": case.modality,
        "slope": case.slope,
        "intercept": case.intercept,
        "window": {"center": row.study_slice.window_center, "width": row.study_slice.window_width},
        "inverted": case.inverted,
        "scores": {score.criterion.key: score_as_data(score) for score in row.scores.all()},
    }


def score_as_data(score: Score) -> dict[str, Any]:
    """What a score says, as it travels: a value, a choice or the reason why it can't be judged."""
    if score.cannot_judge:
        return {"cannot_judge": score.cannot_judge}
    return {"choice": score.choice} if score.choice else {"value": score.value}


def unscored(session: Session) -> int:
    """Presentations of the session that still lack a score on some criterion."""
    criteria = session.schedule.study.criteria.count()
    rows = Presentation.objects.filter(session=session, kind__in=["main", "repeat"])
    return rows.annotate(n=Count("scores")).filter(Q(n__lt=criteria)).count()
