"""Installations in folders of their own, worked with by ``manage.py`` as an administrator does."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import pytest

ROOT = Path(__file__).resolve().parents[2]


class Installation:
    """One data folder, and the database of ``url`` or the SQLite file in it."""

    def __init__(self, data: Path, url: str = "", **environment: str) -> None:
        self.data = data
        self._tool: subprocess.Popen[str] | None = None
        kept = {name: value for name, value in os.environ.items() if not name.endswith("_FILE")}
        kept.pop("READERSTUDY_SECRET_KEY", None)
        self.environment = kept | {
            "READERSTUDY_DATA": str(data), "READERSTUDY_PIXELS": "", "DATABASE_URL": url, "CELERY_BROKER_URL": "",
            "DJANGO_SETTINGS_MODULE": "readerstudy.settings",
        } | environment  # fmt: skip

    def ask(self, **asked: Any) -> tuple[str, str]:
        """What a command printed, and the sentence with which it ended at status 1."""
        if self._tool is None:
            self._tool = subprocess.Popen(
                [sys.executable, "-m", "tests.operations.tool"], cwd=ROOT, env=self.environment, text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )  # fmt: skip
        assert self._tool.stdin is not None and self._tool.stdout is not None
        self._tool.stdin.write(json.dumps(asked) + "\n")
        self._tool.stdin.flush()
        answer = self._tool.stdout.readline()
        assert answer, self._tool.communicate()[1]
        told = json.loads(answer)
        return told["out"].strip(), told["error"]

    def manage(self, *arguments: str | Path) -> str:
        """What the command prints; it must succeed."""
        out, error = self.ask(command=[*map(str, arguments)])
        assert not error, error
        return out

    def refused(self, *arguments: str | Path) -> str:
        """The sentence with which the command ends at status 1."""
        out, error = self.ask(command=[*map(str, arguments)])
        assert error, out
        return error

    def shell(self, program: str) -> str:
        """What a few lines of Python inside the installation print."""
        return self.ask(python=program)[0]

    def command_line(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """The command as a person types it."""
        return subprocess.run(
            [sys.executable, "manage.py", *map(str, arguments)],
            cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip

    def fill(self) -> Installation:
        self.manage("prepare")
        self.shell("from tests.operations.world import main; main()")
        return self

    def end(self) -> None:
        if self._tool is not None:
            self._tool.communicate()

    @contextmanager
    def written_to(self) -> Iterator[None]:
        """Within the block another process appends to the audit, entry after entry."""
        stop, begun = self.data / "stop", self.data / "begun"
        program = (
            "import django, pathlib; django.setup()\n"
            "from django.db import transaction\n"
            "from readerstudy.audit.actions import record\n"
            f"while not pathlib.Path({str(stop)!r}).exists():\n"
            "    with transaction.atomic(): record('installation', 'test', 'test.write', 'test', {})\n"
            f"    pathlib.Path({str(begun)!r}).touch()\n"
        )
        writer = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, env=self.environment)
        try:
            while not begun.exists():
                assert writer.poll() is None, "the writer ended"
                time.sleep(0.05)
            yield
            assert writer.poll() is None, "the writer ended"
        finally:
            stop.touch()
            assert writer.wait(60) == 0

    @property
    def database(self) -> Path:
        return self.data / "readerstudy.sqlite3"


Make = Callable[..., Installation]


@pytest.fixture(scope="package")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a SQLite installation with a locked study: copy it, leave it as it is."""
    made = Installation(tmp_path_factory.mktemp("filled")).fill()
    made.end()
    return made.data


@pytest.fixture
def installation() -> Iterator[Make]:
    """Makes installations whose tools end with the test."""
    made: list[Installation] = []

    def make(data: Path, url: str = "", **environment: str) -> Installation:
        made.append(Installation(data, url, **environment))
        return made[-1]

    yield make
    for one in made:
        one.end()


@pytest.fixture
def source(filled: Path, tmp_path: Path, installation: Make) -> Installation:
    """A SQLite installation with a study that was read."""
    shutil.copytree(filled, tmp_path / "source")
    return installation(tmp_path / "source")


@pytest.fixture
def server() -> str:
    url = os.environ.get("READERSTUDY_TEST_DATABASE_URL", "")
    if not url:
        pytest.skip("READERSTUDY_TEST_DATABASE_URL is not set")
    return url


@contextmanager
def new_database(server: str, *, owner: str = "") -> Iterator[str]:
    """A fresh database on the server, dropped afterwards; ``owner`` also becomes the user of its address."""
    import psycopg

    name = f"operations_{uuid4().hex[:12]}"
    parts = urlsplit(server)
    root = urlunsplit(parts._replace(path="/postgres"))
    with psycopg.connect(root, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} {f'OWNER {owner}' if owner else ''}")
    try:
        place = parts.netloc.rpartition("@")[2]
        yield urlunsplit(parts._replace(path=f"/{name}", netloc=f"{owner}@{place}" if owner else parts.netloc))
    finally:
        with psycopg.connect(root, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def empty_database(server: str) -> Iterator[str]:
    with new_database(server) as url:
        yield url


def backup_in(folder: Path) -> Path:
    """The one backup below a folder."""
    (found,) = folder.glob("readerstudy-*Z")
    return found
