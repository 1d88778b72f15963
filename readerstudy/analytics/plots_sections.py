"""Figures of what only some studies have: dose ladders, pairs, annotations, the hallucination ledger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from readerstudy.analytics.plots import COLOURS, INK, MARKERS, MUTED, WIDTH, arm_axis, dot, interval
from readerstudy.analytics.rows.designs import level_text, method_title

Document = Mapping[str, Any]
LOST, INVENTED, GRAVE = "#0072B2", "#D55E00", "#000000"


def ladders(figure: Figure, document: Document) -> None:
    """A panel per modality: mean score over the level on a log axis, a line per method, better levels to the right."""
    found = document["ladders"]
    figure.set_size_inches(WIDTH, 3.2)
    panels = figure.subplots(1, len(found), squeeze=False, sharey=True)[0]
    low, high = min(document["categories"]), max(document["categories"])
    for axes, (modality, methods) in zip(panels, found.items(), strict=True):
        ticks: dict[float, str] = {}
        for row, made in enumerate(methods.values()):
            colour, marker = COLOURS[row % len(COLOURS)], MARKERS[row % len(MARKERS)]
            # Levels of the methods lie on each other: each stands a little aside on the log axis.
            aside = 1.03 ** (row - (len(methods) - 1) / 2)
            points = [
                (rung["level"] * aside, rung["mean_score"]["value"])
                for rung in made["rungs"]
                if rung["mean_score"]["value"] is not None
            ]
            axes.plot(
                *zip(*points, strict=True),
                color=colour,
                marker=marker,
                markersize=5.5,
                label=method_title(document, made),
            )
            for rung in made["rungs"]:
                ticks[rung["level"]] = level_text(made["levels"][rung["arm"]], modality)
                both = rung["mean_score_slices_readers"]
                if both.get("ci_low") is not None:
                    axes.plot(
                        [rung["level"] * aside] * 2, [both["ci_low"], both["ci_high"]], color=colour, linewidth=1.2
                    )
        axes.set_xscale("log")
        axes.set_xticks(sorted(ticks), [ticks[level] for level in sorted(ticks)])
        axes.minorticks_off()
        if modality == "MR":
            axes.invert_xaxis()
        axes.set_title(modality, fontsize=9)
        axes.set_ylim(low - 0.1, high + 0.1)
        axes.set_yticks(document["categories"])
        axes.grid()
    panels[0].set_ylabel("Mean score")
    panels[0].legend(loc="best")


def abilities(figure: Figure, document: Document) -> None:
    """Log ability of every arm against the first, with its interval; the primary criterion of a pairwise study."""
    key = document["study"]["plan"]["primary_criterion"]
    model = document["pairs"][key]["bradley_terry"]
    arms = document["study"]["arms"]
    figure.set_size_inches(WIDTH, 1.1 + 0.42 * len(arms))
    axes = figure.subplots()
    for row, arm in enumerate(arms):
        estimate = model.get("log_ability", {}).get(arm["key"], {})
        colour = COLOURS[row % len(COLOURS)]
        interval(axes, estimate, row, colour, 1.6, caps=True)
        dot(axes, estimate, row, colour, MARKERS[row % len(MARKERS)])
    axes.axvline(0, color=MUTED, linewidth=0.8)
    arm_axis(axes, [arm["title"] for arm in arms])
    axes.set_xlabel(f"Log ability against {arms[0]['title']} (higher wins more often)")
    axes.grid(axis="x")


def rates(figure: Figure, document: Document) -> None:
    """Marks per image read, a panel per label, arms below each other."""
    found = {name: section for name, section in document["annotations"].items() if name != "any label"}
    arms = document["study"]["arms"]
    columns = min(4, len(found))
    rows = -(-len(found) // columns)
    figure.set_size_inches(WIDTH, 0.6 + rows * (0.7 + 0.3 * len(arms)))
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True)
    for index, axes in enumerate(panels.flat):
        if index >= len(found):
            axes.set_visible(False)
            continue
        label = list(found)[index]
        for row, arm in enumerate(arms):
            estimate = found[label]["arms"].get(arm["key"], {}).get("rate", {})
            colour = COLOURS[row % len(COLOURS)]
            interval(axes, estimate, row, colour, 1.6, caps=True)
            dot(axes, estimate, row, colour, MARKERS[row % len(MARKERS)])
        arm_axis(axes, [arm["title"] if index % columns == 0 else "" for arm in arms])
        axes.set_title(label, fontsize=9)
        axes.grid(axis="x")
        axes.set_xlim(left=0)
    for axes in panels[-1]:
        axes.set_xlabel("Marks per image")


def ledger(figure: Figure, document: Document) -> None:
    """Shares of compared images with lost and with invented structures, and with one that could change a report."""
    arms = [arm for arm in document["study"]["arms"] if document["fidelity"]["arms"][arm["key"]]["images"]]
    figure.set_size_inches(WIDTH, 1.3 + 0.55 * len(arms))
    axes = figure.subplots()
    kinds = (
        ("lost", "image_share", LOST, "o", "lost structure"),
        ("invented", "image_share", INVENTED, "s", "invented structure"),
        ("either", "report_share", GRAVE, "D", "could change the report"),
    )
    for place, (kind, share, colour, marker, title) in enumerate(kinds):
        for row, arm in enumerate(arms):
            estimate = _percent(document["fidelity"]["arms"][arm["key"]][kind][share])
            at = row + 0.22 * (place - 1)
            interval(axes, estimate, at, colour, 1.6, caps=True)
            dot(axes, estimate, at, colour, marker)
        axes.plot([], [], marker, color=colour, label=title, markersize=5.5)
    named = [f"{arm['title']}\nn = {document['fidelity']['arms'][arm['key']]['images']}" for arm in arms]
    arm_axis(axes, named)
    axes.set_xlim(left=min(0, axes.get_xlim()[0]))
    axes.set_xlabel("Share of images compared with their reference (%)")
    axes.grid(axis="x")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)


def _percent(estimate: Mapping[str, Any]) -> dict[str, Any]:
    scaled = {name: estimate.get(name) for name in ("value", "ci_low", "ci_high")}
    return {name: None if value is None else 100 * value for name, value in scaled.items()}


def pace(figure: Figure, document: Document) -> None:
    """Each reader's mean deviation from the others by session: whether their scale moved."""
    readers = document["reading"]
    sessions = sorted({int(number) for found in readers.values() for number in found["sessions"]})
    figure.set_size_inches(WIDTH, 2.9)
    left, right = figure.subplots(1, 2)
    for row, (name, found) in enumerate(readers.items()):
        colour, marker = COLOURS[row % len(COLOURS)], MARKERS[row % len(MARKERS)]
        for axes, read in ((left, _median), (right, _deviation)):
            points = [(number, read(found["sessions"].get(str(number), {}))) for number in sessions]
            xs, ys = zip(*points, strict=True)
            axes.plot(xs, np.array([np.nan if y is None else y for y in ys]), color=colour, marker=marker, label=name)
    _sessions_axis(left, sessions, "Median time per image (s)")
    left.set_ylim(0, 1.15 * left.get_ylim()[1])
    _sessions_axis(right, sessions, "Deviation from the others (points)")
    right.axhline(0, color=INK, linewidth=0.7)
    left.legend(loc="best", ncols=2 if len(readers) > 4 else 1)


def _median(session: Mapping[str, Any]) -> float | None:
    value = session.get("median_s")
    return value if isinstance(value, int | float) else None


def _deviation(session: Mapping[str, Any]) -> float | None:
    value: float | None = session.get("mean_deviation", {}).get("value")
    return value


def _sessions_axis(axes: Axes, sessions: list[int], title: str) -> None:
    axes.set_xticks(sessions)
    axes.set_xlabel("Session")
    axes.set_ylabel(title)
    axes.grid(axis="y")
