"""Numbered amendments: what may still change after opening, with a reason, and nothing else."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from readerstudy.accounts.models import User
from readerstudy.audit.actions import record
from readerstudy.audit.canonical import sha256_of
from readerstudy.studies.actions import StudyError, hold
from readerstudy.studies.models import Amendment, Reader, Study
from readerstudy.studies.protocol import Protocol
from readerstudy.studies.queries import protocol_of

# Nothing here touches what was drawn, frozen or shown; the plan's own keys are allowed as a whole.
ALLOWED = (
    "study.approval_body", "study.approval_number", "study.registration", "study.consent",
    "sessions.minimum_days_apart", "sessions.break_after_minutes", "sessions.too_fast_ms", "display.check",
)  # fmt: skip
PLAN = "plan"


@dataclass(frozen=True)
class Change:
    """One key with what it was and what it becomes; ``None`` where it is not there."""

    key: str
    before: Any
    after: Any


@transaction.atomic
def amend_study(study: Study, by: User, protocol: Protocol, reason: str) -> Amendment:
    """Change protocol or plan of a study that collects scores: the next number, both hashes, and the reason."""
    study = hold(study, by)
    changes = changes_between(study, protocol)
    _require_allowed(study, changes)
    if not reason.strip():
        raise StudyError("Write the reason for the amendment.")
    before = {"protocol": study.protocol_hash, "plan": study.plan_hash}
    study.protocol, study.plan = applied(study.protocol, study.plan, changes)
    study.protocol_hash, study.plan_hash = sha256_of(study.protocol), sha256_of(study.plan)
    study.save(update_fields=["protocol", "plan", "protocol_hash", "plan_hash"])
    after = {"protocol": study.protocol_hash, "plan": study.plan_hash}
    amendment = Amendment.objects.create(
        study=study, number=study.amendments.count() + 1, reason=reason.strip(), changes=as_data(changes),
        before_hash=sha256_of(before), after_hash=sha256_of(after),
    )  # fmt: skip
    if any(change.key == "study.consent" for change in changes):
        # Who agreed to the old text agrees to the new one before the next session.
        Reader.objects.filter(study=study, state=Reader.State.ACTIVE).update(consented_at=None)
    record(
        study.chain, by.handle, "study.amend", f"study:{study.pk}",
        {
            "number": amendment.number, "reason": amendment.reason, "changes": amendment.changes,
            "before": before, "after": after,
        },
    )  # fmt: skip
    return amendment


def changes_between(study: Study, protocol: Protocol) -> list[Change]:
    """Every key in which a protocol differs from the study's, the sections' keys one by one."""
    now, after = _flat(protocol_of(study)), _flat(protocol)
    keys = [key for key in dict.fromkeys([*now, *after]) if now.get(key) != after.get(key)]
    # What is frozen may lack a key that came later with a default: then it says "not there", not the default.
    frozen = {**study.protocol, PLAN: study.plan}
    return [Change(key, _frozen(frozen, key), after.get(key)) for key in keys]


def may_change(key: str) -> bool:
    return key in ALLOWED or key.split(".")[0] == PLAN


def applied(
    protocol: dict[str, Any], plan: dict[str, Any], changes: list[Change]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The documents with the changes made; keys that did not change keep the form in which they were frozen."""
    documents = {**deepcopy(protocol), PLAN: deepcopy(plan)}
    for change in changes:
        section, _, name = change.key.partition(".")
        if change.after is None:
            documents[section].pop(name, None)
        else:
            documents[section][name] = change.after
    changed_plan = documents.pop(PLAN)
    return documents, changed_plan


def _frozen(documents: dict[str, Any], key: str) -> Any:
    section, _, name = key.partition(".")
    part = documents.get(section)
    return part.get(name) if name and isinstance(part, dict) else part


def as_data(changes: list[Change]) -> list[dict[str, Any]]:
    return [{"key": c.key, "before": c.before, "after": c.after} for c in changes]


def _flat(protocol: Protocol) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for section, part in {**protocol.as_data(), PLAN: protocol.plan_as_data()}.items():
        if isinstance(part, dict):
            flat |= {f"{section}.{name}": value for name, value in part.items()}
        else:
            flat[section] = part
    return flat


def _require_allowed(study: Study, changes: list[Change]) -> None:
    if study.state not in (Study.State.OPEN, Study.State.CLOSED):
        raise StudyError("Only a study between opening and lock is amended; a draft's protocol is simply replaced.")
    if not changes:
        raise StudyError("Nothing differs from the protocol and plan as they are: change a value first.")
    for change in changes:
        if not may_change(change.key):
            raise StudyError(f"{change.key} is frozen since the opening: leave it as it is, or make a new study.")
        if study.state == Study.State.CLOSED and not change.key.startswith(f"{PLAN}."):
            raise StudyError(f"{change.key} no longer matters after closing: only the plan can still be amended.")
