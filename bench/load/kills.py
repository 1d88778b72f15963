"""Rows 4 to 6: kill -9 of the web server, of database and broker, and of workers, each in the middle of its work."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from random import Random

from bench.load.crowd import Crowd, Person, crowd, failures
from bench.load.paced import Place
from bench.load.servers import own_postgres, own_redis
from bench.report import Figure
from bench.room.world import say
from tests.faults.conftest import Installation, left_clean, own_database, wait_for
from tests.faults.test_kill_reconstruction import Reconstructing

PAUSE = (0.6, 2.2)  # seconds between an answer after a kill and the next kill
SLICES = 200  # times 4 arms: more than a reader answers meanwhile, for then every answer would be refused
LONGEST = 60.0  # seconds without an acknowledged answer after which a row gives up


@contextmanager
def scoring(here: Crowd) -> Iterator[Callable[[], int]]:
    """All readers answer without pause, each answer until it is acknowledged; yields how many are."""
    stop = threading.Event()

    def keep_scoring(person: Person) -> None:
        while not stop.is_set():
            person.score(time.monotonic(), insist=True)
            time.sleep(0.05)

    threads = [threading.Thread(target=partial(keep_scoring, person)) for person in here.people]
    for thread in threads:
        thread.start()
    try:
        yield lambda: sum(len(person.acknowledged) for person in here.people)
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def recovery(here: Crowd, acknowledged: Callable[[], int], begun: float) -> float:
    """Seconds from ``begun`` to the next acknowledged answer."""
    before = acknowledged()
    while acknowledged() <= before:
        if time.monotonic() - begun > LONGEST:
            raise TimeoutError(f"no answer within {LONGEST:g} s:\n{here.installation.log()[-2000:]}")
        time.sleep(0.02)
    return time.monotonic() - begun


def settled(here: Crowd, row: str, recoveries: list[float]) -> dict[str, Figure]:
    """What was lost and duplicated in the end."""
    lost, duplicated, faults = here.lost_and_duplicated()
    samples = [sample for person in here.people for sample in person.samples]
    acknowledged = sum(len(person.acknowledged) for person in here.people)
    say(f"{acknowledged} acknowledged; not 200: {failures(samples)}; chain {faults or 'holds'}")
    assert not faults, faults
    server_errors = failures(samples).get(500, 0)
    return {
        f"{row}_lost": Figure(lost, "answers"),
        f"{row}_duplicated": Figure(duplicated, "answers"),
        f"{row}_recovery_s": Figure(max(recoveries), "s"),
        f"{row}_acknowledged": Figure(acknowledged, "answers"),
        f"{row}_http_500": Figure(server_errors, "answers"),
    }


def web_server(folder: Path, place: Place, full: bool) -> dict[str, Figure]:
    """What was acknowledged is stored, once, and the chain holds."""
    kills, chance, recoveries = (100 if full else 25), Random(4), []
    with crowd(folder, 5, SLICES, 32, place.database, place.broker) as here:
        with scoring(here) as acknowledged:
            for number in range(kills):
                time.sleep(chance.uniform(*PAUSE))
                begun = time.monotonic()
                here.installation.kill("gunicorn")
                time.sleep(0.3)  # until what was sent before has been received, and counts no more
                recoveries.append(recovery(here, acknowledged, begun))
                if number % 10 == 9:
                    say(f"{number + 1} of {kills} kills")
        return settled(here, "f4", recoveries)


def database_and_broker(folder: Path, place: Place, full: bool) -> dict[str, Figure]:
    """An own PostgreSQL and an own Redis: the same, 503 while they are away, and no job lost or done twice."""
    if not place.database:
        return {}
    kills, chance, recoveries = (20 if full else 8), Random(5), []
    with own_postgres() as (postgres, database), own_redis() as (redis, broker):
        with crowd(folder / "scores", 5, SLICES, 32, database, broker) as here:
            with scoring(here) as acknowledged:
                for number in range(kills):
                    time.sleep(chance.uniform(*PAUSE))
                    postgres.kill()
                    time.sleep(chance.uniform(0.2, 1.5))
                    begun = time.monotonic()
                    postgres.start()
                    recoveries.append(recovery(here, acknowledged, begun))
                    say(f"{number + 1} of {kills} kills, recovered after {recoveries[-1]:.1f} s")
            figures = settled(here, "f5", recoveries)
        with own_database(database) as url:
            lost, twice = _jobs(
                folder / "jobs", url, broker, [postgres.kill, redis.kill], [postgres.start, redis.start]
            )
    return figures | {"f5_jobs_lost": Figure(lost, "jobs"), "f5_jobs_twice": Figure(twice, "jobs")}


def _jobs(
    folder: Path, database: str, broker: str, kill: list[Callable[[], None]], start: list[Callable[[], None]]
) -> tuple[int, int]:
    """Jobs lost and done twice while database and broker die in turn, four times."""
    keys = [f"job{number:02}" for number in range(24)]
    folder.mkdir()
    installation = Installation(folder, database, broker)
    ending = left_clean(installation)
    next(ending)
    try:
        jobs = [{"key": key, "kind": "test-sleep", "payload": {"seconds": 0.2}, "total": 3} for key in keys]
        installation.submit(*jobs)
        installation.up("--no-web")
        for turn in range(4):
            wait_for(lambda turn=turn: len(installation.executions()) > 3 * turn, 90, installation.log)
            kill[turn % 2]()
            time.sleep(1.0)
            start[turn % 2]()
        installation.renew_tool()
        report = installation.wait(lambda found: all(job["state"] == "done" for job in found["jobs"].values()), 240)
        rows = report["rows"]
        return len(set(keys) - set(rows)), len(rows) - len(set(rows))
    finally:
        next(ending, None)


def worker(folder: Path, place: Place, full: bool) -> dict[str, Figure]:
    """A worker dies in mid-reconstruction: each slice once, no partial file; a job that kills is stopped after 3."""
    kills, chance = (50 if full else 10), Random(6)

    def work(database: str, broker: str) -> dict[str, Figure]:
        installation = Reconstructing(folder / "work", database, broker)
        ending = left_clean(installation)
        next(ending)
        try:
            wanted = installation.ask("request", 12 * kills, 96, ["degraded", "tv_recon"])
            installation.up("--no-web")
            slowest = 0.0
            for number in range(kills):
                have = installation.reconstructions()["rows"]
                installation.wait_for_rows(min(wanted - 1, have + 2))
                time.sleep(chance.uniform(0.0, 0.5))
                begun = time.monotonic()
                have = installation.reconstructions()["rows"]
                installation.kill("celery")
                installation.wait_for_rows(min(wanted, have + 1))
                slowest = max(slowest, time.monotonic() - begun)
                say(f"{number + 1} of {kills} kills, {have} of {wanted} slices")
            wait_for(lambda: installation.reconstructions()["open"] == 0, 600, installation.log)
            found = installation.reconstructions()
            names = [p for p in (installation.data / "pixels").glob("*/*") if not p.name.startswith(".new-")]
            partial_files = sum(len(path.name) != 62 for path in names)
        finally:
            next(ending, None)
        return {
            "f6_twice": Figure(found["rows"] - found["unique"], "slices"),
            "f6_lost": Figure(wanted - found["unique"] + found["failures"] + found["failed"], "slices"),
            "f6_partial_files": Figure(partial_files, "files"),
            "f6_restart_s": Figure(slowest, "s"),
        }

    (folder / "work").mkdir()
    if not place.database:
        return work("", "")
    with own_database(place.database) as url:
        return work(url, place.broker)
