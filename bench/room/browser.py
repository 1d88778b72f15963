"""The browser of the reading benches, and the probe that keeps times inside the page."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from bench.room.world import World
from tests.browser.conftest import CHROMIUM, FLAGS, REPORT

VIEWPORT: Any = {"width": 1440, "height": 900}

# One press at a time: `key` is the event's own time, `stored` the outbox's commit, `drawn` the last drawing on the
# canvas, `frame` the frame in which that drawing is shown (the page says so in data-painted, within the frame's
# callback), `painted` the first task after the page has made that frame. `first` is `painted` of the first image.
PROBE = """(() => {
  performance.setResourceTimingBufferSize(5000);
  const bench = (window.bench = { first: null, press: {} });
  const now = () => performance.now();
  addEventListener("keydown", (event) => (bench.press = { key: event.timeStamp, heard: now() }), true);
  const add = IDBObjectStore.prototype.add;
  IDBObjectStore.prototype.add = function (...given) {
    const press = bench.press;
    press.asked = now();
    this.transaction.addEventListener("complete", () => (press.stored = now()));
    return add.apply(this, given);
  };
  const put = CanvasRenderingContext2D.prototype.putImageData;
  CanvasRenderingContext2D.prototype.putImageData = function (...given) {
    put.apply(this, given);
    bench.press.drawn = now();
  };
  const after = new MessageChannel();
  after.port1.onmessage = () => (bench.press.painted = now()) && (bench.first ??= now());
  new MutationObserver(() => {
    if (!document.body?.dataset.painted) return;
    bench.press.frame = now();
    after.port2.postMessage(0);
  }).observe(document, { subtree: true, attributes: true, attributeFilter: ["data-painted"] });
})();"""


class Watch:
    """What a context's pages complain about."""

    def __init__(self, context: Any) -> None:
        self.violations: list[str] = []
        self.errors: list[str] = []
        context.on("console", self._console)
        context.on("weberror", lambda found: self.errors.append(str(found.error)))

    def _console(self, message: Any) -> None:
        if message.text.startswith("CSP "):
            self.violations.append(message.text)


@contextmanager
def fresh(driver: Any, world: World, cookie: str) -> Iterator[tuple[Any, Watch]]:
    """A browser just started, with an empty profile, in which the reader is signed in."""
    browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
    try:
        context = browser.new_context(viewport=VIEWPORT)
        place = urlsplit(world.url)
        context.add_cookies(
            [
                {"name": name, "value": value, "domain": place.hostname or "", "path": "/"}
                for name, _, value in (pair.partition("=") for pair in cookie.split("; "))
            ]
        )
        context.add_init_script(REPORT)
        context.add_init_script(PROBE)
        context.set_default_timeout(30_000)
        yield context, Watch(context)
    finally:
        browser.close()


def until(condition: Callable[[], Any], what: str, seconds: float = 30) -> Any:
    """Poll from outside, so that nothing of the bench runs in the page while it is timed."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(0.02)
    return found
