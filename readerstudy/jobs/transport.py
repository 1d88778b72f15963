"""Kombu's filesystem broker made safe for wake-ups: whole messages, one folder, never a growing pile."""

from __future__ import annotations

import json
import os
import time
import uuid
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.transport import filesystem

WAITING_AT_MOST = 32
LONGEST_DRAIN = 0.5


class Channel(filesystem.Channel):
    """One file per message, ``<time>_<random>.<queue>.msg``, in the transport option ``folder``."""

    @property
    def folder(self) -> Path:
        path = Path(self.transport_options["folder"])
        path.mkdir(parents=True, exist_ok=True)
        return path

    @property
    def control_folder(self) -> Path:
        return self.folder

    def _put(self, queue: str, payload: Any, **_: Any) -> None:  # type: ignore[override]
        folder = self.folder
        # Wake-ups have no content: beyond a few, one more says nothing new.
        if len(self._waiting(queue)) >= WAITING_AT_MOST:
            return
        name = f"{time.time_ns():020d}_{uuid.uuid4().hex}"
        part = folder / f"{name}.part"
        part.write_text(json.dumps(payload), encoding="utf-8")
        # Kombu writes in place, so that a consumer could take half a message; a rename is whole or nothing.
        part.rename(folder / f"{name}.{queue}.msg")

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        for path in self._waiting(queue):
            taken = path.with_suffix(f".taken-{os.getpid()}")
            try:
                path.rename(taken)
            except FileNotFoundError:
                continue
            text = taken.read_text(encoding="utf-8")
            taken.unlink()
            return json.loads(text)
        raise Empty()

    def _size(self, queue: str) -> int:
        return len(self._waiting(queue))

    def _purge(self, queue: str) -> int:
        waiting = self._waiting(queue)
        for path in waiting:
            path.unlink(missing_ok=True)
        return len(waiting)

    def _waiting(self, queue: str) -> list[Path]:
        return sorted(self.folder.glob(f"*.{queue}.msg"))


class Transport(filesystem.Transport):
    Channel = Channel

    def drain_events(self, connection: Any, timeout: float | None = None, **_: Any) -> None:
        # Celery looks only between two drains whether it was asked to end, and would drain for two seconds.
        timeout = min(timeout or LONGEST_DRAIN, LONGEST_DRAIN)
        super().drain_events(connection, timeout=timeout)  # type: ignore[no-untyped-call]
