"""Make a study from a protocol, and bring people into it."""

from __future__ import annotations

from django.db import IntegrityError, transaction

from readerstudy.accounts.models import User
from readerstudy.audit.actions import record
from readerstudy.audit.canonical import sha256_of
from readerstudy.cases.models import Look
from readerstudy.studies import protocol as protocols
from readerstudy.studies.models import Arm, Criterion, Membership, Reader, Study, StudySlice


class StudyError(ValueError):
    """Why a verb was refused, in one sentence that says what to do."""


@transaction.atomic
def create_study(protocol: protocols.Protocol, by: User, *, extends: Study | None = None) -> Study:
    """A draft with its arms and criteria; the person becomes its coordinator."""
    if not by.may_coordinate:
        raise StudyError("Only coordinators create studies: ask the administrator for the right.")
    study = Study.objects.create(
        title=protocol.study.title, protocol=protocol.as_data(), plan=protocol.plan_as_data(),
        created_by=by, extends=extends,
    )  # fmt: skip
    _write_parts(study, protocol)
    record(study.chain, by.handle, "study.create", f"study:{study.pk}", {"protocol": sha256_of(study.protocol)})
    Membership.objects.create(study=study, user=by, role=Membership.Role.COORDINATOR)
    return study


@transaction.atomic
def change_protocol(study: Study, protocol: protocols.Protocol, by: User) -> Study:
    """Replace the protocol and plan of a draft; later they change by amendment only."""
    study = Study.objects.select_for_update().get(pk=study.pk)
    require_state(study, Study.State.DRAFT, "The protocol is frozen since the study was opened: make an amendment.")
    study.title, study.protocol, study.plan = (
        protocol.study.title,
        protocol.as_data(),
        protocol.plan_as_data(),
    )
    study.save(update_fields=["title", "protocol", "plan"])
    study.arms.all().delete()
    study.criteria.all().delete()
    _write_parts(study, protocol)
    record(study.chain, by.handle, "study.protocol", f"study:{study.pk}", {"protocol": sha256_of(study.protocol)})
    return study


def _write_parts(study: Study, protocol: protocols.Protocol) -> None:
    Arm.objects.bulk_create(
        Arm(
            study=study, position=i, key=a.key, title=a.title, method=a.method, levels=a.levels,
            settings=a.settings, role=a.role,
        )
        for i, a in enumerate(protocol.arms)
    )  # fmt: skip
    Criterion.objects.bulk_create(
        Criterion(study=study, position=i, key=c.key, title=c.title, question=c.question, texts=c.texts)
        for i, c in enumerate(protocol.criteria)
    )


@transaction.atomic
def add_member(study: Study, user: User, role: str, by: User) -> Membership:
    """Give a person one role in a study; readers get the next pseudonym while it is a draft."""
    study = Study.objects.select_for_update().get(pk=study.pk)
    if role == Membership.Role.READER:
        require_state(study, Study.State.DRAFT, "Readers join before the study opens: use a reserve schedule.")
        require_unprimed(study, user)
    try:
        with transaction.atomic():
            membership = Membership.objects.create(study=study, user=user, role=role)
    except IntegrityError as error:
        raise StudyError(f"{user.name} already has a role in this study: nobody reads a study and runs it.") from error
    if role == Membership.Role.READER:
        number = study.readers.count() + 1
        Reader.objects.create(study=study, membership=membership, number=number, simulated=user.simulated)
    record(study.chain, by.handle, f"study.add_{role}", f"study:{study.pk}", {"member": user.handle})
    return membership


def require_unprimed(study: Study, user: User) -> None:
    """Who has opened a comparison or a reference of a case can't be its reader, in any study."""
    drawn = StudySlice.objects.filter(study=study).values("slice__case")
    if Look.objects.filter(user=user, case__in=drawn).exists():
        raise StudyError(f"{user.name} has seen images of this study's cases unblinded: choose another reader.")


def require_state(study: Study, state: str, sentence: str) -> None:
    if study.state != state:
        raise StudyError(sentence)
