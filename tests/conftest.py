"""What every test may use, and how the database's own guards are lifted for cleaning up after a test."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import TransactionTestCase
from django.utils import translation

CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture(autouse=True)
def quick_and_apart(
    settings: Any, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """A pixel store and a language of its own for every test; passwords quick to check, no waiting for the disk."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    folder = tmp_path_factory.mktemp("pixels")
    settings.PIXELS_DIR = folder
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    # A request in the test's own thread leaves its language behind.
    translation.activate(settings.LANGUAGE_CODE)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True, scope="session")
def flush_past_guards() -> Iterator[None]:
    """Transactional tests empty the tables afterwards, which SQLite's triggers would refuse."""
    original = TransactionTestCase._fixture_teardown

    def teardown(self: TransactionTestCase) -> None:
        triggers = _drop_triggers()
        try:
            original(self)
        finally:
            with connection.cursor() as cursor:
                for sql in triggers:
                    cursor.execute(sql)

    TransactionTestCase._fixture_teardown = teardown  # type: ignore[method-assign]
    yield
    TransactionTestCase._fixture_teardown = original  # type: ignore[method-assign]


def _drop_triggers() -> list[str]:
    if connection.vendor != "sqlite":
        return []
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        rows = cursor.fetchall()
        for name, _ in rows:
            cursor.execute(f"DROP TRIGGER {name}")
    return [sql for _, sql in rows]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if CHROMIUM.exists():
        return
    skip = pytest.mark.skip(reason="Debian's chromium is not installed: apt-get install chromium")
    for item in items:
        if "browser" in item.keywords and "firefox" not in item.nodeid:
            item.add_marker(skip)
