"""Row 8: the clock of server and workers is set an hour back, then a day forward, while they run."""

from __future__ import annotations

import shutil
import struct
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from bench.load.crowd import Crowd
from bench.load.kills import recovery
from bench.load.paced import Place
from bench.load.servers import Missing
from bench.load.site import Site, answering, get, site
from bench.report import Figure
from bench.room.world import say
from tests.faults.conftest import wait_for

BACK, FORWARD = -3600, 86400
LONG = 30.0  # seconds of a job that holds its lease by the heartbeat alone


class Wall:
    """The wall clock of every process started with ``environment``; the monotonic clock stays the machine's."""

    def __init__(self, folder: Path) -> None:
        compiler, library = shutil.which("gcc") or shutil.which("cc"), folder / "wall.so"
        if compiler is None:
            raise Missing("There is no C compiler for the clock: install the Debian package gcc.")
        source = Path(__file__).with_name("wall.c")
        subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
        self.file = folder / "wall"
        self.file.write_bytes(bytes(8))
        self.environment = {"LD_PRELOAD": str(library), "READERSTUDY_BENCH_WALL": str(self.file)}

    def set(self, seconds: int) -> None:
        """So far from the true time, in one step, for all at once."""
        with self.file.open("r+b", buffering=0) as file:
            file.write(struct.pack("=q", seconds))


@dataclass
class Watch:
    """Looks at pages without pause; ``cookies`` by role are those of now."""

    url: str
    pages: dict[str, list[str]]
    cookies: dict[str, str]
    statuses: Counter[int] = field(default_factory=Counter)
    crashed: list[str] = field(default_factory=list)

    @contextmanager
    def looking(self) -> Iterator[None]:
        stop = threading.Event()

        def look() -> None:
            while not stop.wait(0.2):
                self.round()

        thread = threading.Thread(target=look)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def round(self) -> list[str]:
        """Every page once; those that answer neither with a page nor by leading to another than the sign-in."""
        refused = []
        for role, paths in self.pages.items():
            for path in paths:
                status, leads = get(self.url, path, self.cookies[role])
                self.statuses[status] += 1
                if status not in (200, 302) or "/accounts/" in leads:
                    refused.append(f"{path} {status} {leads}")
                if status == 0 or status >= 500:
                    self.crashed.append(f"{path} {status}")
        return refused


def set_clock(folder: Path, place: Place, full: bool) -> dict[str, Figure]:
    """Leases neither lost nor doubled, answers in their order, no page that crashes.

    On PostgreSQL the leases follow the database server's clock, which is not set here.
    """
    wrong: list[str] = []
    try:
        wall = Wall(folder)
    except Missing as error:
        say(f"Row 8 is left out: {error}")
        return {}
    with site(folder / "data", place.database, place.broker) as here:
        here.environment |= wall.environment
        here.renew_tool()
        crowd = here.opened(4, 300 if full else 100, 32, "--workers", "2")
        here.ask("request", 200, 96, ["degraded", "tv_recon"])
        watch = Watch(crowd.url, here.ask("pages", crowd.studies[0]), {})
        _sign_in(here, crowd, watch)
        before = sorted(here.processes("celery")), sorted(here.processes("gunicorn"))
        with answering(crowd.people, 0.6) as acknowledged, watch.looking():
            for number in range(3 if full else 1):
                for name, offset in (("back", BACK), ("forward", FORWARD)):
                    wrong += _step(here, crowd, watch, wall, f"{name}{number}", offset, acknowledged)
        if before != (sorted(here.processes("celery")), sorted(here.processes("gunicorn"))):
            wrong.append("a process was replaced")
        wrong += [f"after the new sign-in: {page}" for page in watch.round()]
        say(f"pages: {dict(watch.statuses)}")
        wrong += [f"{page} crashed" for page in watch.crashed] + _answers(here, crowd) + _jobs(here)
    for sentence in wrong:
        say(f"wrong: {sentence}")
    return {"f8_wrong": Figure(len(wrong), "things")}


def _step(
    here: Site, crowd: Crowd, watch: Watch, wall: Wall, name: str, offset: int, acknowledged: Callable[[], int]
) -> list[str]:
    """Set the clock under a long job, sign in again, and wait until the job has ended."""
    here.ask("deaf", [name], LONG)
    wait_for(lambda: name in here.executions(), 90, here.log)
    time.sleep(3)
    wall.set(offset)
    time.sleep(4)
    _sign_in(here, crowd, watch)
    begun = time.monotonic()
    say(f"{name}: scores go on {recovery(crowd, acknowledged, begun):.1f} s after the new sign-in")
    wait_for(lambda: _done(here, name), 4 * LONG, here.log)
    return [] if here.executions().count(name) == 1 else [f"{name} ran {here.executions().count(name)} times"]


def _sign_in(here: Site, crowd: Crowd, watch: Watch) -> None:
    """A day later every session is over: readers and coordinator sign in anew, by the clock of now."""
    here.renew_tool()
    found = here.ask("cookies", crowd.studies[0])
    for person, cookie in zip(crowd.people, found["readers"], strict=True):
        person.cookie = cookie
    watch.cookies = {"reader": found["readers"][0], "coordinator": found["coordinator"]}


def _done(here: Site, name: str) -> bool:
    return any(job[0] == name and job[1] in ("done", "failed") for job in here.ask("stored")["jobs"])


def _answers(here: Site, crowd: Crowd) -> list[str]:
    """Lost and double answers, what ``verify_study`` says, and answers of a reader that changed their order."""
    lost, duplicated, _ = crowd.lost_and_duplicated()
    found = here.ask("verify", crowd.studies[0])
    wrong: list[str] = [f"an answer was lost ({lost}) or doubled ({duplicated})"] * (lost + duplicated)
    wrong += found["faults"]
    place = {key: number for number, key in enumerate(found["keys"])}
    for number, person in enumerate(crowd.people, start=1):
        order = [place[key] for key in person.acknowledged if key in place]
        wrong += [f"reader {number}: an answer is out of its order"] * sum(a > b for a, b in pairwise(order))
    say(f"{len(place)} answers in the chain")
    return wrong


def _jobs(here: Site) -> list[str]:
    """Every job was tried once, by the worker that had it."""
    jobs = here.ask("stored")["jobs"]
    say(f"{len(jobs)} jobs, {sum(job[1] == 'done' for job in jobs)} done")
    return [
        f"{key}: {state} after {attempts} attempts and {interruptions} interruptions, {reason}"
        for key, state, attempts, interruptions, reason in jobs
        if state == "failed" or attempts > 1 or interruptions
    ]
