"""Image metrics, latency and their relation to scores as the rows of tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from readerstudy.analytics.paper import PaperFigures, paper_figures
from readerstudy.analytics.wording import Lens, Printed, number

Document = Mapping[str, Any]


@dataclass(frozen=True)
class MetricRow:
    """The paper's Tables 3 and 6 for one arm (or an arm in one modality)."""

    title: str
    modality: str
    n_patients: int
    psnr: Printed
    ssim: Printed
    nmse: Printed
    fid_med: Printed
    n: int
    latency: Printed
    p95: str
    runs: str
    paper: PaperFigures | None


@dataclass(frozen=True)
class SliceMetricRow:
    """How a metric of single slices goes with their mean scores, in one modality."""

    modality: str
    metric: str
    alike: Printed
    within: Printed
    between: Printed


def metrics(document: Document) -> list[MetricRow]:
    return [_metric_row(document, arm, "", paper_figures(arm)) for arm in document["study"]["arms"]]


def metrics_by_modality(document: Document) -> list[MetricRow]:
    return [
        _metric_row(document, arm, modality, None)
        for arm in document["study"]["arms"]
        for modality in document["metrics"][arm["key"]]["modalities"]
    ]


def _metric_row(document: Document, arm: Mapping[str, Any], modality: str, paper: PaperFigures | None) -> MetricRow:
    lens, path = Lens(document), ("metrics", arm["key"], *(("modalities", modality) if modality else ()))
    summary = lens.find(*path)
    latency, distance = summary["latency_ms"], summary["fid_med"]
    timed = latency.get("value") is not None
    shown, median = lens.at(*path, "fid_med", digits=1), lens.at(*path, "latency_ms", digits=0)
    return MetricRow(
        arm["title"], modality, summary["ssim"].get("n_patients", 0), lens.spread(*path, "psnr"),
        lens.spread(*path, "ssim", digits=3), lens.spread(*path, "nmse", scale=1000),
        replace(shown, reason=distance.get("marked") or shown.reason),
        distance.get("n", 0), replace(median, reason=latency["marked"]) if timed else median,
        f"{latency['p95']:.0f}" if timed else "", _runs(arm), paper,
    )  # fmt: skip


def _runs(arm: Mapping[str, Any]) -> str:
    """Sampler, network calls, precision and device of the arm's runs."""
    runs = arm["runs"]
    words = [str(value) for name in ("sampler", "precision", "device") for value in runs.get(name, []) if value]
    calls = [value for value in runs.get("network_calls", []) if value]
    if calls:
        words.insert(0, f"{', '.join(map(str, calls))} network call{'' if calls == [1] else 's'}")
    return ", ".join(words)


def regression(document: Document, *path: str) -> list[tuple[str, Printed]]:
    """What is known of mean score against FID-Med; no p value, which few points can't carry."""
    lens = Lens(document)
    fit = lens.find(*path)
    if "value" in fit and fit["value"] is None:
        return [("Regression", lens.number(*path))]
    loo = [number(value, 2).value for value in fit["leave_one_out_pearson"]]
    return [
        ("Points", Printed(str(fit["n"]))),
        ("Slope (points per unit of FID-Med)", lens.at(*path, "slope", digits=4)),
        ("Intercept", lens.at(*path, "intercept")),
        ("Pearson's r", lens.at(*path, "pearson", digits=3)),
        ("Spearman's rho", lens.at(*path, "spearman", digits=3)),
        ("Kendall's tau-b", lens.at(*path, "kendall", digits=3)),
        ("Pearson's r, each point left out in turn", Printed(", ".join(loo) or "none")),
    ]


def slice_metrics(document: Document) -> list[SliceMetricRow]:
    """Metrics of single slices against scores; the share of pairs ordered alike is the headline."""
    lens = Lens(document)
    titles = {"psnr": "PSNR", "ssim": "SSIM", "nmse": "NMSE", "feature_distance": "Feature distance"}
    return [
        SliceMetricRow(
            modality,
            titles[metric],
            lens.at("slice_metrics", modality, metric, "pair_order_share", digits=1, scale=100),
            lens.at("slice_metrics", modality, metric, "within_slices"),
            lens.at("slice_metrics", modality, metric, "between_arms"),
        )
        for modality, metrics in document["slice_metrics"].items()
        for metric in metrics
    ]
