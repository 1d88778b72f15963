"""A PostgreSQL database: read as it stood at one moment, dumped, and restored by PostgreSQL's own programs."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.db import ProgrammingError, connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from readerstudy.jobs.startup import Refusal
from readerstudy.operations.aliases import opened
from readerstudy.operations.tables import own_tables

DUMP = "database.dump"
SERVER = "operations_server"


def unpooled(database: Mapping[str, Any], **options: Any) -> dict[str, Any]:
    """The same database by a single connection."""
    single = deepcopy(dict(database))
    single["OPTIONS"] = {k: v for k, v in single.get("OPTIONS", {}).items() if k != "pool"} | options
    return single


@contextmanager
def frozen(alias: str) -> Iterator[BaseDatabaseWrapper]:
    """The live database as it stands now, whatever others write meanwhile; nobody waits for it."""
    from psycopg import IsolationLevel  # a default installation has no psycopg

    live = unpooled(connection.settings_dict, isolation_level=IsolationLevel.REPEATABLE_READ)
    with opened(alias, live) as wrapper, transaction.atomic(using=alias):
        yield wrapper


def write(wrapper: BaseDatabaseWrapper, path: Path) -> None:
    """Write what ``frozen`` reads in PostgreSQL's custom format."""
    with wrapper.cursor() as cursor:
        cursor.execute("SELECT pg_export_snapshot()")
        snapshot = cursor.fetchone()[0]
    _run(
        "pg_dump", wrapper.settings_dict,
        "--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}", f"--file={path}",
    )  # fmt: skip


@contextmanager
def throw_away(path: Path) -> Iterator[dict[str, Any]]:
    """Settings of a database of its own on the same server, restored from the file and dropped after the block."""
    name = f"readerstudy_check_{uuid4().hex[:12]}"
    with opened(SERVER, unpooled(connection.settings_dict)) as server:
        with server.cursor() as cursor:
            try:
                cursor.execute(f"CREATE DATABASE {name} TEMPLATE template0")
            except ProgrammingError as error:
                raise Refusal(
                    f"The role {server.settings_dict['USER']} may not create the database in which a restore is tried "
                    f"({_line(str(error))}): have an administrator run ALTER ROLE … CREATEDB, "
                    "then run `manage.py backup --check-only` on this backup."
                ) from None
        try:
            database = unpooled(connection.settings_dict) | {"NAME": name}
            _run("pg_restore", database, "--exit-on-error", "--single-transaction", *_ours(), str(path))
            yield database
        finally:
            with server.cursor() as cursor:
                cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


def put(path: Path) -> None:
    """Make the installation's database what the file holds; its tables, which are empty, go before."""
    with transaction.atomic(), connection.cursor() as cursor:
        for table in sorted(own_tables() & set(connection.introspection.table_names(cursor))):
            cursor.execute(f"DROP TABLE {connection.ops.quote_name(table)} CASCADE")
    _run(
        "pg_restore", connection.settings_dict,
        "--clean", "--if-exists", "--exit-on-error", "--single-transaction", *_ours(), str(path),
    )  # fmt: skip


def _ours() -> list[str]:
    return ["--no-owner", "--no-privileges"]


def _run(program: str, database: Mapping[str, Any], *arguments: str) -> None:
    """One of PostgreSQL's programs; the password goes by its environment, where no list of processes shows it."""
    path = shutil.which(program)
    if path is None:
        raise Refusal(
            f"{program} is not on the PATH: install PostgreSQL's client programs of the server's version "
            "(Debian: apt-get install postgresql-client), then run it again."
        )
    places = {"--host": "HOST", "--port": "PORT", "--username": "USER", "--dbname": "NAME"}
    where = [f"{option}={database[key]}" for option, key in places.items() if database.get(key)]
    environment = dict(os.environ)
    if database.get("PASSWORD"):
        environment["PGPASSWORD"] = database["PASSWORD"]
    done = subprocess.run(
        [path, "--no-password", *where, *arguments],
        env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise Refusal(
            f"{program} ended with an error ({_line(done.stderr)}): "
            "see that it is as new as the server and that the file is whole, then run it again."
        )


def _line(text: str) -> str:
    """The first line that says something."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "it gave no reason").rstrip(".")
