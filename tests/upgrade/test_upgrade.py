"""What every release left behind is brought to today's schema: no row is lost, and every study still verifies."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
RELEASES = sorted(path.name.removesuffix(".tar.xz") for path in Path(__file__).parent.glob("*.tar.xz"))
# Rows that Django itself adds for new tables.
GROWING = {"django_migrations", "django_content_type", "auth_permission", "sqlite_sequence"}


def manage(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k not in {"DATABASE_URL", "READERSTUDY_DEMO"}}
    environment |= {"READERSTUDY_DATA": str(folder)}
    environment.pop("READERSTUDY_PIXELS", None)
    return subprocess.run(
        [sys.executable, "manage.py", *command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def counts(folder: Path) -> dict[str, int]:
    with sqlite3.connect(folder / "readerstudy.sqlite3") as database:
        names = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: database.execute(f'SELECT COUNT(*) FROM "{name}"').fetchone()[0] for name in names}


@pytest.fixture(params=RELEASES)
def left(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    with tarfile.open(Path(__file__).parent / f"{request.param}.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path


def test_every_release_is_packed() -> None:
    """A version in the changelog that has no installation here was released without being packed."""
    changelog = (ROOT / "CHANGELOG.md").read_text()
    released = [line.split()[1] for line in changelog.splitlines() if line.startswith("## ") and line[3].isdigit()]
    assert RELEASES and set(released) <= set(RELEASES)


def test_its_studies_verify_after_the_upgrade(left: Path) -> None:
    before = counts(left)
    assert before["reading_score"] > 90 and before["studies_study"] == 4
    migrated = manage(left, "migrate", "--verbosity", "1")
    assert migrated.returncode == 0, migrated.stderr
    after = counts(left)
    assert {name: after.get(name) for name in before if name not in GROWING} == {
        name: number for name, number in before.items() if name not in GROWING
    }
    verified = manage(left, "verify_study")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert verified.stdout.count("verified") + verified.stdout.count("holds") >= 1
    assert manage(left, "migrate", "--check").returncode == 0


def test_a_damaged_installation_does_not_verify(left: Path) -> None:
    """The comparison above can fail: one changed score is found after the upgrade too."""
    assert manage(left, "migrate").returncode == 0
    with sqlite3.connect(left / "readerstudy.sqlite3") as database:
        triggers = database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'reading_score'"
        ).fetchall()
        for (name,) in triggers:
            database.execute(f'DROP TRIGGER "{name}"')
        database.execute("UPDATE reading_score SET value = 6 - value WHERE value != 3")
    assert manage(left, "verify_study").returncode == 1
