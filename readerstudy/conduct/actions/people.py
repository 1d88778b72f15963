"""Who comes into a study and who leaves it: invitations, withdrawal, replacement from a reserve schedule."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from readerstudy.accounts.invitations import NewAccount, create_account
from readerstudy.accounts.models import User
from readerstudy.accounts.tokens import digest
from readerstudy.audit.actions import record
from readerstudy.conduct.actions.blinding import require_free
from readerstudy.conduct.models import Invitation
from readerstudy.conduct.queries import usable_invitation
from readerstudy.reading.models import Score
from readerstudy.schedules.models import Schedule, Session
from readerstudy.studies.actions import StudyError, admit, hold, join, name_reader, require_state
from readerstudy.studies.models import Membership, Reader, Study

LIFETIME = timedelta(days=7)
LONGEST_REASON = 400
State = Study.State


class InvitationGone(StudyError):
    """The link was used, revoked, is too old, or never existed; which of these is not said."""


@dataclass(frozen=True)
class Invited:
    """The invitation and its link's secret, which exists nowhere else."""

    invitation: Invitation
    token: str


@transaction.atomic
def invite(
    study: Study, role: str, email: str, by: User, *, replaces: Reader | None = None, reason: str = ""
) -> Invited:
    """A link that works once within seven days; ``letters.send_invitation`` mails it."""
    study = hold(study, by)
    if role == Membership.Role.READER:
        if replaces is None:
            require_state(
                study, State.DRAFT, "The study is open with all its readers: invite a radiologist who replaces one."
            )
        else:
            _require_replaceable(study, replaces, reason)
    token = secrets.token_urlsafe(32)
    invitation = Invitation.objects.create(
        study=study, role=role, email=email, token_hash=digest(token), expires_at=timezone.now() + LIFETIME,
        made_by=by, replaces=replaces, reason=reason.strip() if replaces else "",
    )  # fmt: skip
    record(
        study.chain, by.handle, "study.invite", f"invitation:{invitation.pk}",
        {"role": role, "expires": invitation.expires_at.isoformat(timespec="seconds")}
        | ({"replaces": replaces.pseudonym} if replaces else {}),
    )  # fmt: skip
    return Invited(invitation, token)


@transaction.atomic
def revoke_invitation(invitation: Invitation, by: User) -> None:
    """Make an unused link worthless."""
    study = hold(invitation.study, by)
    changed = Invitation.objects.filter(pk=invitation.pk, used_at=None, revoked_at=None)
    if not changed.update(revoked_at=timezone.now(), email=""):
        raise StudyError("This invitation can't be used any more: there is nothing to take back.")
    record(study.chain, by.handle, "invitation.revoke", f"invitation:{invitation.pk}", {})


@transaction.atomic
def accept_invitation(token: str, person: User | NewAccount) -> tuple[Study, User]:
    """Use the link, once: an account where there is none, and the role. Raises ``InvitationGone``."""
    known = Study.objects.filter(invitations__token_hash=digest(token))
    # The study's row first, as everywhere; where two presses queue up, the second finds the link used.
    study = Study.objects.select_for_update().filter(pk__in=known.values("pk")).first()
    invitation = usable_invitation(token)
    if study is None or invitation is None:
        raise InvitationGone("It was used, has expired or never existed: ask the study's coordinator for a new one.")
    user = create_account(person) if isinstance(person, NewAccount) else person
    if invitation.replaces is None:
        join(study, user, invitation.role)
        verb, data = f"study.add_{invitation.role}", {"member": user.handle, "invitation": invitation.pk}
        record(study.chain, user.handle, verb, f"study:{study.pk}", data)
    else:
        _replace(study, invitation.replaces, user, user, invitation.reason)
    invitation.used_at, invitation.used_by, invitation.email = timezone.now(), user, ""
    invitation.save(update_fields=["used_at", "used_by", "email"])
    return study, user


@transaction.atomic
def withdraw_reader(study: Study, reader: Reader, by: User, reason: str) -> Reader:
    """The reader reads no more; every score stays, and unsigned sessions have the reason recorded."""
    study = hold(study, by)
    if study.state not in (State.OPEN, State.CLOSED):
        raise StudyError("A reader withdraws between opening and lock.")
    reader = _held(study, reader)
    if reader.state != Reader.State.ACTIVE:
        raise StudyError(f"{reader.pseudonym} is {reader.get_state_display()} already.")
    data = _leave(reader, Reader.State.WITHDRAWN, _said(reason))
    record(study.chain, by.handle, "reader.withdraw", f"reader:{reader.pk}", data)
    return reader


@transaction.atomic
def replace_reader(study: Study, reader: Reader, by: User, user: User, reason: str) -> Reader:
    """Another person takes a reserve schedule under the next pseudonym; the replaced reader's scores stay."""
    study = hold(study, by)
    return _replace(study, reader, user, by, reason)


def _replace(study: Study, reader: Reader, user: User, by: User, reason: str) -> Reader:
    reserve, reader = _require_replaceable(study, reader, reason)
    User.objects.select_for_update().get(pk=user.pk)
    new = name_reader(study, admit(study, user, Membership.Role.READER))
    require_free(study, new)
    reserve.reader = new
    reserve.save(update_fields=["reader"])
    data = _leave(reader, Reader.State.REPLACED, _said(reason))
    record(
        study.chain, by.handle, "reader.replace", f"reader:{reader.pk}",
        {**data, "by": new.pseudonym, "member": user.handle, "schedule": reserve.number},
    )  # fmt: skip
    return new


def _require_replaceable(study: Study, reader: Reader, reason: str) -> tuple[Schedule, Reader]:
    """The next reserve schedule and the reader's row, if the one can take the place of the other."""
    require_state(study, State.OPEN, "A reader is replaced while the study is open.")
    reader = _held(study, reader)
    if reader.state == Reader.State.REPLACED:
        raise StudyError(f"{reader.pseudonym} is replaced already.")
    _said(reason)
    reserve = Schedule.objects.filter(study=study, reader=None).order_by("number").first()
    if reserve is None:
        raise StudyError("No reserve schedule is left: go on with the other readers, or withdraw this one.")
    return reserve, reader


def _held(study: Study, reader: Reader) -> Reader:
    found = Reader.objects.select_for_update().filter(study=study, pk=reader.pk).first()
    if found is None:
        raise StudyError("This reader is in another study.")
    return found


def _said(reason: str) -> str:
    if not 0 < len(reason.strip()) <= LONGEST_REASON:
        raise StudyError(f"Write the reason, in up to {LONGEST_REASON} characters and without names.")
    return reason.strip()


def _leave(reader: Reader, state: Reader.State, reason: str) -> dict[str, object]:
    """Set the reader's state and record the reason for every session that stays unsigned; returns what to audit."""
    reader.state, reader.state_reason = state, reason
    reader.save(update_fields=["state", "state_reason"])
    unsigned = Session.objects.filter(schedule__reader=reader, signed_at=None, waived_reason="")
    waived = sorted(unsigned.values_list("number", flat=True))
    unsigned.update(waived_reason=reason)
    scores = Score.objects.filter(presentation__session__schedule__reader=reader).count()
    return {"reader": reader.pseudonym, "reason": reason, "scores": scores, "sessions": waived}
