"""An own PostgreSQL cluster and an own Redis on free ports, to be killed and started again by the benches."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class Missing(RuntimeError):
    """A server's programs are not on this machine."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A process that can be killed with -9 and started again on the same data and port."""

    def __init__(self, command: list[str], port: int, log: Path, user: int | None = None) -> None:
        self.command, self.port, self.log, self.user = command, port, log, user
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, stdout=log, stderr=log, user=self.user, start_new_session=True, cwd="/"
            )
        _until(self.answers, 30, lambda: self.log.read_text(errors="replace")[-2000:])

    def answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def kill(self) -> None:
        """kill -9 of the server and everything it started."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None


def _until(condition: Callable[[], bool], seconds: float, story: Callable[[], str]) -> None:
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError(f"not within {seconds:g} s:\n{story()}")
        time.sleep(0.05)


def _postgres_programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
    if not found:
        raise Missing("PostgreSQL's initdb is not installed: install the Debian package postgresql.")
    return found[0].parent


@contextmanager
def own_postgres() -> Iterator[tuple[Server, str]]:
    """A fresh cluster with full durability; the server and the URL of its database ``postgres``."""
    programs, port = _postgres_programs(), free_port()
    # PostgreSQL refuses to run as root.
    user = pwd.getpwnam("postgres").pw_uid if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="readerstudy-pg-") as folder:
        data, log = Path(folder) / "data", Path(folder) / "log"
        if user is not None:
            os.chown(folder, user, -1)
        subprocess.run(
            [str(programs / "initdb"), "-D", str(data), "-A", "trust", "-U", "postgres", "-E", "UTF8"],
            check=True, stdout=subprocess.DEVNULL, user=user, cwd="/",
        )  # fmt: skip
        options = ["-p", str(port), "-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={folder}"]
        server = Server([str(programs / "postgres"), "-D", str(data), *options], port, log, user)
        try:
            server.start()
            yield server, f"postgresql://postgres@127.0.0.1:{port}/postgres"
        finally:
            server.kill()


@contextmanager
def own_redis() -> Iterator[tuple[Server, str]]:
    """A Redis that appends every write to its file; the server and its URL."""
    program, port = shutil.which("redis-server"), free_port()
    if program is None:
        raise Missing("redis-server is not installed: install the Debian package redis-server.")
    with tempfile.TemporaryDirectory(prefix="readerstudy-redis-") as folder:
        command = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--appendonly", "yes"]
        server = Server([*command, "--appendfsync", "always"], port, Path(folder) / "log")
        try:
            server.start()
            yield server, f"redis://127.0.0.1:{port}/0"
        finally:
            server.kill()
