"""Load and faults on the real product: ``make bench SUITE=faults``, on SQLite and on PostgreSQL with Redis.

The short form by default, ``FULL=1`` the whole counts, ``ONLY=1,4`` some rows. PostgreSQL and Redis are those that
READERSTUDY_TEST_DATABASE_URL and READERSTUDY_TEST_BROKER_URL name; without them their figures are left out, and said.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from bench.load.rows import ROWS, Servers, measured
from bench.report import Figure, main
from bench.room.world import say

# Rows in which nothing is timed to the millisecond: both places at once, or the whole takes an hour.
TOGETHER = {6, 7, 8, 9, 10, 11, 13}


def run() -> dict[str, Figure]:
    """Every figure, its name ending with the database it was measured on."""
    wanted = [int(number) for number in os.environ.get("ONLY", "").split(",") if number.strip()] or list(ROWS)
    places = [Servers("sqlite")]
    if database := os.environ.get("READERSTUDY_TEST_DATABASE_URL", ""):
        places.append(Servers("postgresql", database, os.environ.get("READERSTUDY_TEST_BROKER_URL", "")))
    else:
        say("READERSTUDY_TEST_DATABASE_URL is not set: nothing is measured on PostgreSQL.")
    figures: dict[str, Figure] = {}
    for number in wanted:
        if number not in ROWS:
            raise SystemExit(f"There is no row {number}: choose from {', '.join(map(str, ROWS))}.")
        begun = time.monotonic()
        with ProcessPoolExecutor(len(places) if number in TOGETHER else 1, get_context("spawn")) as pool:
            for found in pool.map(measured, [number] * len(places), places):
                figures |= found
        say(f"Row {number} took {time.monotonic() - begun:.0f} s.")
    return figures


if __name__ == "__main__":
    main("faults", run)
