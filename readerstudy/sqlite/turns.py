"""Turns of the writers of one SQLite file, among threads and processes.

SQLite lets one transaction write at a time and has no queue: who waits tries again after a pause that grows to a tenth
of a second, and who has just written and goes on at once is first again. A worker that stores many results then keeps
readers from saving a score for half a minute. Here a writer first passes the *door*, where one may wait, and takes the
*turn* from there: who has just written finds the door taken by whoever waited.

Both are advisory locks of the operating system on files beside the database; they end with the process that holds
them. Such a lock can only be asked for again and again, so the threads of one process queue in front of it and one of
them asks for all. Locks and queue decide who is first, never what is right: without a turn in time a writer goes on
to SQLite's own lock, and waits or fails there as it always did.
"""

from __future__ import annotations

import os
import threading
import time
from collections import defaultdict

try:
    import fcntl
except ImportError:  # a system without these locks has no turns
    fcntl = None  # type: ignore[assignment]

PAUSES = 0.0005, 0.002  # seconds between two tries: at first, and at last
_queues: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)


def _forget() -> None:
    """A forked process has none of the threads that may hold the queue."""
    _queues.clear()


os.register_at_fork(after_in_child=_forget)


class Turns:
    """One connection's place among the writers of ``database``."""

    def __init__(self, database: str) -> None:
        self._database, self._paths = database, (f"{database}.door", f"{database}.turn")
        self._files: tuple[int, ...] = ()
        self._owner = 0
        self.mine = False

    def take(self, seconds: float) -> bool:
        """Wait for the turn, at most ``seconds``; whether it came."""
        if fcntl is None or self.mine or not self._open():
            return self.mine
        door, turn = self._files
        until = time.monotonic() + seconds
        queue = _queues[self._database]
        if not queue.acquire(timeout=seconds):
            return False
        try:
            if _taken(door, until):
                self.mine = _taken(turn, until)
                fcntl.flock(door, fcntl.LOCK_UN)
        finally:
            queue.release()
        return self.mine

    def give_back(self) -> None:
        """Let the next one write; nothing without a turn."""
        if self.mine and self._owner == os.getpid():
            fcntl.flock(self._files[1], fcntl.LOCK_UN)
        self.mine = False

    def close(self) -> None:
        self.give_back()
        for file in self._files:
            os.close(file)
        self._files = ()

    def _open(self) -> bool:
        if self._owner != os.getpid():  # files that came through a fork are the parent's
            self._files, self._owner = (), os.getpid()
        if not self._files:
            try:
                self._files = tuple(os.open(p, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600) for p in self._paths)
            except OSError:  # a full disk, a folder that may not be written: SQLite itself will say so
                return False
        return True


def _taken(file: int, until: float) -> bool:
    pause, longest = PAUSES
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(pause)
            pause = min(1.5 * pause, longest)
        else:
            return True
