"""The verbs of sources: where cases come from, and the approval and agreement that allow their use."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.db import IntegrityError, transaction

from readerstudy.accounts.models import User
from readerstudy.audit.actions import INSTALLATION, record
from readerstudy.cases.actions import CaseError, require_coordinator
from readerstudy.cases.models import Source
from readerstudy.cases.storing import actor

LONGEST = {"name": 120, "approval": 200, "agreement": 200, "licence": 200}
FIELDS = (*LONGEST, "expires_on")
TAKEN = "There is a source of this name: choose it from the list, or give this one another name."


def create_source(source: Source, by: User | None) -> Source:
    """Store a new source, whose row is filled but not saved; ``by`` is nobody for a command of the administrator."""
    require_coordinator(by)
    _set(source, {name: getattr(source, name) for name in FIELDS})
    try:
        with transaction.atomic():
            _require_free(source)
            source.save(force_insert=True)
            facts = {name: _plain(getattr(source, name)) for name in FIELDS[1:]}
            data = {"source": source.name, **{name: value for name, value in facts.items() if value}}
            record(INSTALLATION, actor(by), "source.create", f"source:{source.pk}", data)
    except IntegrityError as error:
        raise CaseError(TAKEN, "name") from error
    return source


def change_source(source: Source, by: User, changes: Mapping[str, Any]) -> Source:
    """Change facts of a source; nothing is recorded where nothing differs."""
    require_coordinator(by)
    if strange := set(changes) - set(FIELDS):
        raise CaseError(f"A source has no {min(strange)}: change {', '.join(FIELDS)}.")
    try:
        with transaction.atomic():
            row = Source.objects.select_for_update().get(pk=source.pk)
            before = {name: getattr(row, name) for name in FIELDS}
            _set(row, changes)
            changed = {n: [_plain(old), _plain(getattr(row, n))] for n, old in before.items() if getattr(row, n) != old}
            if "name" in changed:
                _require_renamable(row, before["name"])
            if changed:
                row.save(update_fields=list(changed))
                data = {"source": before["name"], "changed": changed}
                record(INSTALLATION, actor(by), "source.change", f"source:{row.pk}", data)
    except IntegrityError as error:
        raise CaseError(TAKEN, "name") from error
    return row


def source_named(name: str, by: User | None, **facts: Any) -> Source:
    """The source of this name; where there is none it is made, with ``facts``."""
    known = Source.objects.filter(name=" ".join(name.split())).first()
    return known or create_source(Source(name=name, **facts), by)


def _set(row: Source, changes: Mapping[str, Any]) -> None:
    """Put values into a row, spaces around them left out; refuses what can't be stored."""
    for name, value in changes.items():
        if name == "expires_on":
            if not (value is None or isinstance(value, date)):
                raise CaseError("Give the day as a date, for example 2027-12-31, or leave it empty.", name)
            setattr(row, name, value)
            continue
        text = " ".join(str(value).split())
        if len(text) > LONGEST[name]:
            raise CaseError(f"Write it in {LONGEST[name]} characters at most; these are {len(text)}.", name)
        setattr(row, name, text)
    if not row.name:
        raise CaseError("Give the source a name, for example that of the hospital.", "name")


def _require_free(row: Source) -> None:
    """No two names that differ in capitals only: one would be a slip for the other."""
    known = Source.objects.filter(name__iexact=row.name).exclude(pk=row.pk).first()
    if known and known.name != row.name:
        raise CaseError(f"There is a source “{known.name}”: choose it, or use another name.", "name")
    if known:
        raise CaseError(TAKEN, "name")


def _require_renamable(row: Source, before: str) -> None:
    """Protocols name sources, so a name that an opened study may rest on stays."""
    _require_free(row)
    if row.cases.filter(frozen_at__isnull=False).exists():
        raise CaseError(
            f"A study uses cases of “{before}”, and its protocol may name it: keep the name, or make a new source.",
            "name",
        )


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else str(value or "")
