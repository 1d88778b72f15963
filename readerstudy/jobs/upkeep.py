"""What is tidied up from time to time, by whichever worker has the reaper's duty."""

from __future__ import annotations

import logging
import time

from django.conf import settings
from django.db import DatabaseError
from django.utils.module_loading import import_string

log = logging.getLogger(__name__)
EVERY = 3600.0  # seconds
_done_at: float | None = None


def keep_up() -> None:
    """At most once an hour, all that ``UPKEEP`` names; what fails is logged and tried again next time."""
    global _done_at
    if _done_at is not None and time.monotonic() - _done_at < EVERY:
        return
    _done_at = time.monotonic()
    for path in settings.UPKEEP:
        try:
            import_string(path)()
        except DatabaseError:
            raise
        except Exception as error:  # nothing here may end the reaper
            log.warning("%s was not finished: %s", path, type(error).__name__)
