"""A real installation for the reading benches: `manage.py up` with gunicorn, collected static files, an open study."""

from __future__ import annotations

import http.client
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from tests.faults.conftest import Installation, left_clean

speaker = ""  # before every sentence of a process that measures beside another


def say(sentence: str) -> None:
    print(f"{speaker}{sentence}", file=sys.stderr, flush=True)


class Room(Installation):
    """An installation with the product's own settings; ``bench.room.tool`` speaks to its database."""

    tool_module = "bench.room.tool"
    settings_module = "readerstudy.settings"


@dataclass(frozen=True)
class Shown:
    """One presentation: what the page calls it, and what only the bench knows."""

    id: str
    session: str
    slice: int
    arm: str

    @property
    def frame(self) -> str:
        return f"/reading/p/{self.id}/0/0/"


@dataclass(frozen=True)
class World:
    """The running product, one reader who has a study to read, and every presentation in its order."""

    installation: Room
    url: str
    study: str
    reader: str
    password: str
    shown: list[Shown]

    def room(self, session: int = 0) -> str:
        """The path of a session's reading room."""
        tokens = list(dict.fromkeys(row.session for row in self.shown))
        return f"/reading/{tokens[session]}/"

    def scores(self) -> dict[str, Any]:
        found: dict[str, Any] = self.installation.ask("scores", self.study)
        return found


@contextmanager
def world(slices: int, side: int, sessions: int = 1) -> Iterator[World]:
    """Start an installation of its own in a temporary folder; it and all its processes are gone afterwards."""
    say(f"Opening a study of {slices} slices x 4 arms, {side} x {side} ...")
    with tempfile.TemporaryDirectory(prefix="readerstudy-bench-") as folder:
        installation = Room(Path(folder))
        ending = left_clean(installation)
        next(ending)
        try:
            made = installation.ask("open", slices, side, sessions)
            installation.up("--no-worker")
            url = installation.url().replace("localhost", "127.0.0.1")
            shown = [Shown(**row) for row in made["shown"]]
            yield World(installation, url, made["study"], made["reader"], made["password"], shown)
        finally:
            next(ending, None)


def sign_in(world: World) -> str:
    """Sign the reader in through the form, as a browser does; returns the Cookie header."""
    place = urlsplit(world.url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=30)
    jar: SimpleCookie = SimpleCookie()
    page = _exchange(connection, "GET", jar)
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert found, "the sign-in page has no form"
    fields = {"csrfmiddlewaretoken": found[1], "login": world.reader, "password": world.password}
    _exchange(connection, "POST", jar, urlencode(fields), world.url)
    connection.close()
    assert "sessionid" in jar, "the reader could not sign in"
    return cookie_header(jar)


def cookie_header(jar: SimpleCookie) -> str:
    return "; ".join(f"{name}={morsel.value}" for name, morsel in jar.items())


def _exchange(
    connection: http.client.HTTPConnection, method: str, jar: SimpleCookie, content: str = "", origin: str = ""
) -> str:
    headers = {"Cookie": cookie_header(jar), "Content-Type": "application/x-www-form-urlencoded", "Origin": origin}
    connection.request(method, "/accounts/login/", content, {k: v for k, v in headers.items() if v})
    answer = connection.getresponse()
    for name, value in answer.getheaders():
        if name.lower() == "set-cookie":
            jar.load(value)
    return answer.read().decode()


def get(world: World, path: str, cookie: str) -> None:
    """One page, thrown away: what the server does only once must not count as the browser's time."""
    place = urlsplit(world.url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=30)
    connection.request("GET", path, headers={"Cookie": cookie})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    assert answer.status == 200, f"{path} answers {answer.status}:\n{world.installation.log()[-2000:]}"


if __name__ == "__main__":
    begun = time.perf_counter()
    with world(20, 512) as here:
        say(f"{here.url}{here.room()} after {time.perf_counter() - begun:.1f} s; {len(here.shown)} presentations.")
