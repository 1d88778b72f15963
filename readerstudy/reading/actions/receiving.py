"""What every answer of a reader goes through: whose is it, was it stored before, is the session open for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.http import Http404
from django.utils.translation import gettext as _

from readerstudy.accounts.models import User
from readerstudy.audit.actions import record
from readerstudy.reading.actions.errors import Closed, Paused, ReadingError
from readerstudy.reading.models import Answer, Score
from readerstudy.schedules.models import Presentation, Session
from readerstudy.studies.models import Reader, Study


@dataclass(frozen=True)
class Stored:
    """The acknowledgement: ``duplicate`` when this key had been stored before."""

    key: UUID
    duplicate: bool


def own(user: User, pk: str) -> Presentation:
    """The presentation if it is the person's own, else a 404; nothing is held."""
    mine = _active(user, "session__schedule__reader__")
    row = Presentation.objects.select_related("session__schedule").filter(mine, pk=pk).order_by().first()
    if row is None:
        raise Http404
    return row


def hold(user: User, presentation: Presentation) -> None:
    """Hold study and session for this transaction; a 404 where the presentation has ceased to be the person's own.

    Every reader of a study waits here for the one before: what can be read earlier is read earlier.
    """
    # The study's row first, so that no answer slips past a closing; then the session's, where two tabs queue up.
    study = Study.objects.defer("plan").select_for_update().get(pk=presentation.session.schedule.study_id)
    held = Session.objects.select_related("schedule").select_for_update(of=("self",))
    session = held.filter(_active(user, "schedule__reader__"), pk=presentation.session_id).order_by().first()
    if session is None:
        raise Http404
    session.schedule.study = study
    presentation.session = session


def _active(user: User, reader: str) -> Q:
    """That the reader at the end of a path is this person and has not been withdrawn."""
    return Q(**{f"{reader}membership__user": user, f"{reader}state": Reader.State.ACTIVE})


def stored_before(key: UUID, presentation: Presentation, digest: str) -> bool:
    """Whether this very answer is stored already; raises ``ReadingError`` where its key has another meaning."""
    known = Answer.objects.filter(key=key).first()
    if known is None:
        return False
    if known.presentation_id != presentation.pk or known.digest != digest:
        raise ReadingError(_("This answer's key was used for another answer: reload the page and answer again."))
    return True


def require_open(presentation: Presentation) -> None:
    """Raises ``Closed`` unless the held session and its study take answers, and presentations of this kind now."""
    session = presentation.session
    study = session.schedule.study
    if session.signed_at is not None:
        raise Closed(_("This session is signed: its answers can't change any more."))
    if study.state != Study.State.OPEN:
        raise Closed(_("The study takes no answers now: ask the coordinator."))
    if study.paused:
        raise Paused(_("The study is paused: your answers wait here until it goes on."))
    if session.started_at is None:
        raise Closed(_("Open the session from your worklist first."))
    comparing = presentation.kind == Presentation.Kind.FIDELITY
    if comparing and session.scores_final_at is None:
        raise Closed(_("Score all images of this session before you compare with the reference."))
    if not comparing and session.scores_final_at is not None:
        raise Closed(_("The scores of this session are final since the comparison with the reference began."))


def scored_near(presentation: Presentation) -> list[Score]:
    """The live scores of this image and of the one before it."""
    first, last = presentation.position - 1, presentation.position
    return list(
        Score.objects.filter(
            presentation__session_id=presentation.session_id, presentation__position__range=(first, last)
        )
    )


def require_turn(presentation: Presentation, near: Sequence[Score]) -> None:
    """Forward one image at a time; back as far as the protocol says, never past another version of the slice."""
    scored = Presentation.objects.filter(session_id=presentation.session_id, scores__isnull=False)
    if all(score.presentation_id != presentation.pk for score in near):
        if near or presentation.position == 0:
            return
        if scored.exists():
            raise ReadingError(_("Images are scored in their order: an earlier answer has not arrived yet."))
        raise ReadingError(_("Images are scored in their order: start with the first."))
    back = max(presentation.session.schedule.study.protocol["display"]["back"], 1)
    if scored.filter(position__gte=presentation.position + back).exists():
        raise Closed(_("This image lies too far back to be changed."))
    later = scored.filter(position__gt=presentation.position, study_slice_id=presentation.study_slice_id)
    if later.exists():
        raise Closed(_("Another version of this image has been scored since: this answer stays."))


def keep(user: User, presentation: Presentation, key: UUID, digest: str, verb: str, data: dict[str, Any]) -> Answer:
    """Write the event into the study's chain, and the answer that points to it."""
    study = presentation.session.schedule.study
    entry = record(study.chain, user.handle, verb, f"presentation:{presentation.pk}", {"key": str(key), **data})
    return Answer.objects.create(key=key, presentation=presentation, digest=digest, entry=entry)
