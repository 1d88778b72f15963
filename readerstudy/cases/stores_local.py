"""Pixels as files of a folder: written under a temporary name, fsynced and renamed, never changed afterwards."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from readerstudy.cases.stores import NAME, missing, require_name

FOLDER = re.compile(r"[0-9a-f]{2}")


@dataclass(frozen=True)
class LocalStore:
    """``ab/cdef...`` below ``root`` holds the bytes whose SHA-256 is ``abcdef...``."""

    root: Path

    def write(self, name: str, content: bytes) -> None:
        path = self.path(name)
        if path.exists():
            return
        _make_folder(path.parent)
        descriptor, temporary = tempfile.mkstemp(prefix=".new-", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
        _sync_folder(path.parent)

    def read(self, name: str, *, fresh: bool = False) -> bytes:
        try:
            return self.path(name).read_bytes()
        except FileNotFoundError:
            raise missing(name) from None

    def exists(self, name: str) -> bool:
        return self.path(name).is_file()

    def names(self) -> Iterator[str]:
        if not self.root.is_dir():
            return
        for folder in sorted(self.root.iterdir()):
            if FOLDER.fullmatch(folder.name) and folder.is_dir():
                found = sorted(f"{folder.name}{path.name}" for path in folder.iterdir())
                yield from (name for name in found if NAME.fullmatch(name))

    def trouble(self, *, writing: bool = False) -> str:
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            if writing:
                with tempfile.TemporaryFile(dir=self.root):
                    pass
        except OSError:
            return "The pixel store can't be written: correct READERSTUDY_PIXELS or the folder's owner."
        return ""

    def path(self, name: str) -> Path:
        require_name(name)
        return self.root / name[:2] / name[2:]


def _make_folder(folder: Path) -> None:
    """Make a folder whose entry in its parent survives a power cut."""
    if folder.is_dir():
        return
    folder.mkdir(parents=True, exist_ok=True)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
