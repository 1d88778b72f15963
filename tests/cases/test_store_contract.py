"""What a store promises, wherever it keeps its bytes: the same tests over a folder and over a bucket."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from readerstudy.cases import store
from readerstudy.cases.stores_local import LocalStore
from tests.cases.bucket import Server, serving

ROWS, COLUMNS = 32, 48


@dataclass
class Kept:
    """The raw bytes behind the store, to count and to damage."""

    folder: Path
    server: Server | None = None

    def names(self) -> list[str]:
        if self.server is not None:
            return sorted(key[-65:].replace("/", "") for key in self.server.objects)
        return sorted(path.parent.name + path.name for path in self.folder.rglob("*") if path.is_file())

    def damage(self, name: str, content: bytes | None) -> None:
        place = f"{name[:2]}/{name[2:]}"
        if self.server is None:
            (self.folder / place).unlink() if content is None else (self.folder / place).write_bytes(content)
        elif content is None:
            del self.server.objects[f"studies/one/{place}"]
        else:
            self.server.objects[f"studies/one/{place}"] = content


@pytest.fixture(params=["folder", "bucket"])
def kept(request: pytest.FixtureRequest, settings: Any) -> Iterator[Kept]:
    if request.param == "folder":
        yield Kept(settings.PIXELS_DIR)
        return
    with serving() as server:
        settings.PIXELS_BUCKET = server.bucket()
        settings.PIXEL_CACHE_DIR = settings.DATA_DIR / "pixel_cache"
        yield Kept(settings.PIXELS_DIR, server)


def picture(seed: int) -> np.ndarray[Any, np.dtype[np.uint16]]:
    return np.random.default_rng(seed).integers(0, 4096, (ROWS, COLUMNS)).astype(np.uint16)


def test_what_is_put_comes_back(kept: Kept) -> None:
    name = store.put_slice(picture(1))
    assert (store.get_slice(name, ROWS, COLUMNS) == picture(1)).all()
    assert store.get(name) == picture(1).astype("<u2").tobytes()
    assert store.exists(name) and kept.names() == [name]
    store.verify(name)
    with pytest.raises(store.PixelsMissing, match="do not fill 3 x 3"):
        store.get_slice(name, 3, 3)


@pytest.mark.parametrize("content", [b"", b"x", os.urandom(3_000_001)])
def test_any_bytes_of_any_length(kept: Kept, content: bytes) -> None:
    assert store.get(store.put(content)) == content
    assert store.get(store.put(content)) == content


def test_the_same_bytes_again_are_not_written_again(kept: Kept) -> None:
    name = store.put(b"pixels")
    assert store.put(b"pixels") == name and kept.names() == [name]
    if kept.server is not None:
        assert [call.split()[0] for call in kept.server.calls] == ["HEAD", "PUT", "HEAD"]


def test_missing_pixels_say_what_to_do(kept: Kept) -> None:
    for read in (store.get, store.verify):
        with pytest.raises(store.PixelsMissing, match=r"not in the store: restore the pixel store"):
            read("0" * 64)
    assert not store.exists("0" * 64)


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "ABC", "0" * 63 + "/", "0" * 65])
def test_a_name_that_is_no_hash_never_becomes_a_path(kept: Kept, name: str) -> None:
    for ask in (store.get, store.exists, store.verify, lambda name: store.place().write(name, b"")):
        with pytest.raises(store.PixelsMissing):
            ask(name)
    assert kept.server is None or kept.server.calls == []


@pytest.mark.parametrize("content", [b"pixelz", b"", None])
def test_damage_is_found_even_where_a_sound_copy_is_at_hand(kept: Kept, content: bytes | None) -> None:
    name = store.put(b"pixels")
    store.get(name)
    kept.damage(name, content)
    with pytest.raises(store.PixelsMissing, match="not in the store" if content is None else "have changed since"):
        store.verify(name)


def test_eight_threads_put_the_same_slice(kept: Kept) -> None:
    with ThreadPoolExecutor(8) as pool:
        names = set(pool.map(store.put_slice, [picture(2)] * 32))
        assert len(names) == 1 and kept.names() == sorted(names)
        found = pool.map(lambda name: store.get_slice(name, ROWS, COLUMNS), [*names] * 32)
        assert all((one == picture(2)).all() for one in found)


def test_every_name_is_told_in_order_and_nothing_else(kept: Kept) -> None:
    assert list(store.names()) == []
    names = sorted(store.put(bytes([n])) for n in range(20))
    if kept.server is not None:
        other = "ab" + "0" * 62
        kept.server.objects |= {
            "studies/one/.check": b"",
            "studies/onetwo/ab/" + other[2:]: b"",
            "studies/one/ab/c": b"",
        }
    else:
        (kept.folder / "ab").mkdir(exist_ok=True)
        (kept.folder / "ab" / ".new-x").write_bytes(b"")
        (kept.folder / "README").write_text("")
    assert list(store.names()) == names


def test_pixels_are_copied_from_another_store_once_and_only_when_sound(kept: Kept, tmp_path: Path) -> None:
    source = LocalStore(tmp_path / "before")
    name, spoilt = (hashlib.sha256(content).hexdigest() for content in (b"pixels", b"others"))
    source.write(name, b"pixels")
    source.write(spoilt, b"damaged")
    assert store.copy_from(source, name) is True and store.get(name) == b"pixels"
    assert store.copy_from(source, name) is False
    with pytest.raises(store.PixelsMissing, match="have changed"):
        store.copy_from(source, spoilt)
    with pytest.raises(store.PixelsMissing, match="not in the store"):
        store.copy_from(source, "0" * 64)
    assert kept.names() == [name]
    back = LocalStore(tmp_path / "after")
    assert store.copy_from(store.place(), name, back) and list(back.names()) == [name]


def test_a_well_store_has_no_trouble(kept: Kept) -> None:
    assert store.trouble() == "" and store.trouble(writing=True) == ""
    assert list(store.names()) == []
