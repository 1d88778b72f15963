"""The pixel store: bytes named by their SHA-256, never changed after they are written.

Settings choose the place: a folder, or a bucket in S3-compatible storage.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from readerstudy import configuration
from readerstudy.cases.stores import NAME, PixelsAway, PixelsMissing, Store, require_sound
from readerstudy.cases.stores_cache import Cache
from readerstudy.cases.stores_local import LocalStore
from readerstudy.cases.stores_s3 import S3Store

__all__ = ["NAME", "PixelsAway", "PixelsMissing", "Store"]


def place() -> Store:
    """Where the settings keep pixels."""
    if settings.PIXELS_BUCKET is None:
        return LocalStore(settings.PIXELS_DIR)
    return _in_bucket(settings.PIXELS_BUCKET)


def at(where: str) -> Store:
    """The store in a folder or at ``s3://bucket/prefix``, reached by the READERSTUDY_S3_ variables."""
    bucket = configuration.bucket(where)
    return LocalStore(Path(where)) if bucket is None else _in_bucket(bucket)


def put(content: bytes) -> str:
    """Keep ``content`` durably and return its name; the same bytes again cost nothing."""
    name = hashlib.sha256(content).hexdigest()
    place().write(name, content)
    return name


def get(name: str) -> bytes:
    """Return the bytes kept under ``name``; raises ``PixelsMissing``."""
    return place().read(name)


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
    return place().exists(name)


def verify(name: str) -> None:
    """Raise ``PixelsMissing`` unless the bytes under ``name`` are there and still hash to it."""
    require_sound(name, place().read(name, fresh=True))


def names() -> Iterator[str]:
    """Every name in the store, sorted, whether a row refers to it or not."""
    return place().names()


def copy_from(source: Store, name: str, target: Store | None = None) -> bool:
    """Bring ``name`` from another store into this one, or into ``target``; False where it was there already.

    Raises ``PixelsMissing`` where ``source`` lacks the bytes or holds damaged ones; nothing is written then.
    """
    target = target or place()
    if target.exists(name):
        return False
    content = source.read(name, fresh=True)
    require_sound(name, content)
    target.write(name, content)
    return True


def trouble(*, writing: bool = False) -> str:
    """What keeps the store from working, in one sentence; ``writing`` also tries that. Empty where nothing does."""
    return place().trouble(writing=writing)


def _in_bucket(bucket: configuration.Bucket) -> S3Store:
    return S3Store(bucket, Cache(settings.PIXEL_CACHE_DIR, settings.PIXEL_CACHE_BYTES))


def _path(name: str) -> Path:
    """The file of a name, where the store is a folder."""
    return LocalStore(settings.PIXELS_DIR).path(name)
