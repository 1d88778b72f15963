"""A further database beside the default one, for the length of a block, and code that works there instead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model


class _Everything:
    """A database router that sends every read and write to one database."""

    def __init__(self, alias: str) -> None:
        self._alias = alias

    def db_for_read(self, model: type[Model], **hints: Any) -> str:
        return self._alias

    def db_for_write(self, model: type[Model], **hints: Any) -> str:
        return self._alias


@contextmanager
def opened(alias: str, database: Mapping[str, Any]) -> Iterator[BaseDatabaseWrapper]:
    """A connection under ``alias`` with settings like those of ``DATABASES``; closed and forgotten afterwards."""
    both = {DEFAULT_DB_ALIAS: deepcopy(dict(connections.settings[DEFAULT_DB_ALIAS])), alias: deepcopy(dict(database))}
    connections.settings[alias] = connections.configure_settings(both)[alias]
    try:
        yield connections[alias]
    finally:
        connections[alias].close()
        del connections[alias]
        del connections.settings[alias]


@contextmanager
def everything_on(alias: str) -> Iterator[None]:
    """Within the block whatever names no database works on ``alias``: checks and migrations are written so."""
    chosen = _Everything(alias)
    routers: list[Any] = router.routers
    routers.insert(0, chosen)
    try:
        yield
    finally:
        routers.remove(chosen)


@contextmanager
def pixels_in(folder: Path | None) -> Iterator[None]:
    """Within the block the pixel store is ``folder``; the installation's own without one."""
    if folder is None:
        yield
        return
    before = settings.PIXELS_DIR, settings.PIXELS_BUCKET
    settings.PIXELS_DIR, settings.PIXELS_BUCKET = folder, None
    try:
        yield
    finally:
        settings.PIXELS_DIR, settings.PIXELS_BUCKET = before
