"""The one source of chance: a SHA-256 counter stream, the same on every machine and Python version."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

DOMAIN = b"readerstudy/stream/v1"


class Stream:
    """Bytes of SHA-256(domain || length of label || label || secret || counter), counter = 0, 1, 2, ...

    The label's length (in bytes) takes four bytes and the counter eight, both big-endian, so that no two
    pairs of label and secret give the same input. Streams with different labels are unrelated.
    """

    def __init__(self, secret: bytes, label: str) -> None:
        if not secret:
            raise ValueError("A stream needs a secret or seed of at least one byte; give it one.")
        encoded = label.encode()
        self._secret = secret
        self.label = label
        self._start = hashlib.sha256(DOMAIN + len(encoded).to_bytes(4, "big") + encoded + secret)
        self._counter = 0
        self._buffer = b""
        self._used = 0

    def substream(self, label: str) -> Stream:
        """A stream of its own that doesn't depend on how much of this one has been read."""
        return Stream(self._secret, f"{self.label}/{label}")

    def read(self, count: int) -> bytes:
        """The next `count` bytes."""
        end = self._used + count
        while len(self._buffer) < end:
            block = self._start.copy()
            block.update(self._counter.to_bytes(8, "big"))
            self._buffer = self._buffer[self._used :] + block.digest()
            end -= self._used
            self._used = 0
            self._counter += 1
        taken = self._buffer[self._used : end]
        self._used = end
        return taken

    def below(self, n: int) -> int:
        """An integer from 0 to n - 1, each equally likely (draws that fall outside are thrown away)."""
        if n < 1:
            raise ValueError(f"A draw needs at least one possibility, not {n}; check that the list isn't empty.")
        bits = (n - 1).bit_length()
        size = (bits + 7) // 8
        while True:
            value = int.from_bytes(self.read(size), "big") >> (8 * size - bits)
            if value < n:
                return value

    def choice(self, items: Sequence[T]) -> T:
        """One of the items."""
        return items[self.below(len(items))]

    def shuffle(self, items: Sequence[T]) -> list[T]:
        """A new list of the items in random order (Fisher-Yates); the argument is left as it is."""
        mixed = list(items)
        for last in range(len(mixed) - 1, 0, -1):
            other = self.below(last + 1)
            mixed[last], mixed[other] = mixed[other], mixed[last]
        return mixed

    def sample(self, items: Sequence[T], k: int) -> list[T]:
        """`k` different members of `items` in random order."""
        if not 0 <= k <= len(items):
            raise ValueError(f"Can't draw {k} from {len(items)}; ask for at most {len(items)}.")
        pool = list(items)
        for first in range(k):
            other = first + self.below(len(pool) - first)
            pool[first], pool[other] = pool[other], pool[first]
        return pool[:k]

    def token(self, nbytes: int = 16) -> str:
        """A random id of `nbytes` bytes in the letters of a URL (base64url without padding)."""
        return urlsafe_b64encode(self.read(nbytes)).rstrip(b"=").decode("ascii")
