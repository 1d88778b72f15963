"""What stands before a session: consent, record and training phase (once each), the display check (every session)."""

from __future__ import annotations

from django.urls import reverse

from readerstudy.reading.queries import session_cards
from readerstudy.reading.records import lacking
from readerstudy.schedules.models import Schedule, Session
from readerstudy.studies.models import Reader, Study


def missing_step(session: Session) -> str:
    """The first step that is still missing: "consent", "record", "practice", "check"; "" when it may begin."""
    schedule = session.schedule
    reader, protocol = schedule.reader, schedule.study.protocol
    if reader is None or reader.simulated:
        return ""
    if consent_text(schedule.study) and reader.consented_at is None:
        return "consent"
    if lacking(reader, schedule.study):
        return "record"
    if unpractised(reader):
        return "practice"
    if protocol["display"].get("check", "off") != "off" and "check" not in session.environment:
        return "check"
    return ""


def consent_text(study: Study) -> str:
    """What readers agree to; empty when the study asks for no consent."""
    text: str = study.protocol["study"]["consent"]
    return text.strip()


def unpractised(reader: Reader) -> int:
    """Practice images the reader has not answered yet."""
    return reader.study.practice_images.exclude(answers__reader=reader).count()


def next_page(schedule: Schedule) -> str:
    """Where a reader goes from here: the step that stands before the open session, else the worklist."""
    tokens = [card.token for card in session_cards(schedule) if card.state == "open"]
    session = schedule.sessions.filter(token__in=tokens).first()
    step = missing_step(session) if session else ""
    return step_page(session, step) if session and step else reverse("reading:worklist")


def step_page(session: Session, step: str) -> str:
    """The page of a step that stands before a session."""
    if step == "check":
        return reverse("reading:check", args=[session.token])
    return reverse(f"reading:{step}", args=[session.schedule.token])
