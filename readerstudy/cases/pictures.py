"""A slice as an 8-bit PNG for the coordinator's eye; readers get 16-bit pixels in the reading room."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from readerstudy.cases.models import Case, Slice
from readerstudy.cases.queries import pixels

THUMBNAIL = 256


def png(row: Slice, longest: int | None = None) -> bytes:
    """The slice in its own window, in true proportions; at most ``longest`` pixels on the longer side."""
    return png_of(pixels(row), row.case, row.window_center, row.window_width, longest)


def png_of(stored: NDArray[np.uint16], case: Case, center: float, width: float, longest: int | None = None) -> bytes:
    """Stored numbers (rows, columns) on the case's grid in a window of physical units, as ``png`` does."""
    grey = window_to_grey(stored, case.slope, case.intercept, center, width, inverted=case.inverted)
    image = Image.fromarray(grey)
    across, down = _display_size(case)
    if longest and max(across, down) > longest:
        shrink = longest / max(across, down)
        across, down = max(1, round(across * shrink)), max(1, round(down * shrink))
    if (across, down) != image.size:
        image = image.resize((across, down), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def window_to_grey(
    stored: NDArray[np.uint16],
    slope: float,
    intercept: float,
    center: float,
    width: float,
    *,
    inverted: bool = False,
) -> NDArray[np.uint8]:
    """Grey 0..255 of stored numbers, linear over the window (physical units) and clipped outside."""
    values = intercept + slope * np.arange(int(stored.max()) + 1)
    table = np.clip((values - (center - width / 2)) / max(width, 1e-9), 0.0, 1.0) * 255.0
    grey: NDArray[np.uint8] = np.rint(255.0 - table if inverted else table).astype(np.uint8)[stored]
    return grey


def _display_size(case: Case) -> tuple[int, int]:
    """Width and height on a screen of square pixels; the finer direction keeps its number of pixels."""
    rows, columns = case.pixel_spacing or (1.0, 1.0)
    fine = min(rows, columns)
    return max(1, round(case.columns * columns / fine)), max(1, round(case.rows * rows / fine))
