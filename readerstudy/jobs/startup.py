"""What ``manage.py up`` sees to before it starts anything: lock, port, database, static files."""

from __future__ import annotations

import fcntl
import hashlib
import http.client
import json
import os
import socket
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

NETWORK_FILE_SYSTEMS = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "fuse.sshfs", "fuse.glusterfs", "ceph"}
# Extensions of htmx that no page uses; a comment in one of them reads like an import of a missing file.
UNUSED_STATIC = ["hx-*", "htmx-2-compat-*"]
MIGRATION_LOCK = 7_301_992


class Refusal(Exception):
    """A sentence that says why the start was refused and what to do next."""


class Lock:
    """An exclusive lock on a data folder that the kernel releases when this process ends, however it ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.workers_before: list[str] = []

    def __enter__(self) -> Lock:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._path.open("a+", encoding="utf-8")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = self._read()
            self._file.close()
            raise Refusal(
                f"Another `manage.py up` (process {holder.get('pid', 'unknown')}, started "
                f"{holder.get('started', 'earlier')}) already runs on {self._path.parent}: "
                "stop it first, or set READERSTUDY_DATA to another folder."
            ) from None
        self.workers_before = self._read_workers()
        self._started = datetime.now(UTC).isoformat(timespec="seconds")
        self.note(self.workers_before)
        return self

    def note(self, workers: list[str]) -> None:
        """Write down the living workers, so that the next start knows whose jobs to take back."""
        self._file.seek(0)
        self._file.truncate()
        json.dump({"pid": os.getpid(), "started": self._started, "workers": workers}, self._file)
        self._file.flush()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def _read_workers(self) -> list[str]:
        return [str(worker) for worker in self._read().get("workers", [])]

    def _read(self) -> dict[str, Any]:
        self._file.seek(0)
        try:
            content = json.loads(self._file.read() or "{}")
        except ValueError:
            return {}
        return content if isinstance(content, dict) else {}


def open_socket(bind: str, port: int) -> socket.socket:
    """The listening socket; kept by the supervisor, so that requests wait while the web server restarts."""
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((bind, port))
    except OSError as error:
        listener.close()
        raise Refusal(
            f"{bind}:{port} can't be used ({error.strerror}): stop the other program or give another --port."
        ) from None
    listener.listen(256)
    return listener


def prepare(say: Callable[[str], None]) -> None:
    """Bring database and static files up to date; quick when nothing has changed."""
    if connection.vendor == "sqlite" and (kind := file_system(settings.DATA_DIR)) in NETWORK_FILE_SYSTEMS:
        raise Refusal(
            f"{settings.DATA_DIR} is on a network file system ({kind}), where SQLite loses data: "
            "set READERSTUDY_DATA to a local folder or DATABASE_URL to a PostgreSQL server."
        )
    for pattern in ("*.part", "*.taken-*"):
        for path in (settings.DATA_DIR / "queue").glob(pattern):
            path.unlink(missing_ok=True)
    migrate(say)
    if not settings.DEBUG:
        collect_static(say)


def migrate(say: Callable[[str], None]) -> None:
    """Apply what migrations are missing; on PostgreSQL one machine at a time."""
    shared = connection.vendor == "postgresql"
    with connection.cursor() as cursor:
        if shared:
            cursor.execute("SELECT pg_advisory_lock(%s)", [MIGRATION_LOCK])
        try:
            executor = MigrationExecutor(connection)
            if executor.migration_plan(executor.loader.graph.leaf_nodes()):
                say("Bringing the database up to date ...")
                call_command("migrate", interactive=False, verbosity=0)
            call_command("createcachetable", verbosity=0)
        finally:
            if shared:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [MIGRATION_LOCK])


def collect_static(say: Callable[[str], None]) -> None:
    """Collect the static files unless those collected last are the same."""
    mark = Path(settings.STATIC_ROOT) / ".collected"
    fingerprint = static_fingerprint()
    if mark.exists() and mark.read_text() == fingerprint:
        return
    say("Collecting the static files ...")
    call_command("collectstatic", interactive=False, verbosity=0, ignore_patterns=UNUSED_STATIC)
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.write_text(fingerprint)


def static_fingerprint() -> str:
    """SHA-256 over name, size and time of every static file and over how they are stored."""
    digest = hashlib.sha256(repr(settings.STORAGES["staticfiles"]).encode())
    for name, path in sorted(_static_files()):
        status = path.stat()
        digest.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def file_system(path: Path) -> str:
    """The kind of file system ``path`` lies on, as the kernel calls it; empty where that can't be known."""
    try:
        lines = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    mounts = [(fields[1].replace("\\040", " "), fields[2]) for fields in map(str.split, lines)]
    held = [(place, kind) for place, kind in mounts if path.resolve().is_relative_to(place)]
    return max(held, key=lambda mount: len(mount[0]), default=("", ""))[1]


def first_page(host: str, port: int, ending: threading.Event) -> str:
    """Wait until the first page answers; returns a sentence when it answers with an error, else nothing."""
    address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    name = "localhost" if "localhost" in settings.ALLOWED_HOSTS else (settings.ALLOWED_HOSTS or ["localhost"])[0]
    page, hops = "/", 0
    while not ending.is_set():
        try:
            status, location = _get(address, port, name, page)
        except (OSError, http.client.HTTPException):
            ending.wait(0.1)
            continue
        if 300 <= status < 400 and location.startswith("/") and hops < 4:
            page, hops = location, hops + 1
            continue
        if status < 400:
            return ""
        return f"The first page answers with an error ({status}): see the lines above."
    return ""


def _get(address: str, port: int, name: str, page: str) -> tuple[int, str]:
    request = http.client.HTTPConnection(address, port, timeout=60)
    try:
        request.request("GET", page, headers={"Host": f"{name}:{port}"})
        answer = request.getresponse()
        location = urlsplit(answer.getheader("Location") or "")
        # Only a place on this very server is followed: to https a proxy has to answer.
        inside = not location.netloc or location.netloc == f"{name}:{port}"
        return answer.status, location._replace(scheme="", netloc="").geturl() if inside else ""
    finally:
        request.close()


def _static_files() -> Iterable[tuple[str, Path]]:
    for finder in get_finders():
        for name, storage in finder.list([]):
            yield name, Path(storage.path(name))
