"""How long a reader waits: from the key to the next image, and from the address to the first one.

A headless Chromium on the running product, canvas 2D. `key_to_paint` is from the keydown event's own time stamp to the
first task after the frame that shows the next image: it holds the commit of the score to IndexedDB, resampling, drawing
and the wait for the next tick of the frame clock. What the compositor and the screen add afterwards is not in it.
`first_image` is from the start of the navigation to the same moment of the first image.
"""

from __future__ import annotations

import gzip
import statistics
import time
from functools import partial
from itertools import pairwise
from random import Random
from typing import Any

import numpy as np

from bench.report import Figure, table
from bench.room.browser import Watch, fresh, until
from bench.room.world import World, get, say, sign_in, world

PRESSES, OPENINGS, AHEAD, SETTLE = 72, 5, 3, 1.0
SLICES, SIDE = 20, 512
STEPS = ("key", "heard", "asked", "stored", "drawn", "frame", "painted")
TARGETS = {
    "key_to_paint_median_ms": 34.0, "key_to_paint_p95_ms": 50.0, "first_image_warm_ms": 500.0,
    "first_image_cold_ms": 1500.0, "javascript_gzip_kb": 40.0,
}  # fmt: skip


def open_room(context: Any, here: World) -> tuple[Any, float]:
    """A new tab with the room; its time from the start of the navigation to the first image painted."""
    page = context.new_page()
    # The browser's own start, or the end of the tab before, is not the page's time.
    time.sleep(SETTLE)
    page.goto(here.url + here.room(), wait_until="commit")
    return page, until(lambda: page.evaluate("window.bench?.first"), "the first image")


def openings(driver: Any, here: World, cookie: str) -> tuple[list[float], list[float], float, list[Watch]]:
    """Each time a fresh browser, and then a second tab of it; the last value is the JavaScript of one opening."""
    cold, warm, watches, scripts = [], [], [], {}
    for _ in range(OPENINGS):
        with fresh(driver, here, cookie) as (context, watch):
            watches.append(watch)
            loaded: list[Any] = []
            context.on("response", lambda response, loaded=loaded: loaded.append(response))
            page, first = open_room(context, here)
            cold.append(first)
            scripts = {r.url: r.body() for r in loaded if "javascript" in r.headers.get("content-type", "")}
            page.close()
            _, again = open_room(context, here)
            warm.append(again)
    return cold, warm, sum(len(gzip.compress(body, 9, mtime=0)) for body in scripts.values()) / 1000, watches


def presses(driver: Any, here: World, cookie: str) -> tuple[list[dict[str, float]], Watch]:
    """Score one image after the other, each when the next ones have arrived and nothing else is under way."""
    chance, kept = Random(7), []
    with fresh(driver, here, cookie) as (context, watch):
        page, _ = open_room(context, here)
        for number in range(PRESSES):
            last = here.shown[min(number + AHEAD, len(here.shown) - 1)]
            until(partial(fetched, page, last.frame), "the images ahead")
            # Not in step with the frame clock, whose phase decides about up to one frame.
            time.sleep(0.2 + 0.05 * chance.random())
            page.keyboard.press(str(1 + number % 5))
            time.sleep(0.15)
            until(lambda: page.evaluate("window.bench.press.painted"), "the next image")
            assert page.evaluate("document.body.dataset.painted") == here.shown[number + 1].id
            kept.append(page.evaluate("window.bench.press"))
            if number % 20 == 19:
                say(f"{number + 1} of {PRESSES} presses")
    return kept, watch


def fetched(page: Any, path: str) -> bool:
    done = "(path) => performance.getEntriesByType('resource').some((e) => e.name.endsWith(path) && e.responseEnd > 0)"
    return bool(page.evaluate(done, path))


def breakdown(kept: list[dict[str, float]]) -> str:
    """Where the time of a press goes: median and 95th percentile from one step to the next, in ms."""
    lines = [f"{'step':20} {'median':>8} {'p95':>8}"]
    for before, after in pairwise(STEPS):
        spans = [press[after] - press[before] for press in kept if before in press and after in press]
        if spans:
            lines.append(f"{before + ' -> ' + after:20} {np.median(spans):8.1f} {np.percentile(spans, 95):8.1f}")
    return "\n".join(lines)


def run(here: World) -> dict[str, Figure]:
    """All figures of this module; ``breakdown`` of the presses goes to the terminal."""
    from playwright.sync_api import sync_playwright

    cookie = sign_in(here)
    get(here, here.room(), cookie)
    get(here, here.shown[0].frame, cookie)
    with sync_playwright() as driver:
        say(f"Opening the room {OPENINGS} times in a fresh browser, and again in the same ...")
        cold, warm, kilobytes, watches = openings(driver, here, cookie)
        kept, watch = presses(driver, here, cookie)
    complaints = [error for one in (*watches, watch) for error in one.errors]
    assert not complaints, complaints
    say(breakdown(kept))
    waits = [press["painted"] - press["key"] for press in kept]
    values = {
        "key_to_paint_median_ms": statistics.median(waits),
        "key_to_paint_p95_ms": float(np.percentile(waits, 95)),
        "first_image_warm_ms": statistics.median(warm),
        "first_image_cold_ms": statistics.median(cold),
        "javascript_gzip_kb": kilobytes,
    }
    figures = {
        name: Figure(value, name.rpartition("_")[2].replace("kb", "kB"), TARGETS[name], "target")
        for name, value in values.items()
    }
    violations = sum(len(one.violations) for one in (*watches, watch))
    return figures | {"csp_violations": Figure(float(violations), "count")}


if __name__ == "__main__":
    with world(SLICES, SIDE) as opened:
        print(table(run(opened)))
