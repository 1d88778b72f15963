"""Folders for what must not stay: uploads and half-read series, which still hold patients' identifiers."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

LOCK = "in-use"


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder of one's own below the data folder, removed afterwards; so are those of killed processes."""
    root = _root()
    with _alone(root):
        _remove_abandoned(root)
        own = Path(tempfile.mkdtemp(dir=root))
        lock = _locked(own / LOCK)
    try:
        (own / "files").mkdir()
        yield own / "files"
    finally:
        shutil.rmtree(own, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def clean_up() -> None:
    """Remove the folders of killed processes."""
    root = _root()
    with _alone(root):
        _remove_abandoned(root)


def _root() -> Path:
    root: Path = settings.DATA_DIR / "scratch"
    root.mkdir(parents=True, exist_ok=True)
    return root


def _remove_abandoned(root: Path) -> None:
    """A lock dies with its process, even with kill -9: whoever's can be taken is gone."""
    for folder in root.iterdir():
        if folder.is_dir():
            lock = _locked(folder / LOCK)
            if lock is not None:
                shutil.rmtree(folder, ignore_errors=True)
                os.close(lock)


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """One process at a time, so that nobody removes a folder between its making and its locking."""
    descriptor = os.open(root / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _locked(path: Path) -> int | None:
    """The open, locked file, or nothing where another holder has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
