"""The figures of a study as SVG, PDF and PNG: same bytes for the same document, legible in print."""

from __future__ import annotations

import io
import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from readerstudy.analytics import plots, plots_sections
from readerstudy.analytics.inputs import RESEARCH_USE

FORMATS = {"svg": "image/svg+xml", "pdf": "application/pdf", "png": "image/png"}
SIMULATED = "simulated readers"
# Matplotlib's settings and font caches belong to the process, and the web server has several threads.
LOCK = threading.Lock()
STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#52606b",
    "axes.labelcolor": "#17222b",
    "axes.axisbelow": True,
    "text.color": "#17222b",
    "xtick.color": "#17222b",
    "ytick.color": "#17222b",
    "grid.color": "#dbe1e5",
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "savefig.dpi": 200,
    "svg.fonttype": "path",
    "svg.hashsalt": "readerstudy",
    "pdf.fonttype": 3,
    "path.simplify": False,
}
METADATA: dict[str, dict[str, None]] = {
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Producer": None, "Creator": None},
    "png": {"Software": None},
}


@dataclass(frozen=True)
class FigureKind:
    """One figure: what it shows in a title and a caption, and the function that draws it."""

    title: str
    caption: str
    draw: Callable[[Figure, Mapping[str, Any]], None]
    needs: Callable[[Mapping[str, Any]], bool] = lambda document: bool(document["arms"])

    def applies(self, document: Mapping[str, Any]) -> bool:
        """Whether the study has what this figure shows."""
        return self.needs(document)


FIGURES: dict[str, FigureKind] = {
    "scores": FigureKind(
        "Scores per arm",
        "Share of each score, diverging around the middle category; first readings of all readers.",
        plots.scores,
    ),
    "means": FigureKind(
        "Mean score per arm",
        "Mean of slice means. Thick: 95 % interval over slices, these readers fixed. Thin: over slices and readers.",
        plots.means,
    ),
    "agreement": FigureKind(
        "Agreement between readers per arm",
        "Fleiss' kappa, Krippendorff's ordinal alpha and percent agreement, each with its 95 % interval.",
        plots.agreement,
    ),
    "fid_med": FigureKind(
        "Mean score against FID-Med",
        "One point per compared arm. Distances of different feature networks are not comparable, "
        "so the paper's points have an axis of their own.",
        plots.fid_med,
    ),
    "modalities": FigureKind(
        "Mean score per modality",
        "Mean of slice means with its 95 % interval over slices, readers fixed.",
        plots.modalities,
    ),
    "readers": FigureKind(
        "Mean score per reader and arm",
        "Each cell is the mean of one reader's scores of one arm.",
        plots.readers,
    ),
    "ladders": FigureKind(
        "Dose ladders",
        "Mean score of each method over the level, with 95 % intervals over slices and readers; "
        "levels get better to the right.",
        plots_sections.ladders,
        lambda document: bool(document["ladders"]),
    ),
    "pairs": FigureKind(
        "Log abilities",
        "Bradley-Terry with Davidson's ties; 95 % intervals clustered by patient and reader.",
        plots_sections.abilities,
        lambda document: bool(document["pairs"]),
    ),
    "annotations": FigureKind(
        "Marks per image",
        "Marks over images read, with 95 % intervals clustered by patient and reader.",
        plots_sections.rates,
        lambda document: "undefined" not in document["annotations"],
    ),
    "ledger": FigureKind(
        "Lost and invented structures",
        "Share of the images compared with their reference, with 95 % intervals clustered by patient and reader.",
        plots_sections.ledger,
        lambda document: "arms" in document["fidelity"],
    ),
    "reading": FigureKind(
        "Pace and drift per reader",
        "Left: median time per image, pauses left out. Right: mean deviation from the mean of all readers.",
        plots_sections.pace,
        lambda document: any(found["overall"]["n"] for found in document["reading"].values()),
    ),
}


class UnknownFigure(LookupError):
    """A figure or format that does not exist."""


def render(name: str, document: Mapping[str, Any], kind: str = "svg") -> bytes:
    """One figure of a statistics document as a file; raises ``UnknownFigure``."""
    if name not in FIGURES or kind not in FORMATS:
        raise UnknownFigure(f"There is no figure {name}.{kind}; the figures are {', '.join(FIGURES)}.")
    with LOCK, mpl.rc_context({**mpl.rcParamsDefault, **STYLE, "backend": "agg"}):
        stream = io.BytesIO()
        draw(name, document).savefig(stream, format=kind, metadata=METADATA[kind])
    content = stream.getvalue()
    return without_inline_style(content) if kind == "svg" else content


@lru_cache(maxsize=4 * len(FIGURES) * len(FORMATS))
def rendered(name: str, statistics: str, kind: str = "svg") -> bytes:
    """``render`` of a document as text, kept for the next request: a snapshot and its figures never change."""
    return render(name, json.loads(statistics), kind)


def draw(name: str, document: Mapping[str, Any]) -> Figure:
    """The figure with its stamps, in whatever style is in force."""
    figure = Figure(layout="constrained")
    FIGURES[name].draw(figure, document)
    _stamp(figure, bool(document["simulated"]))
    return figure


def _stamp(figure: Figure, simulated: bool) -> None:
    """Room of fixed height above and below for what must stand on every figure."""
    width, height = figure.get_size_inches()
    above, below = (0.28 if simulated else 0.04), 0.2
    figure.set_size_inches(width, height + above + below)
    total = height + above + below
    figure.get_layout_engine().set(rect=(0, below / total, 1, height / total))  # type: ignore[union-attr, call-arg]
    figure.text(0.008, 0.05 / total, RESEARCH_USE, fontsize=6.5, color="#52606b", ha="left", va="bottom")
    if simulated:
        box = {"boxstyle": "round,pad=0.3", "facecolor": "#fcf1dc", "edgecolor": "#764900", "linewidth": 0.8}
        figure.text(
            0.992,
            1 - 0.06 / total,
            SIMULATED,
            fontsize=8,
            weight="bold",
            color="#764900",
            ha="right",
            va="top",
            bbox=box,
        )


def without_inline_style(svg: bytes) -> bytes:
    """Style attributes become presentation attributes, so that the strict content policy lets them be."""
    text = svg.decode()
    text = re.sub(r"\s*<defs>\s*<style type=\"text/css\">.*?</style>\s*</defs>", "", text, count=1, flags=re.DOTALL)
    text = text.replace("<svg ", '<svg stroke-linejoin="round" stroke-linecap="butt" ', 1)
    return re.sub(r'style="([^"]*)"', lambda found: _attributes(found[1]), text).encode()


def _attributes(style: str) -> str:
    pairs = (part.split(":", 1) for part in style.split(";") if ":" in part)
    return " ".join(f'{name.strip()}="{value.strip()}"' for name, value in pairs)
