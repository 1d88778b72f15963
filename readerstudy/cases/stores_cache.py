"""Copies of what was read from a bucket, on this machine: bounded in bytes, shared by its processes.

The file ``held`` counts the bytes that may lie here. Who adds a copy locks it, counts first and writes then, so that a
process killed in between leaves a count that is too high, never too low; the next one to find no room counts anew.
No copy is trusted: its bytes are hashed whenever they are read. A cache that fails only makes reading slower.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DIGITS = 20
LONGEST_WAIT = 0.1
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cache:
    """At most ``limit`` bytes of copies below ``root``; those read longest ago go first. 0 keeps none."""

    root: Path
    limit: int

    def get(self, name: str) -> bytes | None:
        """The bytes under ``name``, if an undamaged copy is here."""
        if not self.limit:
            return None
        path = self._path(name)
        try:
            content = path.read_bytes()
            if hashlib.sha256(content).hexdigest() != name:
                path.unlink()
                return None
        except OSError:
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return content

    def keep(self, name: str, content: bytes) -> None:
        """Add a copy, unless it can't be one or others take long to add theirs."""
        if not 0 < len(content) <= self.limit:
            return
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._alone() as ledger:
                if ledger is not None:
                    self._add(ledger, self._path(name), content)
        except OSError as error:
            log.warning("The pixel cache can't be written (%s): correct READERSTUDY_PIXEL_CACHE.", error.strerror)

    def trouble(self) -> str:
        """What keeps copies from being written, in one sentence; empty where nothing does."""
        try:
            if self.limit:
                self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
                os.close(os.open(self.root / "held", os.O_RDWR | os.O_CREAT, 0o600))
        except OSError:
            return "The pixel cache can't be written: correct READERSTUDY_PIXEL_CACHE or the folder's owner."
        return ""

    @contextlib.contextmanager
    def _alone(self) -> Iterator[int | None]:
        """The open count, for this thread alone; None after a tenth of a second in which another had it."""
        ledger = os.open(self.root / "held", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            yield ledger if _locked(ledger) else None
        finally:
            os.close(ledger)

    def _add(self, ledger: int, path: Path, content: bytes) -> None:
        if path.exists():
            return
        held = _count(ledger)
        if held is None or held + len(content) > self.limit:
            held = self._make_room(len(content))
        os.pwrite(ledger, f"{held + len(content):0{DIGITS}d}".encode(), 0)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        # One name for all, since only one writes at a time: what a killed process left there is written over.
        temporary = self.root / ".new"
        temporary.write_bytes(content)
        os.replace(temporary, path)

    def _make_room(self, wanted: int) -> int:
        """Count the copies, remove old ones until ``wanted`` bytes and a tenth of the limit are free; what is left."""
        (self.root / ".new").unlink(missing_ok=True)
        copies = []
        for path in self.root.glob("??/*"):
            with contextlib.suppress(FileNotFoundError):
                stat = path.stat()
                copies.append((stat.st_mtime_ns, stat.st_size, path))
        held = sum(size for _, size, _ in copies)
        if held + wanted <= self.limit:
            return held
        for _, size, path in sorted(copies):
            path.unlink(missing_ok=True)
            held -= size
            if held + wanted <= self.limit - self.limit // 10:
                break
        return held

    def _path(self, name: str) -> Path:
        return self.root / name[:2] / name[2:]


def _locked(descriptor: int) -> bool:
    """Lock, but never wait long: whoever holds the lock may have been stopped."""
    until = time.monotonic() + LONGEST_WAIT
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                return False
            time.sleep(0.002)
        else:
            return True


def _count(ledger: int) -> int | None:
    """The bytes counted so far; None where that is not known."""
    text = os.pread(ledger, DIGITS + 1, 0)
    return int(text) if len(text) == DIGITS and text.isdigit() else None
