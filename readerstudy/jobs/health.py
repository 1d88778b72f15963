"""Whether the installation is well: the database answers and is up to date, and there is room on the disk."""

from __future__ import annotations

import shutil
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse
from django.utils.module_loading import import_string

_up_to_date = False


def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers."""
    return HttpResponse("ok\n", content_type="text/plain")


def readyz(request: HttpRequest) -> HttpResponse:
    """The process can do its work; else 503 with the first sentence of what is amiss."""
    sentence = trouble()
    return HttpResponse(f"{sentence or 'ready'}\n", content_type="text/plain", status=503 if sentence else 200)


def trouble() -> str:
    """What keeps the installation from working, in one sentence that says what to do; empty where nothing does."""
    if not database_answers():
        return "The database does not answer: start it, or correct DATABASE_URL."
    if not migrated():
        return "The database is not up to date: run `manage.py prepare`."
    for path in settings.READY_CHECKS:
        if sentence := str(import_string(path)()):
            return sentence
    if any(free_bytes(folder) < settings.FREE_DISK_BYTES for folder in folders().values()):
        return "The disk is nearly full: make room, or set READERSTUDY_FREE_GB lower."
    return ""


def folders() -> dict[str, Path]:
    """Where there must be room on a disk of ours."""
    pixels = {} if settings.PIXELS_BUCKET else {"pixels": settings.PIXELS_DIR}
    return {"data": settings.DATA_DIR, **pixels}


def database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True


def migrated() -> bool:
    """Whether every migration of this code is applied; once true it stays so for the life of a process."""
    global _up_to_date
    if not _up_to_date:
        try:
            executor = MigrationExecutor(connection)
            _up_to_date = not executor.migration_plan(executor.loader.graph.leaf_nodes())
        except DatabaseError:
            return False
    return _up_to_date


def free_bytes(folder: Path) -> int:
    """What an ordinary process may still write on the disk of ``folder``; 0 where that can't be known."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0
