"""Figures of a benchmark: fidelity per patient, steps against fidelity, latency (SVG), and montages (PNG)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from inference.benchmark.arms import ARMS
from inference.benchmark.cases import BenchmarkCase
from inference.benchmark.fidelity_tables import Measured, patient_means

matplotlib.rcParams.update({"svg.hashsalt": "inference", "svg.fonttype": "none", "font.size": 9})
PAPER_COLOUR, OURS_COLOUR, DOT_COLOUR = "#b35c00", "#1f5fa8", "#6b7785"
# Window of the montage per modality, physical units; None: from the reference. The error map's limit is a share of it.
WINDOWS: Mapping[str, tuple[float, float] | None] = {"CT": (-160.0, 240.0), "MR": None, "US": (0.0, 255.0)}
ERROR_SHARE = 0.25


def _save(figure: Figure, path: Path) -> Path:
    metadata = {"Date": None} if path.suffix == ".svg" else {}
    figure.savefig(path, dpi=130, metadata=metadata)
    return path


def fidelity_figure(measured: Mapping[str, Measured], path: Path) -> Path:
    """PSNR per arm and modality: a dot per patient, a bar at their mean."""
    modalities = sorted({row.modality for m in measured.values() for row in m.rows})
    figure = Figure(figsize=(4.2 * len(modalities) + 1.6, 4.2), layout="constrained")
    panels = figure.subplots(1, len(modalities), squeeze=False)[0]
    for panel, modality in zip(panels, modalities, strict=True):
        for x, arm in enumerate(measured.values()):
            means = patient_means([r for r in arm.rows if r.modality == modality], "psnr")
            values = np.array([means[p] for p in sorted(means)])
            offsets = np.linspace(-0.16, 0.16, values.size) if values.size > 1 else np.zeros(1)
            panel.plot(x + offsets, values, "o", color=DOT_COLOUR, markersize=4, alpha=0.8, clip_on=False)
            panel.hlines(values.mean(), x - 0.3, x + 0.3, color=OURS_COLOUR, linewidth=2.5)
        n = len(patient_means([r for r in next(iter(measured.values())).rows if r.modality == modality], "psnr"))
        panel.set_title(f"{modality}, {n} patients" if n != 1 else f"{modality}, 1 patient")
        panel.set_xticks(range(len(measured)), [_short(k) for k in measured], rotation=40, ha="right")
        panel.spines[["top", "right"]].set_visible(False)
        panel.set_ylabel("PSNR (dB)")
    return _save(figure, path)


def _short(key: str) -> str:
    return ARMS[key].title.replace("Diffusion-UNet, ", "Diffusion-UNet\n")


def steps_figure(rows: Sequence[Mapping[str, Any]], path: Path) -> Path:
    """PSNR and KID against the number of network evaluations, with the paper's PSNR."""
    figure = Figure(figsize=(8.2, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for sampler, marker in (("dpm-solver++", "o"), ("ddpm", "s")):
        chosen = [r for r in rows if r["sampler"] == sampler]
        steps = [r["steps"] for r in chosen]
        for panel, key in ((left, "psnr_mean"), (right, "kid")):
            values = [r[key] for r in chosen]
            panel.plot(steps, values, marker=marker, color=OURS_COLOUR if marker == "o" else DOT_COLOUR, label=sampler)
    paper = [(r["steps"], r["paper_psnr"]) for r in rows if r["paper_psnr"] is not None]
    if paper:
        left.plot(*zip(*paper, strict=True), "--^", color=PAPER_COLOUR, label="paper (its own data)")
    for panel, name in ((left, "PSNR (dB)"), (right, "KID")):
        panel.set_xscale("log")
        panel.set_xlabel("network evaluations")
        panel.set_ylabel(name)
        panel.spines[["top", "right"]].set_visible(False)
        panel.legend(frameon=False)
    return _save(figure, path)


def latency_figure(rows: Mapping[str, Mapping[str, Any]], path: Path) -> Path:
    """Median latency to the 95th percentile per method, on a logarithmic axis; one device only."""
    figure = Figure(figsize=(6.4, 2.6), layout="constrained")
    panel = figure.subplots()
    for y, row in enumerate(rows.values()):
        panel.plot([row["median_ms"], row["p95_ms"]], [y, y], color=OURS_COLOUR, linewidth=2)
        panel.plot(row["median_ms"], y, "o", color=OURS_COLOUR)
        panel.annotate(f"{row['median_ms']:,.1f} ms", (row["median_ms"], y), (0, 6), textcoords="offset points")
    panel.set_yticks(range(len(rows)), [ARMS[key].title for key in rows])
    panel.set_ylim(-0.5, len(rows) - 0.3)
    panel.set_xscale("log")
    panel.set_xlabel(f"ms per 512 x 512 slice, median to 95th percentile, {next(iter(rows.values()))['device']}")
    panel.spines[["top", "right"]].set_visible(False)
    return _save(figure, path)


def montage(case: BenchmarkCase, images: Mapping[str, NDArray[np.float32]], path: Path) -> Path:
    """The reference and every arm in one window, and beneath each the signed error on one scale."""
    low, high = WINDOWS[case.modality] or (0.0, float(np.percentile(case.reference, 99.5)))
    limit = ERROR_SHARE * (high - low)
    unit = {"CT": "HU", "MR": "magnitude", "US": "grey"}[case.modality]
    rows, cols = case.reference.shape
    width = 2.1
    figure = Figure(figsize=(width * (len(images) + 1), 2 * width * rows / cols + 0.9), layout="constrained")
    panels = figure.subplots(2, len(images) + 1, squeeze=False)
    for panel in panels.ravel():
        panel.set_axis_off()
    panels[0, 0].imshow(case.reference, cmap="gray", vmin=low, vmax=high)
    panels[0, 0].set_title(f"Reference, {case.modality}\n{low:g} to {high:g} {unit}", fontsize=8)
    shown = None
    for column, (key, image) in enumerate(images.items(), start=1):
        panels[0, column].imshow(image, cmap="gray", vmin=low, vmax=high)
        panels[0, column].set_title(_short(key), fontsize=8)
        shown = panels[1, column].imshow(image - case.reference, cmap="RdBu_r", vmin=-limit, vmax=limit)
    if shown is not None:
        bar = figure.colorbar(shown, ax=panels[1, 0], location="left", fraction=0.6, aspect=12)
        bar.set_label(f"error ({unit})", fontsize=8)
    return _save(figure, path)
