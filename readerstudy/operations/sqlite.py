"""A SQLite database: read as it stood at one moment, written to a file, and put back from it."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from django.db import connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from readerstudy.cases.scratch import scratch
from readerstudy.jobs.startup import Refusal
from readerstudy.operations.aliases import opened

DUMP = "database.sqlite3"
BUSY_SECONDS = 20.0


def settings_of(path: str, *, reading: bool) -> dict[str, Any]:
    """Django's settings of a file; without the turns of those who write, and unable to write when only ``reading``."""
    only = " PRAGMA query_only=ON;" if reading else ""
    options = {"timeout": BUSY_SECONDS, "init_command": f"PRAGMA foreign_keys=ON;{only}"}
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": path, "OPTIONS": options}


@contextmanager
def frozen(alias: str) -> Iterator[BaseDatabaseWrapper]:
    """The live database as it stands now, whatever others write meanwhile; nobody waits for it."""
    live = settings_of(f"{connection.settings_dict['NAME']}", reading=True)
    with opened(alias, live) as wrapper, transaction.atomic(using=alias), wrapper.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM sqlite_master")  # the moment is that of the first reading
        cursor.fetchone()
        yield wrapper


def write(wrapper: BaseDatabaseWrapper, path: Path) -> None:
    """Write what ``frozen`` reads as one file."""
    with closing(sqlite3.connect(path)) as target:
        wrapper.connection.backup(target)
        # One file on its own, without the -wal and -shm of the live one.
        target.execute("PRAGMA journal_mode=DELETE")


@contextmanager
def throw_away(path: Path) -> Iterator[dict[str, Any]]:
    """Settings of a database restored from the file, which goes at the end of the block."""
    with scratch() as folder:
        copy = folder / DUMP
        shutil.copyfile(path, copy)
        _sound(copy)
        yield settings_of(str(copy), reading=False)


def put(path: Path) -> None:
    """Make the installation's database what the file holds, at once or not at all."""
    _sound(path)
    connection.close()
    with closing(_reading(path)) as source, closing(sqlite3.connect(connection.settings_dict["NAME"])) as target:
        target.execute(f"PRAGMA busy_timeout={int(BUSY_SECONDS * 1000)}")
        source.backup(target)


def _sound(path: Path) -> None:
    try:
        with closing(_reading(path)) as database:
            first = database.execute("PRAGMA integrity_check(1)").fetchone()[0]
    except sqlite3.DatabaseError as error:
        first = str(error)
    if first != "ok":
        raise Refusal(f"{path.name} is no whole database ({first}): take another backup.")


def _reading(path: Path) -> sqlite3.Connection:
    # The file alone, so that nothing is written beside it, not even on a medium that forbids it.
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
