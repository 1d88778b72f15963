"""Append to a chain, and check one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import connection, transaction

from readerstudy.audit.canonical import canonical_json
from readerstudy.audit.models import Chain, Entry

INSTALLATION = "installation"


@dataclass(frozen=True)
class Fault:
    """A place where a chain does not hold, with a sentence that names it."""

    chain: str
    sequence: int
    reason: str


def record(chain: str, actor: str, verb: str, subject: str, data: dict[str, Any]) -> Entry:
    """Append one entry; must run inside the transaction of the change it records."""
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("An audit entry belongs into the transaction it records.")
    row = _held(chain)
    sequence = row.length + 1
    at = datetime.now(UTC).isoformat(timespec="microseconds")
    text = canonical_json(data).decode()
    digest = entry_hash(chain, sequence, at, actor, verb, subject, text, row.head)
    entry = Entry.objects.create(
        chain=row, sequence=sequence, at=at, actor=actor, verb=verb, subject=subject,
        text=text, previous=row.head, hash=digest,
    )  # fmt: skip
    row.length, row.head = sequence, digest
    row.save(update_fields=["length", "head"])
    return entry


def _held(chain: str) -> Chain:
    """The chain, made by its first entry, for this transaction alone."""
    chains = Chain.objects.select_for_update()
    try:
        return chains.get(name=chain)
    except Chain.DoesNotExist:
        Chain.objects.get_or_create(name=chain)
        return chains.get(name=chain)


def entry_hash(
    chain: str, sequence: int, at: str, actor: str, verb: str, subject: str, text: str, previous: str
) -> str:
    """SHA-256 over the canonical JSON of everything an entry says and the hash before it."""
    parts = [chain, sequence, at, actor, verb, subject, text, previous]
    return hashlib.sha256(canonical_json(parts)).hexdigest()


def verify(chain: str) -> Iterator[Fault]:
    """Walk a chain from its first entry; yields every fault, nothing when the chain holds."""
    row = Chain.objects.filter(name=chain).first()
    if row is None:
        yield Fault(chain, 0, "The chain does not exist.")
        return
    previous, expected = "0" * 64, 1
    for entry in row.entries.order_by("sequence").iterator():
        if entry.sequence != expected:
            yield Fault(chain, expected, f"Entry {expected} is missing.")
            expected = entry.sequence
        if entry.previous != previous:
            yield Fault(chain, entry.sequence, f"Entry {entry.sequence} does not follow the entry before it.")
        digest = entry_hash(
            chain,
            entry.sequence,
            entry.at,
            entry.actor,
            entry.verb,
            entry.subject,
            entry.text,
            entry.previous,
        )
        if digest != entry.hash:
            yield Fault(
                chain,
                entry.sequence,
                f"Entry {entry.sequence} ({entry.verb}) was changed after it was written.",
            )
        previous, expected = entry.hash, expected + 1
    if (row.length, row.head) != (expected - 1, previous):
        yield Fault(chain, row.length, "The chain's head does not match its last entry.")


def head(chain: str) -> str:
    """The hash of the chain's last entry (64 zeros for an empty or unknown chain)."""
    row = Chain.objects.filter(name=chain).first()
    return row.head if row else "0" * 64
