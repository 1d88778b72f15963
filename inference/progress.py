"""A progress bar for a terminal, a line now and then for a log."""

from __future__ import annotations

import sys
import time


class ProgressBar:
    """Call with (done, total, what); prints share, what and, from the second call on, the time left."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.first = 0
        self.what = ""
        self.printed = 0.0

    def __call__(self, done: int, total: int, what: str) -> None:
        now = time.monotonic()
        word = what.split(",")[0].split()[0]
        if word != self.what or done <= self.first:
            self.started, self.first, self.what = now, done, word
        terminal = sys.stderr.isatty()
        if now - self.printed < (0.2 if terminal else 30.0) and done < total:
            return
        self.printed = now
        pace = (now - self.started) / max(1, done - self.first)
        left = f", {pace * (total - done):.0f} s left" if done > self.first else ""
        filled = round(30 * done / max(1, total))
        line = f"[{'#' * filled}{'.' * (30 - filled)}] {done}/{total} {what}{left}"
        end = "\n" if done >= total or not terminal else ""
        print(f"\r{line:<110}" if terminal else line, end=end, file=sys.stderr, flush=True)
