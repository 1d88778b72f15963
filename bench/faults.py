"""Load and faults on the real product: ``make bench SUITE=faults``, on SQLite and on PostgreSQL with Redis.

The short form by default, ``FULL=1`` the whole counts, ``ONLY=1,4`` some rows. PostgreSQL and Redis are those that
READERSTUDY_TEST_DATABASE_URL and READERSTUDY_TEST_BROKER_URL name; without them their figures are left out, and said.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.load import clock, contract, disk, hostile, interleavings, kills, leaks, paced, soak
from bench.report import Figure, main
from bench.room.world import say


@dataclass
class Servers:
    """Where a row runs: the name in its figures, and the servers' addresses."""

    name: str
    database: str = ""
    broker: str = ""


ROWS: dict[int, Callable[[Path, Servers, bool], dict[str, Figure]]] = {
    1: paced.steady,
    2: paced.burst,
    3: paced.many_readers,
    4: kills.web_server,
    5: kills.database_and_broker,
    6: kills.worker,
    7: disk.full_disk,
    8: clock.set_clock,
    9: interleavings.interleavings,
    10: hostile.uploads,
    11: contract.every_operation,
    12: leaks.leaks,
    13: soak.soak,
}


def run() -> dict[str, Figure]:
    """Every figure, its name ending with the database it was measured on."""
    wanted = [int(number) for number in os.environ.get("ONLY", "").split(",") if number.strip()] or list(ROWS)
    full = os.environ.get("FULL", "") == "1"
    places = [Servers("sqlite")]
    if database := os.environ.get("READERSTUDY_TEST_DATABASE_URL", ""):
        places.append(Servers("postgresql", database, os.environ.get("READERSTUDY_TEST_BROKER_URL", "")))
    else:
        say("READERSTUDY_TEST_DATABASE_URL is not set: nothing is measured on PostgreSQL.")
    figures: dict[str, Figure] = {}
    for number in wanted:
        if number not in ROWS:
            raise SystemExit(f"There is no row {number}: choose from {', '.join(map(str, ROWS))}.")
        for place in places:
            say(f"Row {number} on {place.name} ...")
            with tempfile.TemporaryDirectory(prefix="readerstudy-bench-") as folder:
                found = ROWS[number](Path(folder), place, full)
            figures |= {f"{name}_{place.name}": figure for name, figure in found.items()}
    return figures


if __name__ == "__main__":
    main("faults", run)
