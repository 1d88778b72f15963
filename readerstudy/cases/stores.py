"""What every place for pixels can do, and what it says when it can't."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Protocol

from django.utils.translation import gettext_lazy

from readerstudy.accounts.outages import Unavailable

NAME = re.compile(r"[0-9a-f]{64}")
NO_LIBRARY = (
    "Pixels in a bucket need the package boto3: install the extra s3 of this product, "
    "or let READERSTUDY_PIXELS name a folder."
)


class PixelsMissing(Exception):
    """Pixels that a row names are not in the store, or are not what they were."""


class PixelsAway(Unavailable):
    """The place of the pixels does not answer or refuses; the words are for the administrator and name no secret."""

    title = gettext_lazy("The store of the images does not answer at the moment")


class Store(Protocol):
    """A place that keeps bytes under the SHA-256 of them. All but ``trouble`` may raise ``PixelsAway`` and OSError."""

    def write(self, name: str, content: bytes) -> None:
        """Keep ``content``, whose hash is ``name``, durably; costs nothing where it is kept already."""

    def read(self, name: str, *, fresh: bool = False) -> bytes:
        """The bytes under ``name``; ``fresh`` passes by any copy. Raises ``PixelsMissing``."""

    def exists(self, name: str) -> bool: ...

    def names(self) -> Iterator[str]:
        """Every name that is kept, sorted."""

    def trouble(self, *, writing: bool = False) -> str:
        """What keeps it from working, in one sentence; ``writing`` also tries that. Empty where nothing does."""


def require_name(name: str) -> None:
    """A name comes from our own rows, but a path or key must never be built from anything that is not a hash."""
    if not NAME.fullmatch(name):
        raise missing(name)


def require_sound(name: str, content: bytes) -> None:
    """Raise ``PixelsMissing`` unless the bytes hash to their name."""
    if hashlib.sha256(content).hexdigest() != name:
        raise PixelsMissing(
            f"The pixels {name[:12]}… have changed since they were written: restore them from a backup."
        )


def missing(name: str) -> PixelsMissing:
    return PixelsMissing(f"The pixels {name[:12]}… are not in the store: restore the pixel store from a backup.")
