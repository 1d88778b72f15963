"""Make a study from a protocol, and bring people into it."""

from __future__ import annotations

from dataclasses import replace

from django.db import IntegrityError, models, transaction

from readerstudy.accounts.models import User
from readerstudy.audit.actions import record
from readerstudy.audit.canonical import sha256_of
from readerstudy.audit.models import Entry
from readerstudy.cases.models import Look
from readerstudy.studies import protocol as protocols
from readerstudy.studies.blinding import drawn_cases
from readerstudy.studies.models import Arm, Criterion, Membership, Reader, Study
from readerstudy.studies.outlook import require_known_settings
from readerstudy.studies.queries import protocol_of

COPY = " (copy)"


class StudyError(ValueError):
    """Why a verb was refused, in one sentence that says what to do."""


@transaction.atomic
def create_study(protocol: protocols.Protocol, by: User, *, extends: Study | None = None) -> Study:
    """A draft with its arms and criteria; the person becomes its coordinator."""
    if not by.may_coordinate:
        raise StudyError("Only coordinators create studies: ask the administrator for the right.")
    require_savable(protocol)
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
    require_savable(protocol)
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


@transaction.atomic
def copy_study(study: Study, by: User) -> Study:
    """A new draft with the same protocol and plan under the title with "(copy)"; nothing that was collected."""
    if not Membership.objects.filter(study=study, user=by, role=Membership.Role.COORDINATOR).exists():
        raise StudyError("Only a coordinator of this study may copy it.")
    protocol = protocol_of(study)
    room = _longest(Study, "title") - len(COPY)
    named = replace(protocol.study, title=protocol.study.title[:room] + COPY)
    made = create_study(replace(protocol, study=named), by)
    record(made.chain, by.handle, "study.copy", f"study:{made.pk}", {"of": f"study:{study.pk}"})
    return made


def require_savable(protocol: protocols.Protocol) -> None:
    """The database has room for every name and the methods have the settings; raises ``ProtocolError``."""
    limits: list[tuple[str, type[models.Model], str, str]] = [("study.title", Study, "title", protocol.study.title)]
    for number, arm in enumerate(protocol.arms, start=1):
        limits += [(f"arms[{number}].{name}", Arm, name, getattr(arm, name)) for name in ("key", "title", "method")]
    for number, criterion in enumerate(protocol.criteria, start=1):
        names = ("key", "title", "question")
        limits += [(f"criteria[{number}].{name}", Criterion, name, getattr(criterion, name)) for name in names]
    for path, model, name, text in limits:
        if len(text) > _longest(model, name):
            raise protocols.ProtocolError(f"{path}: write at most {_longest(model, name)} characters.")
    require_known_settings(protocol)


def _longest(model: type[models.Model], name: str) -> int:
    limit = getattr(model._meta.get_field(name), "max_length", None)
    assert isinstance(limit, int)
    return limit


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
    study = hold(study, by)
    membership = join(study, user, role)
    record(study.chain, by.handle, f"study.add_{role}", f"study:{study.pk}", {"member": user.handle})
    return membership


def join(study: Study, user: User, role: str) -> Membership:
    """The membership, and in a draft the reader's pseudonym; for verbs that hold the study and write the audit row."""
    if role == Membership.Role.READER:
        require_state(study, Study.State.DRAFT, "Readers join before the study opens: replace a reader instead.")
    membership = admit(study, user, role)
    if role == Membership.Role.READER:
        name_reader(study, membership)
    return membership


def admit(study: Study, user: User, role: str) -> Membership:
    """One role per person, and readers who know nothing of the images; the caller holds the study's row."""
    if role == Membership.Role.READER:
        require_unprimed(study, user)
    try:
        with transaction.atomic():
            return Membership.objects.create(study=study, user=user, role=role)
    except IntegrityError as error:
        raise StudyError(f"{user.name} already has a role in this study: nobody reads a study and runs it.") from error


def name_reader(study: Study, membership: Membership) -> Reader:
    """The member as a reader under the next pseudonym; a pseudonym is never given twice."""
    last = study.readers.aggregate(last=models.Max("number"))["last"] or 0
    return Reader.objects.create(
        study=study, membership=membership, number=last + 1, simulated=membership.user.simulated
    )


def hold(study: Study, by: User) -> Study:
    """The study's row, held for this transaction, if the person coordinates it."""
    row = Study.objects.select_for_update().get(pk=study.pk)
    if not Membership.objects.filter(study=row, user=by, role=Membership.Role.COORDINATOR).exists():
        raise StudyError("Only a coordinator of this study may do this.")
    return row


def require_unprimed(study: Study, user: User) -> None:
    """Who has seen a comparison or a reference of a case, or the key of a study with these slices, can't read it."""
    if Look.objects.filter(user=user, case__in=drawn_cases(study)).exists():
        raise StudyError(f"{user.name} has seen images of this study's cases unblinded: choose another reader.")
    related = relatives(study)
    unblinded = [row.pk for row in related if row.state == Study.State.UNBLINDED]
    if unblinded and Membership.objects.filter(study__in=unblinded, user=user).exists():
        raise StudyError(f"{user.name} is in an unblinded study of the same slices: choose another reader.")
    chains = [row.chain for row in related]
    if chains and Entry.objects.filter(chain__name__in=chains, verb="guess", actor=user.handle).exists():
        raise StudyError(f"{user.name} has guessed methods in a study of the same slices: choose another reader.")


def relatives(study: Study) -> list[Study]:
    """All other studies of the same slices: what this one extends, and every extension of that."""
    root = study
    while root.extends is not None:
        root = root.extends
    family = [root]
    for row in family:
        family += Study.objects.filter(extends=row)
    return [row for row in family if row.pk != study.pk]


def require_state(study: Study, state: str, sentence: str) -> None:
    if study.state != state:
        raise StudyError(sentence)
