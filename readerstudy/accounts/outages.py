"""When something below the product is away (database, disk, storage): 503 or 507 with a sentence, never a 500."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from django.db import InterfaceError, OperationalError
from django.utils.translation import gettext as _

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
RETRY_SECONDS = 5


@dataclass(frozen=True)
class Outage:
    """What the person is told, and the HTTP status that says the same to a program."""

    status: int
    title: str
    sentence: str


class Unavailable(Exception):
    """Something other than the database is away for a while; ``title`` tells a person what, and no address of it."""

    title: ClassVar[object] = ""


def outage_of(error: BaseException | None) -> Outage | None:
    """The outage behind an exception or one of its causes; None for a fault of the product itself."""
    for cause in _causes(error):
        if isinstance(cause, OSError) and cause.errno in FULL:
            return _full()
        if isinstance(cause, Unavailable):
            return _away(str(cause.title))
        if isinstance(cause, OperationalError | InterfaceError):
            words = str(cause).lower()
            full = "disk is full" in words or "no space left" in words
            return _full() if full else _away(_("The database does not answer at the moment"))
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _full() -> Outage:
    return Outage(
        507,
        _("The disk of this installation is full"),
        _("Nothing that was saved is lost; this was not saved. Ask the administrator to make room, then try again."),
    )


def _away(title: str) -> Outage:
    return Outage(503, title, _("Nothing that was saved is lost. Try again in a few seconds."))
