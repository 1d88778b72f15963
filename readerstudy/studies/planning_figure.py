"""The planner's two curves as one SVG: power, and the half-width of kappa, over the number of slices."""

from __future__ import annotations

import io
import re
import threading
from functools import lru_cache

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from readerstudy.statistics.estimate import Undefined
from readerstudy.statistics.planning import TARGET
from readerstudy.statistics.planning_analysed import analysed_curve
from readerstudy.statistics.planning_document import PlanDocument, PlanInputs, plan

INK, MUTED, LINE = "#17222b", "#52606b", "#dbe1e5"
# Okabe and Ito's colours; line styles differ too, for print without colour.
COLOURS = ("#E69F00", "#0072B2", "#009E73", "#CC79A7", "#D55E00")
STYLES = ("--", "-", "-.", ":", (0, (5, 1, 1, 1)))
LOCK = threading.Lock()


@lru_cache(maxsize=64)
def curve_svg(inputs: PlanInputs) -> bytes:
    """The curves of a plan; raises PlanningError where there is no plan."""
    document = plan(inputs)
    figure = Figure(figsize=(6.3, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    with LOCK:
        _power(left, document)
        _kappa(right, document)
        for axes in (left, right):
            _look(axes, document)
        handles, labels = left.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, fontsize=9)
        stream = io.BytesIO()
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    return _without_inline_style(stream.getvalue().decode()).encode()


def _power(axes: Axes, document: PlanDocument) -> None:
    inputs = document.inputs
    numbers = np.array([row.slices for row in document.curve], dtype=np.float64)
    grid = np.unique(np.concatenate([np.linspace(numbers[0], numbers[-1], 80), numbers]))
    for index, readers in enumerate(document.curve_readers):
        curve = 100 * analysed_curve(inputs.components, inputs.aim, readers, grid)
        own = readers == inputs.readers
        axes.plot(
            grid, curve, linestyle=STYLES[index], color=COLOURS[index], linewidth=2.4 if own else 1.4,
            label=f"{readers} readers" + (" (plan)" if own else ""),
        )  # fmt: skip
    axes.axhline(100 * TARGET, color=INK, linewidth=1, linestyle=(0, (1, 2)))
    axes.plot(inputs.slices, 100 * document.power.power, "o", color=INK, markersize=6, zorder=4)
    axes.set_ylim(0, 103)
    axes.set_title("Power (%)", fontsize=11, loc="left", color=INK, weight="bold")


def _kappa(axes: Axes, document: PlanDocument) -> None:
    numbers = [row.slices for row in document.curve]
    for index, readers in enumerate(document.curve_readers):
        widths = [np.nan if row.kappa[index] is None else row.kappa[index] for row in document.curve]
        own = readers == document.inputs.readers
        axes.plot(
            numbers, np.array(widths, dtype=np.float64), linestyle=STYLES[index], color=COLOURS[index],
            linewidth=2.4 if own else 1.4,
        )  # fmt: skip
    if not isinstance(document.kappa, Undefined):
        axes.plot(document.inputs.slices, document.kappa.half_width, "o", color=INK, markersize=6, zorder=4)
        axes.set_ylim(bottom=0)
    else:
        axes.text(0.05, 0.5, "undefined", transform=axes.transAxes, fontsize=8, color=MUTED)
    axes.set_title("Half-width of kappa", fontsize=11, loc="left", color=INK, weight="bold")


def _look(axes: Axes, document: PlanDocument) -> None:
    axes.set_xlim(0, document.curve[-1].slices * 1.02)
    axes.set_xlabel("Slices", fontsize=10, color=INK)
    axes.tick_params(labelsize=9, colors=INK)
    axes.grid(color=LINE, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(MUTED)


def _without_inline_style(svg: str) -> str:
    """Style attributes become presentation attributes: the content policy forbids inline styles."""
    svg = re.sub(r"\s*<defs>\s*<style type=\"text/css\">.*?</style>\s*</defs>", "", svg, count=1, flags=re.DOTALL)
    svg = svg.replace("<svg ", '<svg stroke-linejoin="round" stroke-linecap="butt" ', 1)
    return re.sub(r'style="([^"]*)"', lambda found: _attributes(found[1]), svg)


def _attributes(style: str) -> str:
    pairs = (part.split(":", 1) for part in style.split(";") if ":" in part)
    return " ".join(f'{name.strip()}="{value.strip()}"' for name, value in pairs)
