"""What each figure draws, from the document alone. Colours are Okabe and Ito's; shapes differ too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from readerstudy.analytics.paper import PAPER

INK, MUTED, PAPER_GREY = "#17222b", "#52606b", "#8b98a3"
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8b98a3")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
WIDTH = 6.6
Document = Mapping[str, Any]


def scores(figure: Figure, document: Document) -> None:
    """Stacked bars per arm, the middle category halved by the zero line."""
    arms, categories = document["study"]["arms"], document["categories"]
    figure.set_size_inches(WIDTH, 1.25 + 0.42 * len(arms))
    axes = figure.subplots()
    colours = mpl.colormaps["BrBG"](np.linspace(0.1, 0.9, len(categories)))
    if len(categories) % 2:
        colours[len(categories) // 2] = mpl.colors.to_rgba("#d5d9dc")
    counts = np.array([[document["distribution"][arm["key"]][str(c)] for c in categories] for arm in arms], dtype=float)
    totals = counts.sum(axis=1, keepdims=True)
    shares = 100 * np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)
    left = -(shares[:, : len(categories) // 2].sum(axis=1))
    if len(categories) % 2:
        left = left - shares[:, len(categories) // 2] / 2
    for index, category in enumerate(categories):
        bars = axes.barh(
            range(len(arms)), shares[:, index], left=left, height=0.66, color=colours[index],
            edgecolor="white", linewidth=0.6, label=str(category),
        )  # fmt: skip
        dark = index in (0, len(categories) - 1)
        labels = [f"{share:.0f}" if share >= 5 else "" for share in shares[:, index]]
        axes.bar_label(bars, labels, label_type="center", fontsize=7.5, color="white" if dark else INK)
        left = left + shares[:, index]
    axes.axvline(0, color=INK, linewidth=0.8, zorder=0.5)
    arm_axis(axes, [_with_count(document, arm, int(n)) for arm, n in zip(arms, totals[:, 0], strict=True)])
    axes.set_xlim(-105, 105)
    axes.set_xticks([-100, -50, 0, 50, 100], ["100", "50", "0", "50", "100"])
    axes.set_xlabel("Share of scores (%)")
    axes.spines["left"].set_visible(False)
    axes.legend(title="Score", loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(categories), title_fontsize=8)


def means(figure: Figure, document: Document) -> None:
    """A dot per arm with the interval over slices (thick) and over slices and readers (thin)."""
    arms = document["study"]["arms"]
    figure.set_size_inches(WIDTH, 1.2 + 0.42 * len(arms))
    axes = figure.subplots()
    for row, arm in enumerate(arms):
        opinion = document["arms"].get(arm["key"], {}).get("opinion", {})
        mean, both = opinion.get("mean_score", {}), opinion.get("mean_score_slices_readers", {})
        colour = COLOURS[row % len(COLOURS)]
        interval(axes, both, row, colour, 1.2, caps=True)
        interval(axes, mean, row, colour, 4.5)
        dot(axes, mean, row, colour, MARKERS[row % len(MARKERS)])
        _paper_mark(axes, arm, row, "mean_score")
    arm_axis(axes, [arm["title"] for arm in arms])
    low, high = min(document["categories"]), max(document["categories"])
    axes.set_xlim(low - 0.1, high + 0.1)
    axes.set_xticks(document["categories"])
    axes.set_xlabel(f"Mean score ({low} worst, {high} best)")
    axes.grid(axis="x")
    _keys(axes, "thick: interval over slices   thin: over slices and readers", arms)


def agreement(figure: Figure, document: Document) -> None:
    """Three panels that share the arms: kappa, alpha, percent agreement."""
    arms = document["study"]["arms"]
    figure.set_size_inches(WIDTH, 1.35 + 0.42 * len(arms))
    panels = (
        ("fleiss_kappa", "Fleiss' kappa"),
        ("krippendorff_alpha_ordinal", "Alpha (ordinal)"),
        ("percent_agreement", "Agreeing pairs"),
    )
    drawn = figure.subplots(1, len(panels), sharex=True)
    lowest = 0.0
    for index, (axes, (key, title)) in enumerate(zip(drawn, panels, strict=True)):
        for row, arm in enumerate(arms):
            estimate = document["arms"].get(arm["key"], {}).get("agreement", {}).get(key, {})
            colour = COLOURS[row % len(COLOURS)]
            interval(axes, estimate, row, colour, 1.6, caps=True)
            dot(axes, estimate, row, colour, MARKERS[row % len(MARKERS)])
            lowest = min([lowest, *[v for v in (estimate.get("ci_low"), estimate.get("value")) if v is not None]])
            if key == "fleiss_kappa":
                _paper_mark(axes, arm, row, "kappa")
        arm_axis(axes, [arm["title"] if index == 0 else "" for arm in arms])
        axes.set_title(title, fontsize=9)
        axes.axvline(0, color=MUTED, linewidth=0.8)
        axes.grid(axis="x")
    drawn[0].set_xlim(max(-1.0, lowest - 0.05), 1.03)
    _keys(drawn[0], "95 % intervals", arms)


def fid_med(figure: Figure, document: Document) -> None:
    """Ours left with the regression line, the paper's four points in grey on their own axis."""
    figure.set_size_inches(WIDTH, 3.5)
    ours, paper = figure.subplots(1, 2, sharey=True, width_ratios=[1.6, 1])
    arms = [arm for arm in document["study"]["arms"] if arm["role"] == "compared"]
    points: list[tuple[float, float]] = []
    for row, arm in enumerate(arms):
        distance = document["metrics"][arm["key"]]["fid_med"]
        mean = document["arms"].get(arm["key"], {}).get("opinion", {}).get("mean_score", {})
        if distance.get("value") is None or mean.get("value") is None:
            continue
        # Labels of arms with nearly the same score stand above and below in turn.
        alike = sum(abs(mean["value"] - y) < 0.4 for _, y in points)
        points.append((distance["value"], mean["value"]))
        _point(ours, arm["title"], distance, mean, row, alike % 2 == 0)
    _regression(ours, document["correlation"]["fid_med"], points)
    ours.margins(x=0.2)
    for method, figures in PAPER.items():
        paper.plot(figures.fid_med, figures.mean_score, "D", color=PAPER_GREY, markersize=5, markerfacecolor="white")
        title = next((arm["title"] for arm in arms if arm["method"] == method), method)
        paper.annotate(
            title,
            (figures.fid_med, figures.mean_score),
            (5, 4),
            textcoords="offset points",
            fontsize=7,
            color=MUTED,
        )
    paper.set_xlim(30, 215)
    paper.set_title("Paper", fontsize=9, color=MUTED)
    ours.set_title("This study", fontsize=9)
    low, high = min(document["categories"]), max(document["categories"])
    ours.set_ylim(low - 0.1, high + 0.1)
    ours.set_yticks(document["categories"])
    ours.set_ylabel("Mean score")
    for axes in (ours, paper):
        axes.set_xlabel("FID-Med (lower is closer to the reference)" if axes is ours else "FID-Med")
        axes.grid()


def modalities(figure: Figure, document: Document) -> None:
    """Per arm one dot with interval per modality."""
    arms, names = document["study"]["arms"], list(document["modalities"])
    figure.set_size_inches(WIDTH, 1.25 + 0.2 * len(arms) * max(len(names), 2))
    axes = figure.subplots()
    for index, modality in enumerate(names):
        offset = 0.22 * (index - (len(names) - 1) / 2)
        colour, marker = COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)]
        for row, arm in enumerate(arms):
            block = document["modalities"][modality].get(arm["key"], {})
            mean = block.get("opinion", {}).get("mean_score", {})
            interval(axes, mean, row + offset, colour, 1.6, caps=True)
            dot(axes, mean, row + offset, colour, marker)
        axes.plot([], [], marker, color=colour, label=modality, markersize=5.5)
    arm_axis(axes, [arm["title"] for arm in arms])
    low, high = min(document["categories"]), max(document["categories"])
    axes.set_xlim(low - 0.1, high + 0.1)
    axes.set_xticks(document["categories"])
    axes.set_xlabel(f"Mean score ({low} worst, {high} best)")
    axes.grid(axis="x")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=max(len(names), 1))


def readers(figure: Figure, document: Document) -> None:
    """Reader by arm; numbers are written into the cells where there is room."""
    arms, names = document["study"]["arms"], document["study"]["readers"]
    figure.set_size_inches(max(WIDTH, 2.4 + 0.42 * min(len(names), 24)), 1.1 + 0.42 * len(arms))
    axes = figure.subplots()
    cells = [[document["reader_means"][arm["key"]][name]["value"] for name in names] for arm in arms]
    values = np.array([[np.nan if cell is None else cell for cell in row] for row in cells], dtype=float)
    low, high = min(document["categories"]), max(document["categories"])
    image = axes.imshow(values, cmap="cividis", vmin=low, vmax=high, aspect="auto")
    axes.set_xticks(range(len(names)), names, rotation=0 if len(names) <= 16 else 90)
    axes.set_yticks(range(len(arms)), [arm["title"] for arm in arms])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    if len(names) <= 16:
        for row, column in np.ndindex(values.shape):
            value = values[row, column]
            dark = np.isfinite(value) and _luminance(image.to_rgba(np.array([value]))[0]) < 0.52
            text = f"{value:.2f}" if np.isfinite(value) else "none"
            axes.text(column, row, text, ha="center", va="center", fontsize=8, color="white" if dark else INK)
    figure.colorbar(image, ax=axes, label="Mean score", ticks=document["categories"], pad=0.02)


def _luminance(colour: Any) -> float:
    return float(np.dot(colour[:3], (0.2126, 0.7152, 0.0722)))


def arm_axis(axes: Axes, labels: Sequence[str]) -> None:
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.45, -0.55)
    axes.tick_params(axis="y", length=0)


def _with_count(document: Document, arm: Mapping[str, Any], count: int) -> str:
    refused = document["distribution"][arm["key"]].get("NA", 0)
    note = f", {refused} cannot judge" if refused else ""
    return f"{arm['title']}\nn = {count}{note}"


def interval(
    axes: Axes, estimate: Mapping[str, Any], row: float, colour: str, width: float, *, caps: bool = False
) -> None:
    low, high = estimate.get("ci_low"), estimate.get("ci_high")
    if low is None or high is None:
        return
    axes.plot(
        [low, high],
        [row, row],
        color=colour,
        linewidth=width,
        alpha=1 if caps else 0.55,
        solid_capstyle="butt",
    )
    if caps:
        axes.plot([low, high], [row, row], "|", color=colour, markersize=7, markeredgewidth=1.2)


def dot(axes: Axes, estimate: Mapping[str, Any], row: float, colour: str, marker: str) -> None:
    value = estimate.get("value")
    if value is None:
        # Axis coordinates across, data coordinates down: the word stands in the arm's own row.
        axes.text(
            0.02, row, "undefined", transform=axes.get_yaxis_transform(), fontsize=7, style="italic",
            color=MUTED, va="center",
        )  # fmt: skip
        return
    axes.plot(value, row, marker, color=colour, markersize=6, markeredgecolor="white", markeredgewidth=0.7, zorder=4)


def _paper_mark(axes: Axes, arm: Mapping[str, Any], row: int, name: str) -> None:
    figures = PAPER.get(arm["method"])
    if figures and arm["role"] == "compared":
        axes.plot(getattr(figures, name), row + 0.28, "D", color=PAPER_GREY, markerfacecolor="white", markersize=4.5)


def _keys(axes: Axes, text: str, arms: Sequence[Mapping[str, Any]]) -> None:
    """What thick, thin and the grey diamond mean, above the plot."""
    if any(arm["method"] in PAPER for arm in arms):
        axes.plot([], [], "D", color=PAPER_GREY, markerfacecolor="white", markersize=4.5, label="paper")
        axes.plot([], [], " ", label=text)
        axes.figure.legend(loc="outside upper left", ncols=2, handlelength=1.2, handletextpad=0.4)


def _point(axes: Axes, title: str, distance: Mapping[str, Any], mean: Mapping[str, Any], row: int, above: bool) -> None:
    """One arm; hollow where the number of images or patients is too small for a distance to mean much."""
    colour, x, y = COLOURS[row % len(COLOURS)], distance["value"], mean["value"]
    if mean.get("ci_low") is not None:
        axes.plot([x, x], [mean["ci_low"], mean["ci_high"]], color=colour, linewidth=1.4)
    if distance.get("ci_low") is not None:
        axes.plot([distance["ci_low"], distance["ci_high"]], [y, y], color=colour, linewidth=1.4)
    face = "white" if distance["marked"] else colour
    axes.plot(x, y, MARKERS[row % len(MARKERS)], color=colour, markerfacecolor=face, markersize=6.5, zorder=4)
    label = f"{title}\nn = {distance['n']}" + (" (too few)" if distance["marked"] else "")
    place, side = (7, 5) if above else (7, -5), "bottom" if above else "top"
    axes.annotate(label, (x, y), place, textcoords="offset points", fontsize=7, va=side)


def _regression(axes: Axes, fit: Mapping[str, Any], points: Sequence[tuple[float, float]]) -> None:
    """The fitted line over the observed range, and r with its interval and n; never a p value."""
    slope, intercept = (fit.get(name, {}).get("value") for name in ("slope", "intercept"))
    if not points or slope is None or intercept is None:
        axes.text(0.02, 0.03, "regression undefined", transform=axes.transAxes, fontsize=7.5, color=MUTED)
        return
    ends = np.array([min(x for x, _ in points), max(x for x, _ in points)])
    axes.plot(ends, intercept + slope * ends, color=MUTED, linewidth=1, linestyle="--", zorder=1)
    r = fit["pearson"]
    text = f"n = {fit['n']} arms   slope {slope:.3g}"
    if r.get("value") is not None:
        text += f"   r = {r['value']:.2f}"
    if r.get("ci_low") is not None:
        text += f" ({r['ci_low']:.2f} to {r['ci_high']:.2f})"
    axes.text(0.02, 0.03, text, transform=axes.transAxes, fontsize=7.5)
