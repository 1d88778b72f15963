"""Move an installation from SQLite to PostgreSQL, and its pixels to another folder, all or nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from readerstudy import configuration
from readerstudy.jobs import clock, queries
from readerstudy.jobs.models import Job
from readerstudy.jobs.startup import Lock, Refusal
from readerstudy.operations import checks, pixels, tables
from readerstudy.operations.aliases import opened
from readerstudy.operations.copying import FILLED_BY_MIGRATE, copy_all, guards
from readerstudy.operations.pixels import Say
from readerstudy.operations.postgresql import unpooled
from readerstudy.operations.sqlite import settings_of

SOURCE, TARGET = "operations_source", "operations_target"
STOP = "stop the server and the workers, then run it again."


def move(url: str, pixels_to: Path | None, say: Say) -> None:
    """Copy everything and check the copy; the source stays as it is, and the target empty unless all held."""
    if connection.vendor != "sqlite":
        raise Refusal("This installation is on PostgreSQL already: use `manage.py backup` and `restore` to move it.")
    database = _target(url)
    with Lock(settings.DATA_DIR / "up.lock"):
        _require_quiet()
        if not tables.is_current(connection):
            raise Refusal("The database is not that of this version: run `manage.py prepare`, then this again.")
        live = settings_of(f"{connection.settings_dict['NAME']}", reading=True)
        with opened(SOURCE, live) as source, opened(TARGET, database) as target:
            before = _fingerprint(source)
            _require_empty(target)
            try:
                say("Making the tables …")
                checks.migrate(TARGET)
                store = _move_pixels(pixels_to, say)
                with transaction.atomic(using=TARGET):
                    _move_rows(source, target, store, say)
                    # Last of all before the commit, so that whatever was written meanwhile is noticed.
                    _require_quiet()
                    if _fingerprint(source) != before:
                        raise Refusal(f"Something wrote to the database meanwhile and nothing was moved: {STOP}")
            except DatabaseError as error:
                raise Refusal(f"Nothing was moved ({_line(error)}): see to it, then run it again.") from None


def _move_rows(source: BaseDatabaseWrapper, target: BaseDatabaseWrapper, store: Path | None, say: Say) -> None:
    """Within a transaction on the target: copy, and compare what was copied."""
    with transaction.atomic(using=SOURCE):
        say("Copying the rows …")
        copy_all(SOURCE, TARGET)
        say("Comparing both sides …")
        faults = [*_differences(source, target), *checks.broken(TARGET, store)]
    if faults:
        raise Refusal(f"Nothing was moved: {checks.told(faults)} `manage.py verify_study` says whether it is so here.")


def _target(url: str) -> Mapping[str, Any]:
    try:
        database = configuration.database(url, settings.DATA_DIR)
    except (ImproperlyConfigured, ValueError):
        database = {}
    if "postgresql" not in f"{database.get('ENGINE')}":
        raise Refusal("--to must look like postgresql://user:password@host:5432/name.")
    return unpooled(database)


def _require_quiet() -> None:
    """No worker lives and no job runs; whoever runs `manage.py up` is kept out by its lock."""
    if alive := queries.workers():
        raise Refusal(f"A worker ({alive[0].host}:{alive[0].pid}) is running or ended a moment ago: {STOP}")
    running = Job.objects.filter(state=Job.State.RUNNING, lease_expires_at__gt=clock.now()).count()
    if running:
        raise Refusal(f"{running} jobs are running: {STOP}")


def _require_empty(target: BaseDatabaseWrapper) -> None:
    try:
        rows = tables.counts(target)
    except DatabaseError as error:
        reason = f"{error}".strip().splitlines()[0].rstrip(".")
        raise Refusal(
            f"The database of --to can't be reached ({reason}): see that it exists, then run it again."
        ) from None
    foreign = sorted(rows.keys() - tables.own_tables())
    filled = [name for name, count in rows.items() if count and name not in FILLED_BY_MIGRATE | {"django_migrations"}]
    if foreign or filled:
        what = (
            f"tables of something else, such as {foreign[0]}" if foreign else f"{rows[filled[0]]} rows in {filled[0]}"
        )
        raise Refusal(f"The database of --to is not empty (it holds {what}): make a new one with CREATE DATABASE.")


def _move_pixels(to: Path | None, say: Say) -> Path | None:
    """Every file that a row names, copied where another folder is wanted, hashed in any case. Where they lie then."""
    names = pixels.named("default")
    say(f"Hashing {len(names)} pixel files …" if to is None else f"Copying {len(names)} pixel files …")
    try:
        if to is None:
            missing = pixels.lost(names, pixels.live())
        else:
            to.mkdir(parents=True, exist_ok=True)
            missing = pixels.keep_all(names, pixels.live(), to, link=False)
    except OSError as error:
        raise Refusal(f"{to} can't be written ({error.strerror}): make room there or name another folder.") from None
    if missing:
        raise Refusal(
            f"{len(missing)} pixel files are missing or damaged in {pixels.where()}, the first is "
            f"{pixels.place(Path(), missing[0])}: put them back from a backup, then run it again."
        )
    return to


def _differences(source: BaseDatabaseWrapper, target: BaseDatabaseWrapper) -> Iterator[str]:
    """Counts, hashes of all rows, migrations, guards."""
    own = {model._meta.db_table for model in tables.models()}
    before, after = (
        {name: rows for name, rows in tables.counts(side).items() if name in own} for side in (source, target)
    )
    yield from checks.other_rows(before, after)
    yield from checks.other_digests(tables.digests(SOURCE), tables.digests(TARGET))
    if tables.heads(source) != tables.heads(target):
        yield "The target's tables are of another version."
    for name in sorted(guards(source) ^ guards(target)):
        yield f"The guard {name} is on one side only."


def _fingerprint(source: BaseDatabaseWrapper) -> int:
    """A number that SQLite changes, for this connection, whenever another one has written."""
    with source.cursor() as cursor:
        cursor.execute("PRAGMA data_version")
        return int(cursor.fetchone()[0])


def _line(error: Exception) -> str:
    return next(iter(f"{error}".strip().splitlines()), type(error).__name__).rstrip(".")
