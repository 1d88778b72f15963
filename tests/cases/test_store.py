"""The pixel store keeps what it was given, says so when it can't, and never writes outside its folder."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from readerstudy.cases import store


def files(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


def test_bytes_come_back_under_their_hash(installation: Path) -> None:
    name = store.put(b"pixels")
    assert name == hashlib.sha256(b"pixels").hexdigest()
    assert store.get(name) == b"pixels"
    assert store.exists(name)
    assert files(installation) == [installation / "pixels" / name[:2] / name[2:]]


def test_the_same_bytes_are_written_once(installation: Path) -> None:
    name = store.put(b"pixels")
    before = (installation / "pixels" / name[:2] / name[2:]).stat()
    assert store.put(b"pixels") == name
    after = (installation / "pixels" / name[:2] / name[2:]).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_many_writers_of_the_same_bytes_leave_one_file(installation: Path) -> None:
    content = os.urandom(200_000)
    with ThreadPoolExecutor(8) as pool:
        names = set(pool.map(store.put, [content] * 32))
    assert len(names) == 1
    assert len(files(installation)) == 1


def test_a_failed_write_leaves_nothing(installation: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        store.put(b"pixels")
    assert files(installation) == []


def test_missing_pixels_say_what_to_do() -> None:
    with pytest.raises(store.PixelsMissing, match=r"not in the store: restore the pixel store"):
        store.get("0" * 64)
    assert not store.exists("0" * 64)


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "ABC", "0" * 63 + "/", "0" * 65])
def test_a_name_that_is_no_hash_never_becomes_a_path(name: str) -> None:
    with pytest.raises(store.PixelsMissing):
        store.get(name)


def test_one_changed_byte_is_found(installation: Path) -> None:
    name = store.put(b"pixels")
    store.verify(name)
    (installation / "pixels" / name[:2] / name[2:]).write_bytes(b"pixelz")
    with pytest.raises(store.PixelsMissing, match="have changed since they were written"):
        store.verify(name)


def test_a_slice_is_little_endian_row_major() -> None:
    stored = np.arange(6, dtype=np.uint16).reshape(2, 3)
    name = store.put_slice(stored)
    assert store.get(name) == bytes([0, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0])
    assert store.put_slice(np.asfortranarray(stored)) == name
    assert (store.get_slice(name, 2, 3) == stored).all()


def test_a_slice_of_another_shape_or_kind_is_refused() -> None:
    name = store.put_slice(np.zeros((2, 3), np.uint16))
    with pytest.raises(store.PixelsMissing, match="do not fill 3 x 3"):
        store.get_slice(name, 3, 3)
    with pytest.raises(ValueError, match=r"array of uint16, not float32"):
        store.put_slice(np.zeros((2, 3), np.float32))
