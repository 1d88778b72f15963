"""A figure of images: one row per slice, one column per arm, all in one window, with inset, difference and score."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from readerstudy.analytics.figures import LOCK, METADATA, SIMULATED, STYLE, without_inline_style
from readerstudy.analytics.inputs import RESEARCH_USE

FloatArray = NDArray[np.float32]
INSET = "#E69F00"
INCHES = 1.65
INSET_SHARE = 0.42
# A difference is shown over half of the window's width, in colours that are dark where nothing changed.
DIFFERENCE_COLOURS = "PuOr"


@dataclass(frozen=True, eq=False)
class Picture:
    """One arm's image of a slice in physical units (rows, columns), and what is printed below it."""

    title: str
    values: FloatArray
    caption: str


@dataclass(frozen=True, eq=False)
class Row:
    """One slice: its name, the window (centre, width), and the reference first, then the arms.

    ``aspect``: height of a pixel over its width; ``inset``: left, top, size in pixels, or nothing.
    """

    name: str
    center: float
    width: float
    inverted: bool
    aspect: float
    pictures: Sequence[Picture]
    inset: tuple[int, int, int] | None = None


def draw(rows: Sequence[Row], *, difference: bool, simulated: bool) -> Figure:
    """The panels; with ``difference`` every row is followed by arm minus reference."""
    columns = max(len(row.pictures) for row in rows)
    lines = len(rows) * (2 if difference else 1)
    figure = Figure(layout="constrained")
    figure.set_size_inches(0.35 + INCHES * columns, 0.35 + (INCHES + 0.3) * lines)
    grid = figure.subplots(lines, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for number, row in enumerate(rows):
        place = number * (2 if difference else 1)
        for column, picture in enumerate(row.pictures):
            _image(grid[place, column], row, picture, first=number == 0)
            if difference and column:
                _difference(grid[place + 1, column], row, picture)
        grid[place, 0].text(
            -0.06, 0.5, row.name, transform=grid[place, 0].transAxes, rotation=90, ha="right", va="center", fontsize=8
        )
    words = RESEARCH_USE + (f"; {SIMULATED}" if simulated else "")
    figure.supxlabel(words, fontsize=6.5, color="#52606b", x=0.01, ha="left")
    return figure


def _image(axes: Axes, row: Row, picture: Picture, *, first: bool) -> None:
    low, high = row.center - row.width / 2, row.center + row.width / 2
    look = {"cmap": "gray_r" if row.inverted else "gray", "vmin": low, "vmax": high, "interpolation": "nearest"}
    axes.set_axis_on()
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.imshow(picture.values, aspect=row.aspect, **look)  # type: ignore[arg-type]
    if first:
        axes.set_title(picture.title, fontsize=8, loc="center")
    axes.set_xlabel(picture.caption, fontsize=7, labelpad=2)
    if row.inset:
        left, top, size = row.inset
        axes.add_patch(Rectangle((left - 0.5, top - 0.5), size, size, fill=False, edgecolor=INSET, linewidth=0.9))
        corner = axes.inset_axes((1 - INSET_SHARE, 0, INSET_SHARE, INSET_SHARE))
        corner.imshow(picture.values[top : top + size, left : left + size], aspect=row.aspect, **look)  # type: ignore[arg-type]
        corner.set_xticks([])
        corner.set_yticks([])
        for spine in corner.spines.values():
            spine.set(visible=True, color=INSET, linewidth=0.9)


def _difference(axes: Axes, row: Row, picture: Picture) -> None:
    reference = row.pictures[0].values
    half = row.width / 4
    axes.set_axis_on()
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.imshow(
        picture.values - reference, cmap=DIFFERENCE_COLOURS, vmin=-half, vmax=half, aspect=row.aspect,
        interpolation="nearest",
    )  # fmt: skip
    axes.set_xlabel(f"minus reference, ±{half:.3g}", fontsize=6.5, labelpad=2)


def render(rows: Sequence[Row], kind: str, *, difference: bool, simulated: bool) -> bytes:
    """The panels as SVG, PDF or PNG; the same bytes for the same images."""
    with LOCK, mpl.rc_context({**mpl.rcParamsDefault, **STYLE, "backend": "agg"}):
        stream = io.BytesIO()
        draw(rows, difference=difference, simulated=simulated).savefig(stream, format=kind, metadata=METADATA[kind])
    content = stream.getvalue()
    return without_inline_style(content) if kind == "svg" else content
