"""The pixel store: files named by the SHA-256 of their bytes, never changed after they are written."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tempfile
from pathlib import Path

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

NAME = re.compile(r"[0-9a-f]{64}")


class PixelsMissing(Exception):
    """Pixels that a row names are not in the store, or are not what they were."""


def put(content: bytes) -> str:
    """Keep ``content`` durably and return its name; the same bytes again cost nothing."""
    name = hashlib.sha256(content).hexdigest()
    path = _path(name)
    if path.exists():
        return name
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
    return name


def get(name: str) -> bytes:
    """Return the bytes kept under ``name``; raises ``PixelsMissing``."""
    try:
        return _path(name).read_bytes()
    except FileNotFoundError:
        raise _missing(name) from None


def put_slice(stored: NDArray[np.uint16]) -> str:
    """Keep one slice of shape (rows, columns) as little-endian uint16, row-major."""
    if stored.dtype.kind != "u" or stored.dtype.itemsize != 2 or stored.ndim != 2:
        raise ValueError(f"A slice is a (rows, columns) array of uint16, not {stored.dtype} of shape {stored.shape}.")
    return put(np.ascontiguousarray(stored, dtype="<u2").tobytes())


def get_slice(name: str, rows: int, columns: int) -> NDArray[np.uint16]:
    """One slice's stored numbers, shape (rows, columns), read-only; raises ``PixelsMissing``."""
    content = get(name)
    if len(content) != rows * columns * 2:
        raise PixelsMissing(
            f"The pixels {name[:12]}… do not fill {rows} x {columns}: restore the pixel store from a backup."
        )
    return np.frombuffer(content, dtype="<u2").reshape(rows, columns)


def exists(name: str) -> bool:
    return _path(name).is_file()


def verify(name: str) -> None:
    """Raise ``PixelsMissing`` unless the bytes under ``name`` are there and still hash to it."""
    if hashlib.sha256(get(name)).hexdigest() != name:
        raise PixelsMissing(
            f"The pixels {name[:12]}… have changed since they were written: restore them from a backup."
        )


def _path(name: str) -> Path:
    # A name comes from our own rows, but a path must never be built from anything that is not a hash.
    if not NAME.fullmatch(name):
        raise _missing(name)
    root: Path = settings.PIXELS_DIR
    return root / name[:2] / name[2:]


def _missing(name: str) -> PixelsMissing:
    return PixelsMissing(f"The pixels {name[:12]}… are not in the store: restore the pixel store from a backup.")


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
