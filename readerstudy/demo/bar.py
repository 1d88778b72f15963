"""A progress bar on a terminal, a line at the end elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType

WIDTH = 28


class Bar:
    """``with Bar("Reading", total) as bar: bar.show(done)``; ``total`` may be set later."""

    def __init__(self, title: str, total: int = 0) -> None:
        self.title, self.total, self.done = title, total, 0
        self.note = ""
        self.started = time.monotonic()
        self.live = sys.stdout.isatty()

    def __enter__(self) -> Bar:
        self._draw()
        return self

    def show(self, done: int, total: int | None = None, note: str = "") -> None:
        self.done, self.note = done, note
        self.total = self.total if total is None else total
        self._draw()

    def step(self) -> None:
        self.show(self.done + 1)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.live:
            self._draw()
            print(flush=True)
        else:
            seconds = time.monotonic() - self.started
            print(f"{self.title}: {self.done} / {self.total} in {seconds:.0f} s", flush=True)

    def _draw(self) -> None:
        if not self.live:
            return
        share = self.done / self.total if self.total else 0.0
        bar = "#" * round(WIDTH * share) + "." * (WIDTH - round(WIDTH * share))
        elapsed = time.monotonic() - self.started
        left = f", {elapsed * (1 - share) / share:.0f} s left" if 0 < share < 1 else ""
        print(f"\r{self.title:<26} [{bar}] {self.done} / {self.total}{left}{self.note:<24}", end="", flush=True)
