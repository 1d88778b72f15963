"""Whether a database, wherever it was restored or moved to, holds what it held before, with every chain whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from django.core.management import call_command
from django.db import DatabaseError, connections

from readerstudy.audit import actions as audit
from readerstudy.audit.models import Chain
from readerstudy.conduct.verify import verify_study
from readerstudy.operations import tables
from readerstudy.operations.aliases import everything_on, pixels_in
from readerstudy.operations.manifest import Manifest
from readerstudy.studies.models import Study


def restored(manifest: Manifest, alias: str, pixels: Path | None) -> Iterator[str]:
    """One sentence per fault of a database restored from a backup; an older one is brought up to date."""
    try:
        yield from other_rows(manifest.rows, tables.counts(connections[alias]))
        if tables.is_current(connections[alias]):
            yield from other_digests(manifest.digests, tables.digests(alias))
        else:
            migrate(alias)
        yield from other_heads(manifest.chains, chain_heads(alias))
        yield from broken(alias, pixels)
    except DatabaseError as error:
        yield f"The restored database can't be read: {error}".rstrip(".") + "."


def other_rows(before: Mapping[str, int], after: Mapping[str, int]) -> Iterator[str]:
    for table in sorted(before.keys() | after.keys()):
        if before.get(table) != after.get(table):
            yield f"Table {table} has {after.get(table, 'no')} rows instead of {before.get(table, 'no')}."


def other_digests(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    for table in sorted(before.keys() | after.keys()):
        if before.get(table) != after.get(table):
            yield f"The rows of table {table} are not the same."


def other_heads(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    for chain in sorted(before.keys() | after.keys()):
        if before.get(chain) != after.get(chain):
            yield f"The audit chain {chain} ends with another entry."


def chain_heads(alias: str) -> dict[str, str]:
    return dict(Chain.objects.using(alias).order_by("name").values_list("name", "head"))


def broken(alias: str, pixels: Path | None) -> Iterator[str]:
    """One sentence per fault of any audit chain, and of everything that ``verify_study`` looks at."""
    with everything_on(alias), pixels_in(pixels):
        studies = list(Study.objects.order_by("pk"))
        own = {study.chain for study in studies}
        for chain in Chain.objects.exclude(name__in=own).order_by("name"):
            for fault in audit.verify(chain.name):
                yield f"Audit chain {chain.name}: {fault.reason}"
        for study in studies:
            for sentence in verify_study(study):
                yield f"Study {study.pk}: {sentence}"


def migrate(alias: str) -> None:
    """Bring a database up to date, its migrations of data included, which name no database themselves."""
    with everything_on(alias):
        call_command("migrate", database=alias, interactive=False, verbosity=0)
        call_command("createcachetable", database=alias, verbosity=0)


def told(faults: list[str], most: int = 3) -> str:
    """The first faults in a sentence or three, and how many more there are."""
    more = f" And {len(faults) - most} more." if len(faults) > most else ""
    return " ".join(faults[:most]) + more
