"""Every table of the product: in the order of their dependencies, counted, and hashed row by row."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.apps import apps
from django.conf import settings
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.models import CharField, Field, JSONField, Model, TextField
from django.db.models.functions import Collate

CHUNK = 1000
# From here on Python writes a float with an exponent, which PostgreSQL stores as the whole number it means.
WHOLE_FROM = 1e16
BYTEWISE = {"sqlite": "BINARY", "postgresql": "C"}


def models() -> list[type[Model]]:
    """Every model with a table, many-to-many tables too; whatever a table refers to stands before it."""
    left = {
        model._meta.db_table: model
        for model in sorted(apps.get_models(include_auto_created=True), key=lambda m: m._meta.db_table)
        if model._meta.managed and not model._meta.proxy
    }
    ordered: list[type[Model]] = []
    while left:
        free = [name for name, model in left.items() if not (_refers_to(model) - {name}) & left.keys()]
        # A circle has no first table; constraints that are checked at the end of the transaction allow any.
        for name in free or list(left)[:1]:
            ordered.append(left.pop(name))
    return ordered


def _refers_to(model: type[Model]) -> set[str]:
    return {f.related_model._meta.db_table for f in fields(model) if f.is_relation and f.related_model is not None}


def fields(model: type[Model]) -> list[Field[Any, Any]]:
    return list(model._meta.local_concrete_fields)


def own_tables() -> set[str]:
    """The names of all tables that this version of the product makes."""
    caches = [c["LOCATION"] for c in settings.CACHES.values() if c["BACKEND"].endswith("DatabaseCache")]
    return {model._meta.db_table for model in models()} | {"django_migrations", *caches}


def counts(connection: BaseDatabaseWrapper) -> dict[str, int]:
    """The number of rows of every table that the database has, whichever version made it."""
    with connection.cursor() as cursor:
        names = sorted(connection.introspection.table_names(cursor))
        found = {}
        for name in names:
            cursor.execute(f"SELECT COUNT(*) FROM {connection.ops.quote_name(name)}")
            found[name] = int(cursor.fetchone()[0])
    return found


def digests(using: str) -> dict[str, str]:
    """SHA-256 over the rows of every table of this version, by the table's name."""
    return {model._meta.db_table: digest(model, using) for model in models()}


def digest(model: type[Model], using: str) -> str:
    """SHA-256 over all rows in the order of their keys, the same on every database."""
    columns = fields(model)
    json_fields = {index for index, field in enumerate(columns) if isinstance(field, JSONField)}
    hashed = hashlib.sha256()
    for row in rows(model, using):
        values = [_json(value) if index in json_fields else _plain(value) for index, value in enumerate(row)]
        hashed.update(json.dumps(values, sort_keys=True, separators=(",", ":")).encode() + b"\n")
    return hashed.hexdigest()


def rows(model: type[Model], using: str) -> Iterator[tuple[Any, ...]]:
    """All rows in the order of their keys; text in that of its bytes, which no server's language changes."""
    key = model._meta.pk
    order: Any = key.attname
    if isinstance(key, CharField | TextField):
        order = Collate(key.attname, BYTEWISE[connections[using].vendor])
    names = [field.attname for field in fields(model)]
    found = model._base_manager.using(using).order_by(order).values_list(*names)
    return iter(found.iterator(chunk_size=CHUNK))


def _plain(value: Any) -> Any:
    """A column's value as JSON can hold it, without loss."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value.hex()
    if isinstance(value, datetime):
        return (value.astimezone(UTC) if value.tzinfo else value).isoformat(timespec="microseconds")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, UUID):
        return value.hex
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    if isinstance(value, Decimal):
        return str(value.normalize())
    raise TypeError(f"{type(value).__name__} has no canonical form: add it to readerstudy/operations/tables.py.")


def _json(value: Any) -> Any:
    """JSON as PostgreSQL gives it back: it knows neither exponents nor a negative zero."""
    if isinstance(value, float):
        if abs(value) >= WHOLE_FROM and value == value and value not in (float("inf"), float("-inf")):
            return int(Decimal(repr(value)))
        return value + 0.0
    if isinstance(value, list):
        return [_json(item) for item in value]
    if isinstance(value, dict):
        return {name: _json(item) for name, item in value.items()}
    return value


def heads(connection: BaseDatabaseWrapper) -> dict[str, str]:
    """The last applied migration of every app."""
    loader = MigrationLoader(connection)
    found: dict[str, str] = {}
    for app, name in sorted(loader.applied_migrations):
        found[app] = max(name, found.get(app, ""))
    return found


def is_current(connection: BaseDatabaseWrapper) -> bool:
    """Whether the database is exactly that of this version."""
    executor = MigrationExecutor(connection)
    known = set(executor.loader.disk_migrations)
    own = {app for app, _ in known}
    newer = {key for key in executor.loader.applied_migrations if key[0] in own and key not in known}
    return not newer and not executor.migration_plan(executor.loader.graph.leaf_nodes())


def newer_than_this(found: dict[str, str]) -> bool:
    """Whether these migrations came with a later version than the one that runs."""
    known = set(MigrationLoader(None).disk_migrations or {})
    own = {app for app, _ in known}
    return any(app in own and (app, name) not in known for app, name in found.items())
