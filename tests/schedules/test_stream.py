"""The stream of chance: published vectors, no bias, nothing shared between labels."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from readerstudy.schedules.stream import DOMAIN, Stream

SECRET = bytes(range(32))


def chi_square(counts: Counter[int], cells: int) -> float:
    expected = sum(counts.values()) / cells
    return sum((counts[cell] - expected) ** 2 / expected for cell in range(cells))


def test_first_block_is_the_documented_hash() -> None:
    label = "vectors"
    first = hashlib.sha256(DOMAIN + (7).to_bytes(4, "big") + label.encode() + SECRET + bytes(8)).digest()
    second = hashlib.sha256(DOMAIN + (7).to_bytes(4, "big") + label.encode() + SECRET + bytes(7) + b"\x01").digest()
    assert Stream(SECRET, label).read(50) == (first + second)[:50]


def test_published_vectors() -> None:
    assert Stream(SECRET, "vectors").read(16).hex() == "ee3ad3d40c82cd5bc7ec5414864d8b97"
    assert [Stream(SECRET, "below").below(n) for n in (2, 7, 100, 256, 257, 10**12)] == [
        1,
        4,
        70,
        141,
        239,
        609527815347,
    ]
    assert Stream(SECRET, "shuffle").shuffle(range(10)) == [0, 2, 6, 8, 4, 7, 9, 5, 1, 3]
    assert Stream(SECRET, "sample").sample("abcdefgh", 3) == ["g", "h", "a"]
    assert Stream(SECRET, "token").token(16) == "acWOia6taZM_226OKz05ZA"
    assert Stream(SECRET, "a").substream("b").read(8).hex() == "e6f78ba1dd81541e"


def test_reading_in_pieces_gives_the_same_bytes() -> None:
    whole = Stream(SECRET, "pieces").read(500)
    stream = Stream(SECRET, "pieces")
    sizes = [1, 2, 31, 32, 33, 64, 100, 0, 237]
    assert b"".join(stream.read(size) for size in sizes) == whole


def test_substream_does_not_depend_on_what_was_read() -> None:
    read, fresh = Stream(SECRET, "a"), Stream(SECRET, "a")
    read.read(1000)
    assert read.substream("b").read(32) == fresh.substream("b").read(32)


def test_label_and_secret_do_not_run_together() -> None:
    assert Stream(b"bc", "a").read(32) != Stream(b"c", "ab").read(32)
    assert Stream(SECRET, "a").read(32) != Stream(SECRET, "b").read(32)
    assert Stream(SECRET, "a").read(32) != Stream(SECRET[::-1], "a").read(32)


@pytest.mark.parametrize("n", [2, 3, 7, 10, 100])
def test_below_is_even(n: int) -> None:
    stream = Stream(SECRET, f"even/{n}")
    counts = Counter(stream.below(n) for _ in range(200 * n))
    assert set(counts) <= set(range(n))
    # Mean n - 1, SD sqrt(2(n - 1)): five SDs above would be a broken stream, and the draws are fixed.
    assert chi_square(counts, n) < n - 1 + 5 * (2 * (n - 1)) ** 0.5


def test_below_one_reads_nothing_and_large_ranges_work() -> None:
    stream = Stream(SECRET, "edges")
    assert stream.below(1) == 0
    assert stream.read(8) == Stream(SECRET, "edges").read(8)
    assert 0 <= stream.below(2**200) < 2**200


def test_every_permutation_of_four_is_as_likely() -> None:
    stream = Stream(SECRET, "permutations")
    counts = Counter(tuple(stream.shuffle("abcd")) for _ in range(2400))
    assert len(counts) == 24
    assert sum((c - 100) ** 2 / 100 for c in counts.values()) < 23 + 5 * 46**0.5


def test_shuffle_leaves_its_argument_and_sample_draws_different_members() -> None:
    items = list(range(20))
    stream = Stream(SECRET, "copy")
    assert sorted(stream.shuffle(items)) == items == list(range(20))
    drawn = stream.sample(items, 7)
    assert len(set(drawn)) == 7 and set(drawn) <= set(items)
    assert sorted(stream.sample(items, 20)) == items
    assert stream.sample(items, 0) == []


def test_tokens_are_url_safe_and_never_the_same() -> None:
    stream = Stream(SECRET, "tokens")
    tokens = [stream.token() for _ in range(2000)]
    assert len(set(tokens)) == 2000
    assert {len(token) for token in tokens} == {22}
    assert all(letter.isalnum() or letter in "-_" for token in tokens for letter in token)


def test_refusals_say_what_to_do() -> None:
    with pytest.raises(ValueError, match="at least one byte; give it one"):
        Stream(b"", "label")
    with pytest.raises(ValueError, match="at least one possibility, not 0; check"):
        Stream(SECRET, "label").below(0)
    with pytest.raises(ValueError, match="draw 3 from 2; ask for at most 2"):
        Stream(SECRET, "label").sample([1, 2], 3)


@pytest.mark.parametrize("seed", ["0", "1", "4242"])
def test_same_on_any_hash_seed(seed: str) -> None:
    program = (
        "from readerstudy.schedules.stream import Stream;print(Stream(bytes(range(32)), 'seeded').shuffle(range(30)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == str(Stream(SECRET, "seeded").shuffle(range(30)))
