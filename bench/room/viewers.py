"""Our viewer against Cornerstone3D behind the same interface: two 630 px panes, in turn, in one run, one browser.

Processor time is that of the page's main thread (Chromium's ThreadTime, the thread's own clock), so that waiting and
other programs don't count. Without the built baseline only our own figures are taken.
"""

from __future__ import annotations

import gzip
import os
import statistics
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, Playwright, ViewportSize, sync_playwright

from bench.cornerstone.build import build
from bench.report import Figure, table
from bench.room.server import FOLDERS, serving
from inference.progress import ProgressBar
from tests.browser.conftest import CHROMIUM, FLAGS

NAME = "Cornerstone3D 5.14"
OURS, THEIRS = "/static/readerstudy/js/viewer/viewer.js", "/cornerstone.js"
SOURCES = FOLDERS["static"] / "readerstudy" / "js" / "viewer"
RENDERERS = ("webgl", "canvas")
VIEWPORT: ViewportSize = {"width": 1280, "height": 720}
WARM_UP, PATIENCE_MS = 30, 60_000


@dataclass(frozen=True)
class Plan:
    """How often everything is repeated; every figure is a median."""

    frames: int = 60
    rounds: int = 7
    starts: int = 5


QUICK = Plan(frames=30, rounds=3, starts=3)


@contextmanager
def launched(player: Playwright) -> Iterator[Browser]:
    """A fresh browser, without anything cached."""
    browser = player.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
    try:
        yield browser
    finally:
        browser.close()


def visit(page: Page, url: str, module: str, renderer: str) -> float:
    """Milliseconds from the start of the navigation until both panes were painted."""
    page.goto(f"{url}/pages/panes.html?module={module}&renderer={renderer}")
    page.wait_for_function("() => window.firstImage", timeout=PATIENCE_MS)
    return float(page.evaluate("() => window.firstImage"))


class Panes:
    """An open page with two panes of one viewer, and the clock of its main thread."""

    def __init__(self, browser: Browser, url: str, module: str, renderer: str) -> None:
        self.module = module
        self.page = browser.new_page(viewport=VIEWPORT)
        visit(self.page, url, module, renderer)
        self.session = self.page.context.new_cdp_session(self.page)
        self.session.send("Performance.enable", {"timeDomain": "threadTicks"})
        self.page.evaluate("(count) => windowFrames(count)", WARM_UP)

    def thread_ms(self) -> float:
        metrics = self.session.send("Performance.getMetrics")["metrics"]
        return 1000 * next(float(metric["value"]) for metric in metrics if metric["name"] == "ThreadTime")

    def frame_ms(self, count: int) -> float:
        """Main-thread milliseconds per change of the window, both panes together."""
        before = self.thread_ms()
        self.page.evaluate("(count) => windowFrames(count)", count)
        return (self.thread_ms() - before) / count

    def check(self) -> None:
        """What was timed was drawn. Only now: reading pixels back makes Chromium move a canvas to the processor."""
        narrow, wide = (self.page.evaluate("(w) => greys(...w)", w) for w in ([40, 400], [-600, 1500]))
        if any(abs(one - other) < 20 for one, other in zip(narrow, wide, strict=True)):
            raise RuntimeError(f"{self.module} did not draw its panes; open /pages/panes.html and look.")


class Bench:
    """One run over the viewers that there are."""

    def __init__(self, player: Playwright, url: str, modules: list[str], plan: Plan) -> None:
        self.player, self.url, self.modules, self.plan = player, url, modules, plan
        self.bar = ProgressBar()

    def window_frames(self, renderer: str) -> dict[str, float]:
        """Median main-thread milliseconds per frame of each viewer, measured in turn."""
        taken: dict[str, list[float]] = {module: [] for module in self.modules}
        with launched(self.player) as browser:
            panes = [Panes(browser, self.url, module, renderer) for module in self.modules]
            for done in range(self.plan.rounds):
                self.bar(done, self.plan.rounds, f"windowing with {renderer}")
                for pane in panes if done % 2 else panes[::-1]:
                    pane.page.bring_to_front()
                    taken[pane.module].append(pane.frame_ms(self.plan.frames))
            for pane in panes:
                pane.page.bring_to_front()
                pane.check()
            self.bar(self.plan.rounds, self.plan.rounds, f"windowing with {renderer}")
        return {module: statistics.median(values) for module, values in taken.items()}

    def first_images(self, renderer: str) -> dict[str, tuple[float, float]]:
        """Median milliseconds to the first image of each viewer: in a fresh browser, and again in the same one."""
        taken: dict[str, list[tuple[float, float]]] = {module: [] for module in self.modules}
        for done in range(self.plan.starts):
            self.bar(done, self.plan.starts, f"starting with {renderer}")
            for module in self.modules if done % 2 else self.modules[::-1]:
                with launched(self.player) as browser:
                    context = browser.new_context(viewport=VIEWPORT)
                    cold, warm = (visit(context.new_page(), self.url, module, renderer) for _ in range(2))
                    taken[module].append((cold, warm))
        self.bar(self.plan.starts, self.plan.starts, f"starting with {renderer}")
        return {
            module: (statistics.median(c for c, _ in values), statistics.median(w for _, w in values))
            for module, values in taken.items()
        }


def gzip_kb(files: list[Path]) -> float:
    """Ours as it is sent, file by file and not minified; theirs as one minified file."""
    return sum(len(gzip.compress(file.read_bytes(), 9, mtime=0)) for file in files) / 1000


def compared(bench: Bench, bundle: Path) -> dict[str, Figure]:
    """Every figure with Cornerstone3D as its baseline."""

    def against(values: dict[str, Any], at: int | None = None) -> Figure:
        ours, theirs = (values[module] if at is None else values[module][at] for module in (OURS, THEIRS))
        return Figure(ours, "ms", theirs, NAME)

    figures = {}
    for renderer in RENDERERS:
        figure = against(bench.window_frames(renderer))
        figures[f"window_frame_{renderer}_cpu_ms"] = Figure(figure.value, "ms")
        figures[f"vs_window_frame_{renderer}_cpu"] = figure
    # Canvas 2D is the faster start of both and what our viewer takes where there is no graphics card.
    for renderer, name in (("canvas", "vs_first_image"), ("webgl", "vs_first_image_webgl")):
        starts = bench.first_images(renderer)
        figures |= {name: against(starts, 0), f"{name}_warm": against(starts, 1)}
    figures["vs_bundle_gzip"] = Figure(gzip_kb(sorted(SOURCES.glob("*.js"))), "kB", gzip_kb([bundle]), NAME)
    return figures


def run(plan: Plan | None = None) -> dict[str, Figure]:
    """All figures; without the baseline our own windowing only, after a sentence that says why."""
    baseline = build()
    modules = [OURS, THEIRS] if baseline.path else [OURS]
    with serving() as url, sync_playwright() as player:
        bench = Bench(player, url, modules, plan or Plan())
        if baseline.path:
            return compared(bench, baseline.path)
        print(f"{baseline.reason} The comparison was skipped.")
        return {f"window_frame_{r}_cpu_ms": Figure(bench.window_frames(r)[OURS], "ms") for r in RENDERERS}


if __name__ == "__main__":
    before = os.getloadavg()[0]
    print(table(run(QUICK if "--quick" in sys.argv else None)))
    print(f"load of the machine: {before:.1f} before, {os.getloadavg()[0]:.1f} after, {os.cpu_count()} processors")
