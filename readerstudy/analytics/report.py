"""The rows of the results page, from the statistics document alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from readerstudy.analytics.paper import PAPER, PaperFigures
from readerstudy.analytics.wording import Printed, estimate, number, p_value, with_spread

Document = Mapping[str, Any]


@dataclass(frozen=True)
class OpinionRow:
    """The paper's Table 5 for one arm, with the paper's own values beside."""

    title: str
    role: str
    n_scores: int
    mean: Printed
    mean_patients: Printed
    mean_both: Printed
    sd: Printed
    kappa: Printed
    agreement: Printed
    cannot_judge: Printed
    paper: PaperFigures | None


@dataclass(frozen=True)
class AgreementRow:
    title: str
    cells: list[Printed]


@dataclass(frozen=True)
class ComparisonRow:
    """Later arm minus earlier: the multi-reader analysis, and what holds for these readers only."""

    earlier: str
    later: str
    role: str
    difference: Printed
    df: Printed
    p: Printed
    p_adjusted: Printed
    paired_t: Printed
    wilcoxon: Printed
    vgc: Printed


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
class ModalityRow:
    title: str
    cells: list[Printed]


@dataclass(frozen=True)
class ReaderRow:
    name: str
    bias: Printed
    correlation: Printed
    repeats: Printed
    repeat_kappa: Printed


@dataclass(frozen=True)
class SliceMetricRow:
    """How a metric of single slices goes with their mean scores, in one modality."""

    modality: str
    metric: str
    alike: Printed
    within: Printed
    between: Printed


@dataclass(frozen=True)
class SecondaryRow:
    criterion: str
    title: str
    mean: Printed
    kappa: Printed


COEFFICIENTS = {
    "krippendorff_alpha_nominal": "Alpha, nominal",
    "krippendorff_alpha_ordinal": "Alpha, ordinal",
    "krippendorff_alpha_interval": "Alpha, interval",
    "conger_kappa": "Conger's kappa",
    "gwet_ac1": "AC1",
    "gwet_ac2_quadratic": "AC2, quadratic",
    "kendall_w": "Kendall's W",
    "icc_2_1": "ICC(2,1)",
    "icc_2_k": "ICC(2,k)",
}
POOLED = "All arms pooled"


def _paper(arm: Mapping[str, Any]) -> PaperFigures | None:
    return PAPER.get(arm["method"]) if arm["role"] == "compared" else None


def opinions(document: Document) -> list[OpinionRow]:
    rows = []
    for arm in document["study"]["arms"]:
        block = document["arms"].get(arm["key"])
        if block is None:
            continue
        opinion, agreement = block["opinion"], block["agreement"]
        rows.append(
            OpinionRow(
                arm["title"],
                arm["role"],
                block["n_scores"],
                estimate(opinion["mean_score"]),
                estimate(opinion["mean_score_patients"]),
                estimate(opinion["mean_score_slices_readers"]),
                number(opinion["standard_deviation"]),
                estimate(agreement["fleiss_kappa"]),
                estimate(agreement["percent_agreement"], 1, 100),
                estimate(opinion["cannot_judge"], 1, 100),
                _paper(arm),
            )
        )
    return rows


def agreements(document: Document) -> list[AgreementRow]:
    """Further coefficients per arm; the pooled row last, since differences between arms inflate it."""
    blocks = [(arm["title"], document["arms"].get(arm["key"])) for arm in document["study"]["arms"]]
    blocks.append((POOLED, document["pooled"]))
    return [
        AgreementRow(title, [estimate(block["agreement"][key]) for key in ["fleiss_kappa", *COEFFICIENTS]])
        for title, block in blocks
        if block is not None
    ]


def comparisons(document: Document) -> list[ComparisonRow]:
    titles = {arm["key"]: arm["title"] for arm in document["study"]["arms"]}
    rows = []
    for pair, planned in zip(document["comparisons"], document["plan_comparisons"], strict=True):
        earlier, later = pair["arms"]
        mrmc = pair["mrmc"]
        undefined = {"undefined": mrmc.get("undefined", "not computed")}
        rows.append(
            ComparisonRow(
                titles[earlier],
                titles[later],
                planned["role"],
                estimate(mrmc),
                number(mrmc.get("df", undefined), 1),
                p_value(mrmc.get("p", undefined)),
                p_value(planned["p_adjusted"] if planned["p_adjusted"] is not None else undefined),
                p_value(pair["paired_t"]["p_bonferroni"]),
                p_value(pair["wilcoxon"]["p_holm"]),
                estimate(pair["vgc_area"]),
            )
        )
    return rows


def metrics(document: Document) -> list[MetricRow]:
    return [_metric_row(arm, "", document["metrics"][arm["key"]], _paper(arm)) for arm in document["study"]["arms"]]


def metrics_by_modality(document: Document) -> list[MetricRow]:
    return [
        _metric_row(arm, modality, summary, None)
        for arm in document["study"]["arms"]
        for modality, summary in document["metrics"][arm["key"]]["modalities"].items()
    ]


def _metric_row(
    arm: Mapping[str, Any], modality: str, summary: Mapping[str, Any], paper: PaperFigures | None
) -> MetricRow:
    latency, distance = summary["latency_ms"], summary["fid_med"]
    timed = latency.get("value") is not None
    shown = estimate(distance, 1)
    median = Printed(f"{latency['value']:.0f}", reason=latency["marked"]) if timed else number(latency)
    return MetricRow(
        arm["title"], modality, summary["ssim"].get("n_patients", 0), with_spread(summary["psnr"], 2),
        with_spread(summary["ssim"], 3), with_spread(summary["nmse"], 2, 1000),
        Printed(shown.value, shown.interval, distance.get("marked") or shown.reason, shown.method),
        distance.get("n", 0), median,
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


def modality_means(document: Document) -> list[ModalityRow]:
    rows = []
    for arm in document["study"]["arms"]:
        blocks = [found.get(arm["key"]) for found in document["modalities"].values()]
        absent: dict[str, Any] = {"undefined": "no slice of this modality"}
        rows.append(ModalityRow(arm["title"], [estimate(b["opinion"]["mean_score"] if b else absent) for b in blocks]))
    return rows


def readers(document: Document) -> list[ReaderRow]:
    rows = []
    for name, found in document["readers"].items():
        own = document["intra_reader"].get(name, {})
        absent = {"undefined": "no repeated readings"}
        rows.append(
            ReaderRow(
                name,
                estimate(found["bias"]),
                estimate(found["correlation_with_others"]),
                estimate(own.get("exact_repeat_share", absent), 1, 100),
                estimate(own.get("weighted_kappa_quadratic", absent)),
            )
        )
    return rows


def regression(fit: Mapping[str, Any]) -> list[tuple[str, Printed]]:
    """What is known of mean score against FID-Med; no p value, which few points can't carry."""
    if "value" in fit and fit["value"] is None:
        return [("Regression", number(fit))]
    loo = [number(value, 2).value for value in fit["leave_one_out_pearson"]]
    return [
        ("Points", Printed(str(fit["n"]))),
        ("Slope (points per unit of FID-Med)", estimate(fit["slope"], 4)),
        ("Intercept", estimate(fit["intercept"])),
        ("Pearson's r", estimate(fit["pearson"], 3)),
        ("Spearman's rho", estimate(fit["spearman"], 3)),
        ("Kendall's tau-b", estimate(fit["kendall"], 3)),
        ("Pearson's r, each point left out in turn", Printed(", ".join(loo) or "none")),
    ]


def omnibus(document: Document) -> list[tuple[str, str, Printed]]:
    """Tests over all arms at once."""
    omnibus, latency = document["omnibus"], document["latency"]
    friedman = omnibus["friedman"]
    found: list[tuple[str, str, Any, str]] = [
        ("All arms equal, F", "f", omnibus["mrmc"], "readers and slices random: headline"),
        ("Friedman", "chi2", friedman, "slice means; conditional on these readers"),
        ("Latency, Welch's ANOVA", "f", latency.get("welch", latency), "compared arms"),
        ("Latency, classic ANOVA", "f", latency.get("anova", latency), "compared arms"),
    ]
    return [
        (f"{title} ({note})", number(data.get(key, data), 2).value, p_value(data.get("p", data)))
        for title, key, data, note in found
    ]


def mixed_models(document: Document) -> list[tuple[str, str, Printed]]:
    """Log odds of a higher score against the first arm, for both cumulative link mixed models."""
    titles = {arm["key"]: arm["title"] for arm in document["study"]["arms"]}
    named = (
        ("clmm_crossed", "random slice, reader, slice × arm, reader × arm (confirms the headline)"),
        ("clmm", "random intercepts of slice and reader (conditional on these readers)"),
    )
    rows = []
    for key, name in named:
        model = document["omnibus"][key]
        if "log_odds" not in model:
            rows.append((name, "", number(model)))
            continue
        rows += [(name, titles.get(arm, arm), estimate(value)) for arm, value in model["log_odds"].items()]
    return rows


def facts(document: Document) -> list[tuple[str, str]]:
    """The big numbers above the tables."""
    pooled, study = document["pooled"], document["study"]
    patients = [summary["ssim"].get("n_patients", 0) for summary in document["metrics"].values()]
    blocks = document["arms"].values()
    return [
        ("arms", str(len(study["arms"]))),
        ("slices", str(max((block["n_slices"] for block in blocks), default=0))),
        ("patients", str(max(patients, default=0))),
        ("readers", str(pooled["n_readers"])),
        ("scores", str(pooled["n_scores"])),
    ]


def secondary(document: Document) -> list[SecondaryRow]:
    titles = {arm["key"]: arm["title"] for arm in document["study"]["arms"]}
    return [
        SecondaryRow(
            found["title"],
            titles[arm],
            estimate(block["opinion"]["mean_score"]),
            estimate(block["agreement"]["fleiss_kappa"]),
        )
        for found in document["secondary"].values()
        for arm, block in found["arms"].items()
    ]


def warnings(document: Document) -> list[str]:
    """What the statistics themselves warn of, each sentence once."""
    found = [*document.get("warnings", [])]
    titles = {arm["key"]: arm["title"] for arm in document["study"]["arms"]}
    for arm, block in document["arms"].items():
        found += [f"{titles[arm]}: {sentence}" for sentence in block["agreement"].get("warnings", [])]
    return [str(sentence) for sentence in found]


def slice_metrics(document: Document) -> list[SliceMetricRow]:
    """Metrics of single slices against scores; the share of pairs ordered alike is the headline."""
    titles = {"psnr": "PSNR", "ssim": "SSIM", "nmse": "NMSE", "feature_distance": "Feature distance"}
    return [
        SliceMetricRow(
            modality,
            titles[metric],
            estimate(found["pair_order_share"], 1, 100),
            estimate(found["within_slices"]),
            estimate(found["between_arms"]),
        )
        for modality, metrics in document["slice_metrics"].items()
        for metric, found in metrics.items()
    ]
