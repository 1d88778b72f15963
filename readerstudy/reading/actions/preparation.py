"""What a reader does before a session: agree to the study and say who reads once, check the display every time."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from readerstudy.accounts.models import User
from readerstudy.audit.actions import record
from readerstudy.audit.canonical import sha256_of
from readerstudy.reading.actions.errors import Closed, NotPrepared, ReadingError
from readerstudy.reading.display_check import (
    AMBIENT_LIGHT,
    NONE_SEEN,
    QUADRANTS,
    REMOTE_DESKTOP,
    STEPS,
    TRIES,
    WRONG_ALLOWED,
    Surroundings,
    bounded,
    missed,
)
from readerstudy.reading.models import DisplayCheck
from readerstudy.reading.preparation import consent_text, missing_step
from readerstudy.reading.queries import may_open
from readerstudy.reading.records import complete, editable
from readerstudy.schedules.models import Schedule, Session
from readerstudy.studies.models import Reader, Study


@transaction.atomic
def give_consent(user: User, schedule: Schedule) -> None:
    """Record that the reader agrees to the study's text; agreeing again changes nothing. Raises ``Closed``."""
    study = Study.objects.select_for_update().get(pk=schedule.study_id)
    reader = Reader.objects.select_for_update().get(schedule=schedule)
    if reader.consented_at is not None:
        return
    text = consent_text(study)
    if study.state != Study.State.OPEN or not text:
        raise Closed(_("The study takes no consent now: ask the coordinator."))
    reader.consented_at = timezone.now()
    reader.save(update_fields=["consented_at"])
    record(
        study.chain, user.handle, "reader.consent", f"reader:{reader.pk}",
        {"text": hashlib.sha256(text.encode()).hexdigest()},
    )  # fmt: skip


@transaction.atomic
def give_record(user: User, schedule: Schedule, given: Mapping[str, Any]) -> None:
    """Keep what the study asks its readers about themselves; of the words only a hash is audited.

    Raises ``Closed`` (nothing can change any more) or ``ReadingError``.
    """
    study = Study.objects.select_for_update().get(pk=schedule.study_id)
    reader = Reader.objects.select_for_update().get(schedule=schedule)
    schedule.study, schedule.reader = study, reader
    if not editable(schedule):
        raise Closed(_("What you said about yourself can't change any more: your first session has begun."))
    if not complete(given, study):
        raise ReadingError(_("Answer every question about yourself."))
    said = {name: value.strip() if isinstance(value, str) else value for name, value in given.items()}
    if said == reader.record:
        return
    reader.record = said
    reader.save(update_fields=["record"])
    record(
        study.chain, user.handle, "reader.record", f"reader:{reader.pk}",
        {"fields": sorted(said), "sha256": sha256_of(said)},
    )  # fmt: skip


@transaction.atomic
def draw_display_check(user: User, session: Session) -> DisplayCheck:
    """The check that waits for the reader's report, drawn now unless one waits already.

    Raises ``NotPrepared`` (another step comes first) or ``Closed``.
    """
    session = _hold(session)
    waiting = session.display_checks.filter(passed=None).last()
    targets = [secrets.randbelow(QUADRANTS) for _step in STEPS]
    return waiting or DisplayCheck.objects.create(session=session, targets=targets)


@transaction.atomic
def report_display_check(
    user: User, session: Session, check_id: int, reported: Sequence[int], environment: Surroundings
) -> DisplayCheck:
    """Store what the reader saw; a passed check opens the session, a failed one can be repeated.

    Raises ``NotPrepared``, ``Closed`` or ``ReadingError``.
    """
    session = _hold(session)
    check = session.display_checks.filter(pk=check_id, passed=None).first()
    if check is None:
        raise ReadingError(_("This check has been answered already: here is a new one."))
    quadrants = range(NONE_SEEN, QUADRANTS)
    if len(reported) != len(STEPS) or not all(type(seen) is int and seen in quadrants for seen in reported):
        raise ReadingError(_("Say for every patch in which corner the square is, or that you see none."))
    if environment.remote_desktop not in REMOTE_DESKTOP or environment.ambient_light not in AMBIENT_LIGHT:
        raise ReadingError(_("Say whether this is a remote desktop, and how bright the room is."))
    wrong = missed(check.targets, reported)
    check.reported, check.passed = list(reported), len(wrong) <= WRONG_ALLOWED
    check.save(update_fields=["reported", "passed"])
    session.environment = {
        "tries": tries(session), "wrong": len(wrong), "screen": bounded(environment.screen),
        "remote_desktop": environment.remote_desktop, "ambient_light": environment.ambient_light,
    } | ({"check": "passed"} if check.passed else {})  # fmt: skip
    session.save(update_fields=["environment"])
    return check


@transaction.atomic
def accept_display(user: User, session: Session) -> None:
    """Go on with a display that failed twice; the session is flagged for ever. Raises ``Closed``."""
    session = _hold(session)
    if tries(session) < TRIES:
        raise Closed(_("Do the display check twice before you go on without passing it."))
    if session.schedule.study.protocol["display"].get("check") == "required":
        raise Closed(
            _("This study is read on displays that pass the check only: use another display or ask the coordinator.")
        )
    session.environment = {**session.environment, "check": "flagged"}
    session.save(update_fields=["environment"])


def tries(session: Session) -> int:
    """How often the reader has reported what the display shows."""
    return session.display_checks.exclude(passed=None).count()


def _hold(session: Session) -> Session:
    """The session for this transaction, if its display check is what comes next."""
    rows = Session.objects.select_related("schedule__study", "schedule__reader").select_for_update(of=("self",))
    session = rows.get(pk=session.pk)
    if session.started_at is not None:
        raise Closed(_("This session has begun: its display check can't change any more."))
    if not may_open(session):
        raise Closed(_("This session is not open: finish the one before it, or wait until its day."))
    step = missing_step(session)
    if step not in ("", "check"):
        raise NotPrepared(_("Something stands before this session: start it from your worklist."), step)
    if not step:
        raise Closed(_("This session asks for no display check any more: open it from your worklist."))
    return session
