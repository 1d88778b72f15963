"""A data folder, a database and a broker of their own for real processes, and proof that none is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


def _heed_ctrl_c() -> None:
    """Tests that run in the background have it ignored, and their processes would inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Installation:
    """One installation under test; its processes are known by READERSTUDY_DATA in their environment."""

    tool_module = "tests.faults.tool"
    settings_module = "tests.faults.settings"

    def __init__(self, data: Path, database_url: str = "", broker_url: str = "") -> None:
        self.data = data
        self.environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": self.settings_module,
            "READERSTUDY_DATA": str(data),
            "DATABASE_URL": database_url,
            "CELERY_BROKER_URL": broker_url,
            "OMP_NUM_THREADS": "1",
        }
        self.supervisor: subprocess.Popen[bytes] | None = None
        self.tool = self.start_tool()
        self.ask("prepare")

    def start_tool(self, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", self.tool_module],
            cwd=ROOT, env=self.environment | environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def renew_tool(self) -> None:
        """Another tool, for when the database's death has broken the first one's connection."""
        self.tool.kill()
        self.tool.communicate()
        self.tool = self.start_tool()

    def ask(self, verb: str, *arguments: Any, tool: subprocess.Popen[str] | None = None) -> Any:
        tool = tool or self.tool
        assert tool.stdin is not None and tool.stdout is not None
        tool.stdin.write(json.dumps([verb, arguments]) + "\n")
        tool.stdin.flush()
        answer = tool.stdout.readline()
        assert answer, tool.communicate()[1]
        return json.loads(answer)

    def submit(self, *jobs: dict[str, Any], tool: subprocess.Popen[str] | None = None) -> None:
        self.ask("submit", jobs, tool=tool)

    def report(self) -> dict[str, Any]:
        report: dict[str, Any] = self.ask("report")
        return report

    def up(self, *options: str) -> None:
        command = [sys.executable, "manage.py", "up", "--port", "0", "--workers", "1", *options]
        log = (self.data / "up.log").open("ab")
        self.supervisor = subprocess.Popen(
            command, cwd=ROOT, env=self.environment, stdout=log, stderr=log, preexec_fn=_heed_ctrl_c
        )
        log.close()

    def log(self) -> str:
        return (self.data / "up.log").read_text()

    def url(self) -> str:
        """Where the running web server answers."""
        wait_for(lambda: "Ready at " in self.log(), 30, self.log)
        return self.log().rpartition("Ready at ")[2].split()[0]

    def page(self) -> str:
        with urllib.request.urlopen(self.url(), timeout=30) as answer:
            return answer.read().decode()

    def processes(self, word: str = "") -> list[int]:
        """Living processes of this installation whose command line holds ``word``."""
        marker = f"READERSTUDY_DATA={self.data}".encode()
        found = []
        for entry in Path("/proc").iterdir():
            try:
                if not entry.name.isdigit() or int(entry.name) == self.tool.pid:
                    continue
                if marker not in (entry / "environ").read_bytes().split(b"\0"):
                    continue
                if word.encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
        return found

    def kill(self, word: str) -> None:
        """``kill -9`` of every process whose command line holds ``word``."""
        victims = self.processes(word)
        assert victims, f"no process {word} to kill: {self.log()}"
        for victim in victims:
            os.kill(victim, signal.SIGKILL)

    def executions(self) -> list[str]:
        path = self.data / "work" / "executions.log"
        return [line.split()[0] for line in path.read_text().splitlines()] if path.exists() else []

    def wait(self, condition: Callable[[dict[str, Any]], bool], seconds: float = 40) -> dict[str, Any]:
        """Poll the report until ``condition`` holds for it."""
        last: list[dict[str, Any]] = []

        def holds() -> bool:
            last[:] = [self.report()]
            return condition(last[0])

        wait_for(holds, seconds, lambda: f"{last}\n{self.log()}")
        return last[0]

    def end(self) -> float:
        """SIGTERM to the supervisor; returns the seconds it took."""
        assert self.supervisor is not None
        begun = time.monotonic()
        self.supervisor.terminate()
        self.supervisor.wait(30)
        return time.monotonic() - begun


def wait_for(condition: Callable[[], bool], seconds: float, story: Callable[[], str]) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"not within {seconds} s:\n{story()}"
        time.sleep(0.1)


@contextmanager
def own_database(url: str) -> Iterator[str]:
    """A fresh database on the server of ``url``, dropped afterwards."""
    import psycopg

    name = f"faults_{uuid4().hex[:12]}"
    # The named database need not exist yet: Django's tests make their own beside it, as this does.
    server = urlunsplit(urlsplit(url)._replace(path="/postgres"))
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    try:
        yield urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "servers"])
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Installation]:
    """On SQLite with files, and on the servers named by the environment where there are any."""
    database, broker = (os.environ.get(f"READERSTUDY_TEST_{name}_URL", "") for name in ("DATABASE", "BROKER"))
    if request.param == "sqlite":
        yield from left_clean(Installation(tmp_path))
    elif not database:
        pytest.skip("READERSTUDY_TEST_DATABASE_URL is not set")
    else:
        with own_database(database) as url:
            yield from left_clean(Installation(tmp_path, url, broker))


def left_clean(installation: Installation) -> Iterator[Installation]:
    yield installation
    if installation.supervisor and installation.supervisor.poll() is None:
        installation.supervisor.kill()
        installation.supervisor.wait()
    left = installation.processes()
    deadline = time.monotonic() + 2
    while left and time.monotonic() < deadline:
        time.sleep(0.05)
        left = installation.processes()
    for process in left:
        os.kill(process, signal.SIGKILL)
    installation.tool.communicate()
    assert left == [], f"processes were left: {left}"
