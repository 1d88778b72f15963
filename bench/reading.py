"""The reading room: key to image, first image, bundle, outbox and leak on the real product; our viewer against another.

Needs Debian's Chromium. The comparison needs npm once, for its baseline; without it that part says so and is left out.
"""

from __future__ import annotations

from bench.report import Figure, main
from bench.room import latency, leak, outbox, viewers
from bench.room.world import world

SLICES, SIDE = 30, 512


def run() -> dict[str, Figure]:
    """Every figure; the browser's own speed first, while nothing else runs."""
    with world(SLICES, SIDE) as here:
        figures = latency.run(here)
    figures |= viewers.run()
    with world(leak.SLICES, leak.SIDE) as here:
        figures |= leak.run(here)
    return figures | outbox.run()


if __name__ == "__main__":
    main("reading", run)
