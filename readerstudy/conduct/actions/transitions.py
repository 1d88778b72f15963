"""Every transition of a study: open, close, lock, unblind; each checks role and state and writes its audit row."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from readerstudy.accounts.models import User
from readerstudy.audit.actions import record
from readerstudy.audit.canonical import sha256_of
from readerstudy.conduct.actions.blinding import hold_people, require_blinded
from readerstudy.conduct.flags import FLAGS
from readerstudy.conduct.frozen import sealed_images
from readerstudy.conduct.images import freeze_images, shared_slices
from readerstudy.reconstructions.queries import looks_before
from readerstudy.schedules.actions import DrawError, draw_orders, draw_practice, draw_slices, reveal_secret
from readerstudy.schedules.designs.types import DesignError
from readerstudy.schedules.models import Session
from readerstudy.studies.actions import StudyError, hold, require_state
from readerstudy.studies.models import Study
from readerstudy.studies.queries import protocol_of

State = Study.State


@transaction.atomic
def open_study(study: Study, by: User) -> Study:
    """Freeze protocol and plan, draw slices and orders and seal them; ``letters.send_commitment`` mails the seal."""
    study = hold(study, by)
    require_state(study, State.DRAFT, "Only a draft can be opened.")
    protocol = protocol_of(study)
    readers = list(study.readers.select_related("membership__user"))
    hold_people(readers)
    if len(readers) != protocol.design.readers:
        raise StudyError(
            f"The protocol asks for {protocol.design.readers} readers and {len(readers)} are in the study: "
            "invite readers or change design.readers."
        )
    study.protocol_hash, study.plan_hash = sha256_of(study.protocol), sha256_of(study.plan)
    study.state, study.opened_at = State.OPEN, (opened := timezone.now())
    study.save(update_fields=["protocol_hash", "plan_hash", "state", "opened_at"])
    try:
        slices = shared_slices(study) if study.extends_id else draw_slices(study, protocol)
        drawn = draw_orders(study, protocol, freeze_images(study, protocol, slices))
        draw_practice(study, protocol, slices)
    except (DrawError, DesignError) as error:
        raise StudyError(str(error)) from error
    require_blinded(study, readers)
    looks = looks_before({row.slice.case_id: row.slice.case for row in slices}.values(), opened)
    record(
        study.chain, by.handle, "study.open", f"study:{study.pk}",
        {
            "protocol": study.protocol_hash, "plan": study.plan_hash, "commitment": drawn.commitment,
            "slices": len(slices), "readers": len(readers), "presentations": drawn.presentations,
            "flags": FLAGS.as_data(), "images": sealed_images(study),
            "looks": {"people": len({look.handle for look in looks}), "cases": len({look.case for look in looks})},
        },
    )  # fmt: skip
    return study


@transaction.atomic
def close_study(study: Study, by: User) -> Study:
    """End the collection of scores."""
    study = hold(study, by)
    require_state(study, State.OPEN, "Only an open study can be closed.")
    study.state, study.closed_at = State.CLOSED, timezone.now()
    study.save(update_fields=["state", "closed_at"])
    record(study.chain, by.handle, "study.close", f"study:{study.pk}", {})
    return study


@transaction.atomic
def waive_session(session: Session, by: User, reason: str) -> Session:
    """Record why a session stays unsigned, so that the study can be locked without it."""
    study = hold(session.schedule.study, by)
    require_state(study, State.CLOSED, "Close the study first.")
    if not reason.strip():
        raise StudyError("Write why this session stays unsigned.")
    session = Session.objects.select_for_update().get(pk=session.pk)
    if session.signed_at is not None:
        raise StudyError("This session is signed: there is nothing to waive.")
    session.waived_reason = reason.strip()
    session.save(update_fields=["waived_reason"])
    record(study.chain, by.handle, "session.waive", f"session:{session.pk}", {"reason": session.waived_reason})
    return session


@transaction.atomic
def lock_study(study: Study, by: User) -> Study:
    """After the lock no score can come in; every session is signed or has a recorded reason."""
    study = hold(study, by)
    require_state(study, State.CLOSED, "Only a closed study can be locked.")
    unsigned = Session.objects.filter(
        schedule__study=study, schedule__reader__isnull=False, signed_at=None, waived_reason=""
    ).count()
    if unsigned:
        raise StudyError(f"{unsigned} sessions are neither signed nor have a reason why not: record the reasons first.")
    study.state, study.locked_at, study.locked_by = State.LOCKED, timezone.now(), by
    study.save(update_fields=["state", "locked_at", "locked_by"])
    record(study.chain, by.handle, "study.lock", f"study:{study.pk}", {})
    return study


@transaction.atomic
def unblind_study(study: Study, by: User) -> Study:
    """Once, irreversibly, and by another coordinator than the one who locked."""
    study = hold(study, by)
    require_state(study, State.LOCKED, "Only a locked study can be unblinded, and only once.")
    if study.locked_by_id == by.pk:
        raise StudyError("Another coordinator than the one who locked the study must unblind it.")
    study.state, study.unblinded_at = State.UNBLINDED, timezone.now()
    study.save(update_fields=["state", "unblinded_at"])
    secret = reveal_secret(study, study.unblinded_at)
    record(
        study.chain, by.handle, "study.unblind", f"study:{study.pk}",
        {"secret": secret.secret, "commitment": secret.commitment},
    )  # fmt: skip
    return study


@transaction.atomic
def set_paused(study: Study, by: User, *, paused: bool, reason: str) -> Study:
    """Pause or resume an open study; readers' answers wait in their browsers meanwhile."""
    study = hold(study, by)
    require_state(study, State.OPEN, "Only an open study can be paused or resumed.")
    if study.paused == paused:
        return study
    if paused and not reason.strip():
        raise StudyError("Write why the study pauses.")
    study.paused = paused
    study.save(update_fields=["paused"])
    verb = "study.pause" if paused else "study.resume"
    record(study.chain, by.handle, verb, f"study:{study.pk}", {"reason": reason.strip()})
    return study
