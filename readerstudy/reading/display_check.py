"""The display check: eight grey patches, each with a faint square hidden in one of its quadrants.

Who sees seven of the eight squares has a display, and a room, that show steps of two to three of 255 grey levels from
near black to near white.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from PIL import Image

# Grey of the patch and of its square: about 2, 6, 15, 30, 50, 70, 85 and 96 % of white.
STEPS = ((5, 8), (15, 18), (38, 41), (77, 79), (128, 130), (179, 181), (217, 220), (245, 248))
QUADRANTS = 4
NONE_SEEN = -1
# Who guesses every quadrant gets at least seven of eight right with 25/65536, once in 2,600 checks.
WRONG_ALLOWED = 1
TRIES = 2
SIDE, SQUARE = 128, 24

REMOTE_DESKTOP = ("no", "yes", "unknown")
AMBIENT_LIGHT = ("dark", "dimmed", "office", "bright")
LONGEST_AGENT = 400
# What the page's script measures, with its bounds; lengths in device pixels, the viewport's in CSS pixels.
WHOLE_NUMBERS = {
    "width": (1, 100_000), "height": (1, 100_000), "depth": (1, 128), "viewport_width": (1, 100_000),
    "viewport_height": (1, 100_000),
}  # fmt: skip
SCREEN = (*WHOLE_NUMBERS, "ratio", "agent")


@dataclass(frozen=True)
class Surroundings:
    """What the reader says about the place, and what the browser says about the screen."""

    remote_desktop: str
    ambient_light: str
    screen: Mapping[str, str]


def patch(step: int, quadrant: int) -> bytes:
    """A patch as an 8-bit grey PNG that holds nothing but its pixels."""
    ground, square = STEPS[step]
    half, offset = SIDE // 2, (SIDE // 2 - SQUARE) // 2
    left, top = quadrant % 2 * half + offset, quadrant // 2 * half + offset
    picture = Image.new("L", (SIDE, SIDE), ground)
    picture.paste(square, (left, top, left + SQUARE, top + SQUARE))
    written = BytesIO()
    picture.save(written, format="PNG")
    return written.getvalue()


def missed(targets: Sequence[int], reported: Sequence[int]) -> list[int]:
    """The steps whose square was not seen where it was."""
    return [step for step, (target, seen) in enumerate(zip(targets, reported, strict=True)) if seen != target]


def bounded(screen: Mapping[str, str]) -> dict[str, Any]:
    """What of the browser's account of the screen can be true; the rest is left out."""
    found: dict[str, Any] = {}
    for name, (least, most) in WHOLE_NUMBERS.items():
        text = screen.get(name, "")
        if text.isascii() and text.isdigit() and len(text) <= 6 and least <= int(text) <= most:
            found[name] = int(text)
    try:
        ratio = float(screen.get("ratio", "")[:20])
    except ValueError:
        ratio = 0.0
    if 0.1 <= ratio <= 16:
        found["ratio"] = round(ratio, 4)
    if agent := "".join(c for c in screen.get("agent", "") if c.isprintable()).strip():
        found["agent"] = agent[:LONGEST_AGENT]
    return found
