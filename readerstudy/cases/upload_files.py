"""Where the bytes of an upload lie: files under their numbers, and an index of what is here for good.

``DATA_DIR/uploads/<id>/index`` has one record per file: its stated size, the bytes that are durable, and the browser's
fingerprint, by which the same file is known again. ``files/000001`` and so on hold the bytes.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

RECORD = np.dtype([("size", "<u8"), ("here", "<u8"), ("fingerprint", "V16")])
ZIP = b"PK\x03\x04"


@dataclass(frozen=True)
class Stated:
    """A file as the browser states it: bytes, and 32 hexadecimal digits over them (their first and last 64 KiB)."""

    size: int
    fingerprint: str


class Gap(Exception):
    """A piece that does not follow the bytes that are here; ``wanted`` is where the next one begins."""

    def __init__(self, wanted: int) -> None:
        super().__init__(f"The next piece begins at {wanted}.")
        self.wanted = wanted


class TooLong(Exception):
    """A piece that reaches beyond the file's stated size."""


def root() -> Path:
    """The folder of all uploads; made for this program's eyes only, since the files name patients."""
    folder: Path = settings.DATA_DIR / "uploads"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def folder_of(pk: UUID) -> Path:
    return root() / str(pk)


def free_bytes() -> int:
    return shutil.disk_usage(root()).free


def create(pk: UUID, stated: Sequence[Stated]) -> None:
    """Make the folder of a new upload, with its index."""
    index = np.zeros(len(stated), RECORD)
    index["size"] = [file.size for file in stated]
    index["fingerprint"] = [np.void(bytes.fromhex(file.fingerprint)) for file in stated]
    folder = folder_of(pk)
    (folder / "files").mkdir(mode=0o700, parents=True)
    with (folder / "index").open("wb") as stream:
        stream.write(index.tobytes())
        stream.flush()
        os.fsync(stream.fileno())
    _sync_folder(folder)
    _sync_folder(root())


def index_of(pk: UUID) -> NDArray[np.void]:
    """The records of all files in the order of their numbers; raises FileNotFoundError where the folder is gone."""
    return np.frombuffer((folder_of(pk) / "index").read_bytes(), RECORD)


def put(pk: UUID, number: int, offset: int, piece: bytes) -> int:
    """Write a piece of file ``number`` (from 1) and return how many bytes of it are here, durably.

    What is here already is left as it is. Raises ``Gap`` and ``TooLong``, FileNotFoundError where the folder of the
    upload is gone, and OSError where the disk refuses.
    """
    folder, at = folder_of(pk), (number - 1) * RECORD.itemsize
    index = os.open(folder / "index", os.O_RDWR)
    try:
        with _held(folder / "files" / file_name(number)) as file:
            size, here = struct.unpack("<QQ", os.pread(index, 16, at))
            if offset > here:
                raise Gap(here)
            end = offset + len(piece)
            if end > size:
                raise TooLong
            if end <= here:
                return int(here)
            _write(file, piece, offset)
            os.fsync(file)
            # Only now: a count that a power failure keeps must never be larger than what the file keeps.
            os.pwrite(index, struct.pack("<Q", end), at + 8)
            return end
    finally:
        os.close(index)


def complete(pk: UUID) -> Path:
    """What is imported of a whole upload: its one zip, else its folder, where empty files are files too."""
    folder = folder_of(pk) / "files"
    index = index_of(pk)
    for place in np.flatnonzero(index["size"] == 0):
        (folder / file_name(int(place) + 1)).touch(mode=0o600)
    first = folder / file_name(1)
    if len(index) == 1 and first.is_file() and is_zip(first):
        return first
    return folder


def is_zip(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(len(ZIP)) == ZIP


def file_name(number: int) -> str:
    """Sorted by name, the files stand in the order of their numbers."""
    return f"{number:06d}"


def remove(pk: UUID) -> None:
    shutil.rmtree(folder_of(pk), ignore_errors=True)


def folders() -> Iterator[tuple[UUID, float]]:
    """Every upload's folder and when it last changed; whatever else lies there is left alone."""
    for path in root().iterdir():
        try:
            yield UUID(path.name), path.stat().st_mtime
        except (ValueError, OSError):
            continue


class _held:
    """An open file that this process alone writes to; a new one has a durable name."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> int:
        new = not self.path.exists()
        self.descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self.descriptor, fcntl.LOCK_EX)
        if new:
            _sync_folder(self.path.parent)
        return self.descriptor

    def __exit__(self, *error: object) -> None:
        os.close(self.descriptor)


def _write(file: int, piece: bytes, offset: int) -> None:
    """All of it: a disk that is nearly full takes a part first and refuses the rest."""
    rest = memoryview(piece)
    while rest:
        written = os.pwrite(file, rest, offset)
        rest, offset = rest[written:], offset + written


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
