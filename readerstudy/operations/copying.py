"""All rows of one database into an empty PostgreSQL database, in one transaction of the latter."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from django.db import DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import AutoField, BigAutoField, Field, JSONField, Model, SmallAutoField

from readerstudy.jobs.startup import Refusal
from readerstudy.operations import tables

FILLED_BY_MIGRATE = {"django_content_type", "auth_permission"}


def copy_all(source: str, target: str) -> None:
    """Every table; must run inside a transaction on ``target``, whose guards are off meanwhile and on again after."""
    ordered = tables.models()
    connection = connections[target]
    with connection.cursor() as cursor:
        for model in ordered:
            # Scores of a signed session come after it: the guards would refuse what they once let in.
            cursor.execute(f"ALTER TABLE {_name(connection, model)} DISABLE TRIGGER USER")
        for model in reversed(ordered):
            if model._meta.db_table in FILLED_BY_MIGRATE:
                cursor.execute(f"DELETE FROM {_name(connection, model)}")
    for model in ordered:
        try:
            _copy(model, source, target)
        except (DatabaseError, ValueError) as error:
            raise Refusal(
                f"Table {model._meta.db_table} can't be copied ({f'{error}'.splitlines()[0].rstrip('.')}): "
                "nothing was moved; correct the row in the source and run it again."
            ) from None
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for model in ordered:
            cursor.execute(f"ALTER TABLE {_name(connection, model)} ENABLE TRIGGER USER")
    _continue_numbers(ordered, source, target)


def _copy(model: type[Model], source: str, target: str) -> None:
    connection = connections[target]
    columns = tables.fields(model)
    names = ", ".join(connection.ops.quote_name(str(field.column)) for field in columns)
    places = ", ".join(["%s"] * len(columns))
    statement = f"INSERT INTO {_name(connection, model)} ({names}) VALUES ({places})"
    found = tables.rows(model, source)
    with connection.cursor() as cursor:
        for chunk in iter(lambda: list(islice(found, tables.CHUNK)), []):
            cursor.executemany(statement, list(_prepared(columns, chunk, connection)))


def _prepared(
    columns: list[Field[Any, Any]], chunk: list[tuple[Any, ...]], connection: BaseDatabaseWrapper
) -> Iterator[list[Any]]:
    for row in chunk:
        yield [_value(field, value, connection) for field, value in zip(columns, row, strict=True)]


def _value(field: Field[Any, Any], value: Any, connection: BaseDatabaseWrapper) -> Any:
    """A value as it is stored, with none of what fields do to a row that is saved, such as a new time."""
    if value is None and isinstance(field, JSONField) and not field.null:
        # JSON's own null; nothing at all is not allowed in this column.
        return connection.ops.adapt_json_value(None, field.encoder)
    return field.get_db_prep_save(value, connection)


def _continue_numbers(ordered: list[type[Model]], source: str, target: str) -> None:
    """New rows get numbers that no row ever had, not even a deleted one."""
    with connections[source].cursor() as cursor:
        cursor.execute("SELECT name, seq FROM sqlite_sequence")
        used: dict[str, int] = dict(cursor.fetchall())
    connection = connections[target]
    with connection.cursor() as cursor:
        for model in ordered:
            key = model._meta.pk
            if not isinstance(key, AutoField | BigAutoField | SmallAutoField):
                continue
            table, column = _name(connection, model), connection.ops.quote_name(str(key.column))
            cursor.execute(f"SELECT COALESCE(MAX({column}), 0) FROM {table}")
            last = max(int(cursor.fetchone()[0]), used.get(model._meta.db_table, 0))
            cursor.execute(
                "SELECT setval(pg_get_serial_sequence(%s, %s), %s, %s)", [table, key.column, max(last, 1), last > 0]
            )


def guards(connection: BaseDatabaseWrapper) -> set[str]:
    """The names of the triggers that keep collected data as they are, those that are on."""
    if connection.vendor == "sqlite":
        statement = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    else:
        statement = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled = 'O'"
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return {f"{row[0]}" for row in cursor.fetchall()}


def _name(connection: BaseDatabaseWrapper, model: type[Model]) -> str:
    return connection.ops.quote_name(model._meta.db_table)
