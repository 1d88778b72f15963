"""Copies of a bucket's pixels: never too many, never wrong, shared by processes that may be killed at any moment."""

from __future__ import annotations

import fcntl
import hashlib
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from readerstudy.cases import store, stores_cache
from readerstudy.cases.stores_cache import Cache
from tests.cases.bucket import serving

ROOT = Path(__file__).resolve().parents[2]
KIB = 1024
WRITER = """
import hashlib, os, sys
from pathlib import Path
from readerstudy.cases.stores_cache import Cache
cache = Cache(Path(sys.argv[1]), int(sys.argv[2]))
print("begun", flush=True)
while True:
    content = os.urandom(20_000)
    cache.keep(hashlib.sha256(content).hexdigest(), content)
"""


def content(number: int, size: int = KIB) -> bytes:
    return number.to_bytes(4, "big") * (size // 4)


def name(number: int, size: int = KIB) -> str:
    return hashlib.sha256(content(number, size)).hexdigest()


def keep(cache: Cache, *numbers: int) -> None:
    for number in numbers:
        cache.keep(name(number), content(number))


def held(cache: Cache) -> set[int]:
    return {number for number in range(200) if cache.get(name(number))}


def on_disk(root: Path) -> int:
    return sum(path.stat().st_size for path in root.rglob("*") if path.is_file() and path.name != "held")


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache", 10 * KIB)


def test_what_was_read_longest_ago_goes_first(cache: Cache) -> None:
    keep(cache, *range(10))
    for number in range(10):
        os.utime(cache._path(name(number)), (number, number))
    assert cache.get(name(0)) == content(0)  # read now, so that it stays
    keep(cache, 10)
    assert held(cache) == {0, *range(3, 11)} and on_disk(cache.root) <= cache.limit


def test_it_is_never_larger_than_its_limit(cache: Cache) -> None:
    for number in range(100):
        keep(cache, number)
        assert on_disk(cache.root) <= cache.limit
    cache.keep(name(0, 11 * KIB), content(0, 11 * KIB))
    assert cache.get(name(0, 11 * KIB)) is None and 99 in held(cache)


def test_a_lower_limit_holds_from_the_next_copy_on(cache: Cache) -> None:
    keep(cache, *range(10))
    smaller = Cache(cache.root, 3 * KIB)
    keep(smaller, 10)
    assert on_disk(cache.root) <= 3 * KIB and 10 in held(smaller)


def test_no_room_keeps_nothing(tmp_path: Path) -> None:
    none = Cache(tmp_path / "cache", 0)
    keep(none, 1)
    assert not none.root.exists() and none.get(name(1)) is None and none.trouble() == ""


def test_a_damaged_copy_is_not_believed(cache: Cache) -> None:
    keep(cache, 1)
    cache._path(name(1)).write_bytes(content(2))
    assert cache.get(name(1)) is None and not cache._path(name(1)).exists()


@pytest.mark.parametrize("text", [b"", b"12", b"x" * 20, b"0" * 19 + b"x", b"0" * 40])
def test_a_count_that_makes_no_sense_is_made_anew(cache: Cache, text: bytes) -> None:
    keep(cache, 1, 2)
    (cache.root / "held").write_bytes(text)
    keep(cache, 3)
    assert int((cache.root / "held").read_bytes()[:20]) == 3 * KIB


def test_a_folder_that_cannot_be_written_costs_nothing_but_time(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = Cache(tmp_path / "file" / "cache", 10 * KIB)
    keep(cache, 1)
    assert cache.get(name(1)) is None
    assert cache.trouble() == "The pixel cache can't be written: correct READERSTUDY_PIXEL_CACHE or the folder's owner."


def test_a_process_that_stopped_with_the_lock_stops_no_other(cache: Cache) -> None:
    keep(cache, 1)
    with (cache.root / "held").open() as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        begun = time.monotonic()
        keep(cache, 2)
        assert time.monotonic() - begun < 5
    assert held(cache) == {1}


def test_threads_share_it(cache: Cache) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: keep(cache, number % 40), range(400)))
    assert on_disk(cache.root) <= cache.limit
    assert on_disk(cache.root) <= int((cache.root / "held").read_bytes())


@pytest.mark.parametrize("step", ["mkdir", "write_bytes", "replace", "pwrite"])
def test_ended_at_any_step_the_count_is_never_too_low(cache: Cache, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a kill leaves: the steps before it are done, the later ones are not, and the kernel lets go of the lock."""
    keep(cache, *range(4))

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        owner = Path if step == "write_bytes" else (Path if step == "mkdir" else stores_cache.os)
        patch.setattr(owner, step, killed)
        keep(cache, 50)
    assert on_disk(cache.root) <= int((cache.root / "held").read_bytes())
    keep(cache, *range(60, 90))
    assert on_disk(cache.root) <= cache.limit and 89 in held(cache)


def test_killed_processes_leave_it_whole_and_bounded(tmp_path: Path) -> None:
    """Two processes write as fast as they can; each is killed several times, and what is there stays right."""
    root, limit = tmp_path / "cache", 300_000
    command = [sys.executable, "-c", WRITER, str(root), str(limit)]
    steady = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    try:
        for turn in range(6):
            with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
                assert process.stdout is not None and process.stdout.readline() == b"begun\n"
                time.sleep(0.05 + 0.017 * turn)
                process.send_signal(signal.SIGKILL)
    finally:
        steady.kill()
        steady.communicate()
    copies = [path for path in root.rglob("*") if path.is_file() and path.name not in {"held", ".new"}]
    assert copies and all(hashlib.sha256(p.read_bytes()).hexdigest() == p.parent.name + p.name for p in copies)
    assert on_disk(root) <= limit and on_disk(root) <= int((root / "held").read_bytes())
    keep(Cache(root, limit), *range(5))
    assert held(Cache(root, limit)) == set(range(5))


def test_a_study_read_again_asks_the_bucket_once(settings: Any) -> None:
    settings.PIXEL_CACHE_DIR, settings.PIXEL_CACHE_BYTES = settings.DATA_DIR / "pixel_cache", 8 * KIB
    with serving() as server:
        settings.PIXELS_BUCKET = server.bucket()
        names = [store.put(content(number)) for number in range(5)]
        server.calls.clear()
        for _ in range(3):
            assert [store.get(one) for one in names] == [content(number) for number in range(5)]
        assert len(server.calls) == 5
        settings.PIXEL_CACHE_BYTES = 0
        assert store.get(names[0]) == content(0)
    with pytest.raises(store.PixelsAway):
        store.get(names[0])
    settings.PIXEL_CACHE_BYTES = 8 * KIB
    assert store.get(names[0]) == content(0)
