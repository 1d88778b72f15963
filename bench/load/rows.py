"""The rows of the suite ``faults``, and one of them measured in one place, in a process of its own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.load import clock, contract, disk, hostile, interleavings, kills, leaks, paced, soak
from bench.report import Figure
from bench.room import world


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


def measured(number: int, place: Servers) -> dict[str, Figure]:
    """The figures of one row, their names ending with the place's."""
    world.speaker = f"{place.name}: "
    world.say(f"row {number} ...")
    full = os.environ.get("FULL", "") == "1"
    with tempfile.TemporaryDirectory(prefix="readerstudy-bench-") as folder:
        found = ROWS[number](Path(folder), place, full)
    return {f"{name}_{place.name}": figure for name, figure in found.items()}
