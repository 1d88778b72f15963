"""Row 13: readers at their pace for minutes: the web server's memory settles, and SQLite's WAL stays small."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from scipy.stats import theilslopes

from bench.load.crowd import Person, crowd, failures
from bench.load.hostile import resident_mib
from bench.load.paced import Place
from bench.report import Figure
from bench.room.world import say
from tests.faults.conftest import Installation

READERS, EVERY, WARM = 8, 2.0, 0.3  # readers, seconds between two acts of each, share of the time to warm up
SAMPLES_EVERY = 2.0


@dataclass
class Meter:
    """Resident memory of the web server's processes, and the largest WAL, over time."""

    installation: Installation
    times: list[float] = field(default_factory=list)
    resident: list[float] = field(default_factory=list)
    largest_wal: int = 0
    processes: set[int] = field(default_factory=set)

    def read(self, stop: threading.Event) -> None:
        wal = self.installation.data / "readerstudy.sqlite3-wal"
        self.processes = set(self.installation.processes("gunicorn"))
        while not stop.wait(SAMPLES_EVERY):
            self.times.append(time.monotonic())
            self.resident.append(resident_mib(sorted(self.processes)))
            if wal.exists():
                self.largest_wal = max(self.largest_wal, wal.stat().st_size)

    def growth(self, warm: float) -> float:
        """Percent of the median per hour, by the median of all slopes after the warm-up; never below nothing."""
        first = next(n for n, at in enumerate(self.times) if at >= self.times[0] + warm)
        times, values = self.times[first:], self.resident[first:]
        slope, middle = theilslopes(values, times)[0], sorted(values)[len(values) // 2]
        return max(0.0, 3600 * float(slope) / middle * 100)


def soak(folder: Path, place: Place, full: bool) -> dict[str, Figure]:
    """8 (30) minutes; half of what readers do is a score, half a slice."""
    seconds = 1800.0 if full else 480.0
    slices = int(seconds / EVERY / 2 / 4) + 2  # enough that nobody comes to the end
    with crowd(folder / "data", READERS, slices, 64, place.database, place.broker) as here:
        meter, stop = Meter(here.installation), threading.Event()
        reading = threading.Thread(target=meter.read, args=(stop,))
        reading.start()
        try:
            samples = here.run(_act, EVERY, seconds)
        finally:
            stop.set()
            reading.join()
        if set(here.installation.processes("gunicorn")) != meter.processes:
            raise RuntimeError("A process of the web server was replaced: its growth can't be told.")
        lost, duplicated, faults = here.lost_and_duplicated()
    growth = meter.growth(WARM * seconds)
    say(
        f"{len(samples)} requests, not 200: {failures(samples) or 'none'}; {meter.resident[0]:.0f} MiB, then "
        f"{meter.resident[-1]:.0f} MiB; {lost} lost, {duplicated} duplicated, chain {faults or 'holds'}"
    )
    figures = {
        "f13_growth_percent": Figure(growth, "% / h"),
        "f13_rss_mib": Figure(meter.resident[-1], "MiB"),
        "f13_errors": Figure(sum(failures(samples).values()) + lost + duplicated + len(faults), "answers"),
    }
    return figures if place.database else figures | {"f13_wal_mib": Figure(meter.largest_wal / 2**20, "MiB")}


def _act(person: Person, due: float) -> None:
    """A score, then a look at what comes next: ``asked`` counts the scores."""
    if len(person.samples) % 2:
        person.look(due)
        person.asked -= 1
    else:
        person.score(due)
