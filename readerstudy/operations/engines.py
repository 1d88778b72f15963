"""What backups ask of a kind of database; one module each."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol, cast

from django.db.backends.base.base import BaseDatabaseWrapper

from readerstudy.jobs.startup import Refusal
from readerstudy.operations import postgresql, sqlite


class Engine(Protocol):
    DUMP: str

    def frozen(self, alias: str) -> AbstractContextManager[BaseDatabaseWrapper]: ...

    def write(self, wrapper: BaseDatabaseWrapper, path: Path) -> None: ...

    def throw_away(self, path: Path) -> AbstractContextManager[dict[str, Any]]: ...

    def put(self, path: Path) -> None: ...


def engine(vendor: str) -> Engine:
    try:
        return cast(Engine, {"sqlite": sqlite, "postgresql": postgresql}[vendor])
    except KeyError:
        raise Refusal(f"There are no backups of a {vendor} database: use SQLite or PostgreSQL.") from None
