"""Sessions: opened when everything before them is done, compared with the reference, signed for ever."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from readerstudy.accounts.models import User
from readerstudy.audit.actions import record
from readerstudy.audit.canonical import sha256_of
from readerstudy.cases.actions import record_look
from readerstudy.cases.models import Case
from readerstudy.reading.actions.errors import Closed, NotPrepared, ReadingError
from readerstudy.reading.models import Annotation, Score
from readerstudy.reading.preparation import missing_step
from readerstudy.reading.queries import mark_as_data, may_open, score_as_data, uncompared, unscored
from readerstudy.schedules.models import Session
from readerstudy.studies.models import Study


@transaction.atomic
def start_session(user: User, session: Session) -> Session:
    """Open a session for reading; opening it again resumes it. Raises ``Closed`` or ``NotPrepared``."""
    if not may_open(session):
        raise Closed(_("This session is not open: finish the one before it, or wait until its day."))
    if session.started_at is None:
        if step := missing_step(session):
            raise NotPrepared(_("Something stands before this session: start it from your worklist."), step)
        changed = Session.objects.filter(pk=session.pk, started_at=None).update(started_at=timezone.now())
        session.refresh_from_db()
        if changed:
            study = session.schedule.study
            record(
                study.chain, user.handle, "session.start", f"session:{session.pk}",
                {"environment": session.environment} if session.environment else {},
            )  # fmt: skip
            if study.protocol["display"]["reference"] == "beside":
                _record_looks(session, user)
    return session


def _record_looks(session: Session, user: User) -> None:
    """Who has seen the references of these cases never reads them in another study."""
    for case in Case.objects.filter(slices__in=session.presentations.values("study_slice__slice")).distinct():
        record_look(case, user, reading=True)


@transaction.atomic
def begin_fidelity(user: User, session: Session) -> Session:
    """Make the scores final and show the images of the fidelity pass; beginning again changes nothing."""
    session = _hold(session)
    if session.scores_final_at is not None:
        return session
    study = session.schedule.study
    if session.signed_at is not None or session.started_at is None or study.state != Study.State.OPEN or study.paused:
        raise Closed(_("This session takes no comparison now: ask the coordinator."))
    if unscored(session):
        raise ReadingError(_("Score all images of this session before you compare with the reference."))
    if not uncompared(session):
        raise ReadingError(_("This session has no comparison with the reference: sign it."))
    session.scores_final_at = timezone.now()
    session.save(update_fields=["scores_final_at"])
    record(study.chain, user.handle, "session.final", f"session:{session.pk}", {"scores": scores_hash(session)})
    _record_looks(session, user)
    return session


@transaction.atomic
def sign_session(user: User, session: Session, *, printed_name: str, meaning: str) -> Session:
    """Bind the person to the session's scores and marks; from here on the database refuses every change.

    The caller has just verified the person's password or passkey.
    """
    session = _hold(session)
    if session.signed_at is not None:
        raise Closed(_("This session is signed already."))
    if session.started_at is None or session.schedule.study.state != Study.State.OPEN:
        raise Closed(_("This session can't be signed now: ask the coordinator."))
    _require_complete(session)
    if not printed_name.strip() or not meaning.strip():
        raise ReadingError(_("Write your name and confirm what the signature means."))
    session.signature = {
        "name_hash": sha256_of(printed_name.strip()), "meaning": meaning.strip(), "scores": scores_hash(session),
        "marks": marks_hash(session),
    }  # fmt: skip
    session.signed_at = timezone.now()
    session.save(update_fields=["signature", "signed_at"])
    record(
        session.schedule.study.chain, user.handle, "session.sign", f"session:{session.pk}",
        {name: session.signature[name] for name in ("scores", "marks", "meaning")},
    )  # fmt: skip
    return session


def _hold(session: Session) -> Session:
    """The session's row, held for this transaction after its study's, in the order of every other verb."""
    study = Study.objects.select_for_update().get(pk=session.schedule.study_id)
    held = Session.objects.select_related("schedule").select_for_update(of=("self",)).get(pk=session.pk)
    held.schedule.study = study
    return held


def _require_complete(session: Session) -> None:
    if missing := unscored(session):
        raise ReadingError(
            ngettext(
                "{n} image of this session has no score yet: finish it before you sign.",
                "{n} images of this session have no score yet: finish them before you sign.",
                missing,
            ).format(n=missing)
        )
    if missing := uncompared(session):
        raise ReadingError(
            ngettext(
                "{n} image still has to be compared with its reference: finish it before you sign.",
                "{n} images still have to be compared with their references: finish them before you sign.",
                missing,
            ).format(n=missing)
        )


def scores_hash(session: Session) -> str:
    """SHA-256 over the session's live scores in their order."""
    rows = Score.objects.filter(presentation__session=session).select_related("criterion", "presentation")
    ordered = rows.order_by("presentation__position", "criterion__position")
    return sha256_of([[s.presentation_id, s.criterion.key, score_as_data(s), s.comment] for s in ordered])


def marks_hash(session: Session) -> str:
    """SHA-256 over the session's marks, the deleted ones included, in their order."""
    rows = Annotation.objects.filter(presentation__session=session).select_related("pane")
    return sha256_of([[m.presentation_id, mark_as_data(m)] for m in rows.order_by("presentation__position", "pk")])
