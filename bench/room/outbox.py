"""No score lost, none twice: a session read to its end over a bad network, with browser and server killed meanwhile.

The real product behind a proxy that loses the reply of 40 % of the answers; the browser (a profile on disk) is killed
while scores wait in it, and starts again; the web server is killed while it works on an answer.
"""

from __future__ import annotations

import os
import signal
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.report import Figure, table
from bench.room.browser import VIEWPORT, until
from bench.room.proxy import Proxy
from bench.room.world import World, say, world
from tests.browser.conftest import CHROMIUM, FLAGS

SLICES, RESTARTS, SIDE = 100, 3, 64
WAITING = 5
FINISHED = "finished"


def key_for(position: int) -> int:
    """The score of an image: the same whenever it is shown, with neighbours that differ."""
    return 1 + (position * 7 + position // 5) % 5


@dataclass
class Reading:
    """One reader in front of one proxy; ``pressed`` holds every key by presentation."""

    here: World
    proxy: Proxy
    driver: Any
    profile: Path
    pressed: dict[str, int] = field(default_factory=dict)

    @contextmanager
    def browser(self) -> Iterator[Any]:
        """The room's page in a browser on the profile; killed at the end, never closed."""
        context = self.driver.chromium.launch_persistent_context(
            str(self.profile), executable_path=str(CHROMIUM), args=FLAGS, viewport=VIEWPORT
        )
        try:
            context.set_default_timeout(60_000)
            page = context.new_page()
            page.goto(f"{self.proxy.url}/accounts/login/")
            if "/accounts/login/" in page.url:
                page.locator("input[name=login]").fill(self.here.reader)
                page.locator("input[name=password]").fill(self.here.password)
                page.keyboard.press("Enter")
                page.wait_for_url("**/reading/")
            shown = page.goto(self.proxy.url + self.here.room())
            assert shown.status == 200, f"the room answers {shown.status}:\n{self.here.installation.log()[-2000:]}"
            yield page
        finally:
            kill_browser(self.profile)

    def read(self, page: Any, end: int) -> None:
        """Score what the page shows until the image at ``end`` is on the screen."""
        order = {row.id: position for position, row in enumerate(self.here.shown)}
        before = ""
        while (now := self._next(page, before)) != FINISHED and order[now] < end:
            before, value = now, key_for(order[now])
            self.pressed[now] = value
            page.keyboard.press(str(value))
            if order[now] % 50 == 49:
                say(f"{order[now] + 1} of {len(order)} images scored, {self.proxy.lost} replies lost")

    def _next(self, page: Any, before: str) -> str:
        """The presentation on the screen once it is another than ``before``, or that the session is finished."""
        look = "document.querySelector('#finish')?.hidden === false ? 'finished' : document.body.dataset.painted"
        seen: list[str] = []

        def changed() -> bool:
            seen[:] = [page.evaluate(look) or before]
            return seen[0] != before

        until(changed, f"the image after {before}", 60)
        return seen[0]


def kill_browser(profile: Path) -> None:
    """``kill -9`` of the one browser that runs on this profile, and wait until its processes are gone."""

    def gone() -> bool:
        living = processes_on(profile)
        for process in living:
            # It may end by itself between the look and the kill.
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        return not living

    until(gone, "the browser's end")


def processes_on(profile: Path) -> list[int]:
    wanted, found = f"--user-data-dir={profile}".encode(), []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and wanted in (entry / "cmdline").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def read_through(reading: Reading, restarts: int) -> None:
    """Read the session to its end: one kill of the browser after each part but the last, one of the server."""
    total = len(reading.here.shown)
    ends = [total * part // (restarts + 1) for part in range(1, restarts + 1)]
    for number, end in enumerate(ends):
        with reading.browser() as page:
            if number == 0:
                reading.read(page, end // 2)
                reading.proxy.before_reply = lambda: reading.here.installation.kill("gunicorn")
            reading.read(page, end - WAITING)
            reading.proxy.offline = True
            reading.read(page, end)
            assert waiting(page) > 0, "no score waited in the browser when it was killed"
        reading.proxy.offline = False
        say(f"Browser killed at image {end + 1}, with scores waiting in it.")
    with reading.browser() as page:
        reading.read(page, total)
        until(lambda: waiting(page) == 0, "the last scores on the server", 180)


def waiting(page: Any) -> int:
    """How many answers the browser still keeps."""
    count = """() => new Promise((resolve, reject) => {
      const opened = indexedDB.open("reading-answers");
      opened.onerror = () => reject(opened.error);
      opened.onsuccess = () => {
        const counted = opened.result.transaction("answers").objectStore("answers").count();
        counted.onsuccess = () => { opened.result.close(); resolve(counted.result); };
      };
    })"""
    return int(page.evaluate(count))


def faults(pressed: dict[str, int], found: dict[str, Any]) -> tuple[int, int]:
    """Scores lost (none live, or another than the key pressed) and duplicated (rows or events beyond one each)."""
    live = Counter(presentation for presentation, _ in found["live"])
    values = dict(map(tuple, found["live"]))
    lost = sum(values.get(presentation) != value for presentation, value in pressed.items())
    rows = sum(number - 1 for number in live.values())
    events = sum(number - 1 for number in Counter(found["events"]).values())
    keys = len(found["keys"]) - len(set(found["keys"]))
    return lost, rows + max(events, keys)


def measure(slices: int = SLICES, restarts: int = RESTARTS) -> tuple[int, int]:
    """Scores lost and duplicated after a whole session; raises when the audit chain does not hold."""
    from playwright.sync_api import sync_playwright

    with (
        world(slices, SIDE) as here,
        tempfile.TemporaryDirectory(prefix="readerstudy-profile-", ignore_cleanup_errors=True) as profile,
        sync_playwright() as driver,
    ):
        proxy = Proxy(here.url)
        try:
            reading = Reading(here, proxy, driver, Path(profile))
            read_through(reading, restarts)
            found = here.scores()
        finally:
            proxy.close()
        assert not found["faults"], found["faults"]
        assert len(reading.pressed) == len(here.shown), "the session was not read to its end"
        assert proxy.before_reply is None and proxy.lost > 0, "the troubles did not happen"
        say(f"{len(reading.pressed)} scores, {proxy.posts.total()} replies, {proxy.lost} of them lost on the way.")
        return faults(reading.pressed, found)


def run() -> dict[str, Figure]:
    lost, duplicated = measure()
    return {
        "outbox_lost": Figure(float(lost), "scores"),
        "outbox_duplicated": Figure(float(duplicated), "scores"),
    }


if __name__ == "__main__":
    print(table(run()))
