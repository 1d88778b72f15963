"""One installation of a row, with the tool that does work in it, on SQLite or on a new database of a server."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from bench.load.crowd import Crowd, LoadRoom, Person
from tests.faults.conftest import left_clean, own_database, wait_for


class Site(LoadRoom):
    tool_module = "bench.load.site_tool"
    settings_module = "bench.load.settings"

    def __init__(self, data: Path, database_url: str = "", broker_url: str = "") -> None:
        super().__init__(data, database_url, broker_url)
        # The bench's coordinators have no second factor, without which every page leads to its set-up.
        self.environment |= {"READERSTUDY_REQUIRE_MFA": "0"}

    def url(self) -> str:
        # A busy machine may take a minute to collect the static files.
        wait_for(lambda: "Ready at " in self.log(), 180, self.log)
        return super().url().replace("localhost", "127.0.0.1")

    def opened(self, readers: int, slices: int, side: int, *up: str) -> Crowd:
        """A study with its readers, and the product started."""
        made = self.ask("crowd", readers, slices, side)
        self.up(*up)
        url = self.url()
        people = [Person(url, row["cookie"], row["shown"]) for row in made["readers"]]
        return Crowd(self, url, made["studies"], people)


@contextmanager
def site(folder: Path, database: str = "", broker: str = "") -> Iterator[Site]:
    """An installation in ``folder`` on its own database of the server, if one is named; no process is left."""
    folder.mkdir(exist_ok=True)
    if database:
        with own_database(database) as url:
            yield from _clean(Site(folder, url, broker))
    else:
        yield from _clean(Site(folder))


def _clean(made: Site) -> Iterator[Site]:
    ending = left_clean(made)
    next(ending)
    try:
        yield made
    finally:
        next(ending, None)


@contextmanager
def answering(people: list[Person], pause: float) -> Iterator[Callable[[], int]]:
    """All answer, each answer until it is acknowledged, at most their whole session; yields how many are."""
    stop = threading.Event()

    def answer(person: Person) -> None:
        while not stop.wait(pause) and person.asked < len(person.shown):
            person.score(time.monotonic(), insist=True)

    threads = [threading.Thread(target=partial(answer, person)) for person in people]
    for thread in threads:
        thread.start()
    try:
        yield lambda: sum(len(person.acknowledged) for person in people)
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def get(url: str, path: str, cookie: str) -> tuple[int, str]:
    """A page's status (0: no answer) and where it leads, which is not followed."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=30)
    try:
        connection.request("GET", path, headers={"Cookie": cookie, "Accept": "text/html"})
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.getheader("Location") or ""
    except (OSError, http.client.HTTPException):
        return 0, ""
    finally:
        connection.close()
