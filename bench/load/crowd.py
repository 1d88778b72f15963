"""Readers who do not wait for each other: every request has a due time, and its latency counts from there."""

from __future__ import annotations

import http.client
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import numpy as np

from bench.room.world import Room, say
from tests.faults.conftest import left_clean, own_database

GIVE_UP = 60.0  # seconds after which an unacknowledged answer counts as lost by the client


class LoadRoom(Room):
    tool_module = "bench.load.tool"


@dataclass(frozen=True)
class Sample:
    """One request: seconds from its due time to the whole answer; status 0 where no answer came."""

    due: float
    latency: float
    status: int


@dataclass
class Person:
    """One reader's browser: cookie, presentations, and what the server has acknowledged (key -> value)."""

    url: str
    cookie: str
    shown: list[str]
    acknowledged: dict[str, tuple[str, int]] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)
    asked: int = 0
    connection: http.client.HTTPConnection | None = None

    def score(self, due: float, insist: bool = False) -> None:
        """Answer the next presentation (in rounds: a later round changes the score); ``insist`` until acknowledged."""
        turn, position = divmod(self.asked, len(self.shown))
        value = 1 + (self.asked * 3 + turn) % 5
        self.asked += 1
        key, presentation = str(uuid4()), self.shown[position]
        body = json.dumps(
            {"key": key, "presentation": presentation, "answers": {"overall": {"value": value}}, "replaces": turn > 0,
             "elapsed_ms": 900}
        )  # fmt: skip
        give_up = time.monotonic() + GIVE_UP
        while True:
            status, reply = self._exchange("POST", "/reading/answers/", body)
            self.samples.append(Sample(due, time.monotonic() - due, status))
            if status == 200 and reply.get("stored") is True and reply.get("key") == key:
                self.acknowledged[key] = (presentation, value)
                return
            if not insist or time.monotonic() > give_up:
                return
            time.sleep(0.2)

    def look(self, due: float) -> None:
        """Fetch the next slice."""
        path = f"/reading/p/{self.shown[self.asked % len(self.shown)]}/0/0/"
        self.asked += 1
        status, _ = self._exchange("GET", path)
        self.samples.append(Sample(due, time.monotonic() - due, status))

    def _exchange(self, method: str, path: str, body: str | None = None) -> tuple[int, dict[str, Any]]:
        token = self.cookie.rpartition("=")[2]
        headers = {"Cookie": self.cookie, "Accept": "application/json"}
        if body is not None:
            headers |= {"Content-Type": "application/json", "X-CSRFToken": token}
        for fresh in (False, True):
            if self.connection is None or fresh:
                self._connect()
            assert self.connection is not None
            try:
                self.connection.request(method, path, body, headers)
                answer = self.connection.getresponse()
                content = answer.read()
            except (OSError, http.client.HTTPException):
                # A kept connection may have been closed in between: once more on a new one, as browsers do.
                self._drop()
                continue
            kind = answer.getheader("Content-Type") or ""
            return answer.status, json.loads(content) if kind.startswith("application/json") else {}
        return 0, {}

    def _connect(self) -> None:
        place = urlsplit(self.url)
        self.connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=30)

    def _drop(self) -> None:
        if self.connection is not None:
            self.connection.close()
        self.connection = None


@dataclass
class Crowd:
    """The running product with opened studies and their readers."""

    installation: LoadRoom
    url: str
    studies: list[str]
    people: list[Person]

    def run(self, act: Callable[[Person, float], None], every: float, seconds: float, people: int = 0) -> list[Sample]:
        """Each of the first ``people`` (0: all) acts every ``every`` seconds, started evenly spread."""
        acting = self.people[: people or None]
        begun = time.monotonic() + 0.2
        threads = []
        for number, person in enumerate(acting):
            person.samples = []
            first = begun + every * number / len(acting)
            threads.append(threading.Thread(target=_paced, args=(person, act, first, every, begun + seconds)))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return [sample for person in acting for sample in person.samples]

    def lost_and_duplicated(self) -> tuple[int, int, list[str]]:
        """Acknowledged answers without their event, events beyond one per key, and faults of the chain."""
        self.installation.renew_tool()
        found = [self.installation.ask("scores", study) for study in self.studies]
        keys = [key for one in found for key in one["keys"]]
        acknowledged = {key for person in self.people for key in person.acknowledged}
        last = {value[0]: value[1] for person in self.people for value in person.acknowledged.values()}
        live: dict[str, list[int]] = {}
        for presentation, value in (row for one in found for row in one["live"]):
            live.setdefault(presentation, []).append(value)
        lost = len(acknowledged - set(keys))
        lost += sum(1 for presentation in last if not live.get(presentation))
        duplicated = len(keys) - len(set(keys)) + sum(len(values) - 1 for values in live.values())
        return lost, duplicated, [fault for one in found for fault in one["faults"]]


def _paced(person: Person, act: Callable[[Person, float], None], first: float, every: float, end: float) -> None:
    due = first
    while due < end:
        time.sleep(max(0.0, due - time.monotonic()))
        act(person, due)
        due += every


@contextmanager
def crowd(
    folder: Path, readers: int, slices: int, side: int, database: str = "", broker: str = "", *up: str
) -> Iterator[Crowd]:
    """An installation of its own in ``folder`` (on its own new database of the server, if one is named)."""
    folder.mkdir(exist_ok=True)
    say(f"Opening studies for {readers} readers, {slices} slices x 4 arms ...")
    if database:
        with own_database(database) as url:
            yield from _crowd(LoadRoom(folder, url, broker), readers, slices, side, up)
    else:
        yield from _crowd(LoadRoom(folder), readers, slices, side, up)


def _crowd(installation: LoadRoom, readers: int, slices: int, side: int, up: tuple[str, ...]) -> Iterator[Crowd]:
    ending = left_clean(installation)
    next(ending)
    try:
        made = installation.ask("crowd", readers, slices, side)
        installation.up(*(up or ("--no-worker",)))
        url = installation.url().replace("localhost", "127.0.0.1")
        people = [Person(url, row["cookie"], row["shown"]) for row in made["readers"]]
        yield Crowd(installation, url, made["studies"], people)
    finally:
        next(ending, None)


@contextmanager
def busy_worker(installation: LoadRoom, seconds: float) -> Iterator[None]:
    """One niced process that writes 8 rows per transaction all the time."""
    tool = installation.start_tool()
    assert tool.stdin is not None and tool.stdout is not None
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, tool.pid, 19)
    tool.stdin.write(json.dumps(["write", [seconds]]) + "\n")
    tool.stdin.flush()
    time.sleep(2)
    try:
        yield
    finally:
        answer = tool.stdout.readline()
        story = tool.communicate()[1]
        if not answer.strip():
            raise RuntimeError(f"The busy worker died, so that nothing was measured beside it:\n{story[-2000:]}")
        say(f"The busy worker wrote {answer.strip()} transactions.")


def percentile(samples: list[Sample], share: float) -> float:
    """Milliseconds below which ``share`` percent of the latencies lie."""
    return float(np.percentile([1000 * sample.latency for sample in samples], share))


def failures(samples: list[Sample]) -> dict[int, int]:
    """How often each status but 200 came; 0 is no answer."""
    found: dict[int, int] = {}
    for sample in samples:
        if sample.status != 200:
            found[sample.status] = found.get(sample.status, 0) + 1
    return found
