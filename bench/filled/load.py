"""Rows into an empty database as fast as it takes them: executemany on SQLite, COPY on PostgreSQL."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

from django.core.management.color import no_style
from django.db import connection, models, transaction
from django.utils import timezone

AT_ONCE = 50_000
BEGUN = time.perf_counter()


def say(sentence: str) -> None:
    print(f"{time.perf_counter() - BEGUN:7.1f} s  {sentence}", file=sys.stderr, flush=True)


def load(model: type[models.Model], columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Insert ``rows`` (values as the database takes them; UUIDs as 32 hex digits, JSON and moments as text).

    Columns that are not given take their model's default, so that a new column breaks nothing here.
    """
    others = [f for f in model._meta.concrete_fields if f.attname not in columns and not _made_by_database(f)]
    names = [model._meta.get_field(name).column for name in columns] + [f.column for f in others]
    rest = tuple(_default(field) for field in others)
    write = _execute_many if connection.vendor == "sqlite" else _copy
    complete = ((*row, *rest) for row in rows)
    with transaction.atomic():
        while chunk := list(islice(complete, AT_ONCE)):
            write(model._meta.db_table, names, chunk)


def _made_by_database(field: Any) -> bool:
    return isinstance(field, models.AutoField)


def _default(field: Any) -> Any:
    moment = getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False)
    return field.get_db_prep_save(timezone.now() if moment else field.get_default(), connection)


def _execute_many(table: str, names: Sequence[str], rows: list[tuple[Any, ...]]) -> None:
    quoted = ", ".join(connection.ops.quote_name(name) for name in names)
    statement = f"INSERT INTO {table} ({quoted}) VALUES ({', '.join('?' * len(names))})"
    connection.connection.executemany(statement, rows)


def _copy(table: str, names: Sequence[str], rows: list[tuple[Any, ...]]) -> None:
    quoted = ", ".join(connection.ops.quote_name(name) for name in names)
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} ({quoted}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


@contextmanager
def hurried() -> Iterator[None]:
    """Nothing waits for the disk while a database is filled that can be made again; afterwards all is as it was."""
    connection.ensure_connection()
    if connection.vendor == "sqlite":
        _pragmas("journal_mode=OFF", "synchronous=OFF", "cache_size=-2000000", "foreign_keys=OFF")
    yield
    with connection.cursor() as cursor:
        if connection.vendor != "sqlite":
            models_made = [model for model in _models() if model._meta.managed]
            for statement in connection.ops.sequence_reset_sql(no_style(), models_made):
                cursor.execute(statement)
            cursor.execute("ANALYZE")  # as its autovacuum does; on SQLite nobody does, so plans know no statistics
    connection.close()


def _pragmas(*pragmas: str) -> None:
    with connection.cursor() as cursor:
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")


def _models() -> list[type[models.Model]]:
    from django.apps import apps

    return list(apps.get_models())
