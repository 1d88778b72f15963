"""Scores, agreement and comparisons of arms as the rows of tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from readerstudy.analytics.paper import PaperFigures, paper_figures
from readerstudy.analytics.wording import Lens, Printed

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
class ReferenceRow:
    """One arm against the hidden reference, and its mean if every refusal were the worst score."""

    title: str
    difference: Printed
    difference_both: Printed
    as_worst: Printed


@dataclass(frozen=True)
class DetailRow:
    """Agreement of one arm on each category, and of each pair of readers."""

    title: str
    categories: list[tuple[str, Printed]]
    pairs: list[tuple[str, Printed]]


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
class ModalityRow:
    title: str
    cells: list[Printed]


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
PER_CATEGORY, PER_PAIR = "fleiss_kappa_per_category", "pairwise_weighted_kappa_quadratic"
POOLED = "All arms pooled"
POOLED_EXTENSION = "All arms of this extension pooled"


def opinions(document: Document) -> list[OpinionRow]:
    lens, rows = Lens(document), []
    for arm in document["study"]["arms"]:
        block = document["arms"].get(arm["key"])
        if block is None:
            continue
        opinion, agreement = ("arms", arm["key"], "opinion"), ("arms", arm["key"], "agreement")
        rows.append(
            OpinionRow(
                arm["title"],
                arm["role"],
                block["n_scores"],
                lens.at(*opinion, "mean_score"),
                lens.at(*opinion, "mean_score_patients"),
                lens.at(*opinion, "mean_score_slices_readers"),
                lens.number(*opinion, "standard_deviation"),
                lens.at(*agreement, "fleiss_kappa"),
                lens.at(*agreement, "percent_agreement", digits=1, scale=100),
                lens.at(*opinion, "cannot_judge", digits=1, scale=100),
                paper_figures(arm),
            )
        )
    return rows


def against_reference(document: Document) -> list[ReferenceRow]:
    """Every arm that was scored; without a hidden reference the differences say that there is none."""
    lens = Lens(document)
    return [
        ReferenceRow(
            arm["title"],
            lens.at("difference_from_reference", arm["key"]),
            lens.at("difference_from_reference", arm["key"], "slices_readers"),
            lens.at("arms", arm["key"], "opinion", "mean_score_cannot_judge_as_worst"),
        )
        for arm in document["study"]["arms"]
        if arm["key"] in document["arms"] and arm["role"] != "reference"
    ]


def details(document: Document) -> list[DetailRow]:
    """Fleiss' kappa of each category, and the quadratic kappa of each pair of readers, per arm."""
    lens, rows = Lens(document), []
    for arm in document["study"]["arms"]:
        path = ("arms", arm["key"], "agreement")
        found = {name: lens.find(*path, name) for name in (PER_CATEGORY, PER_PAIR)}
        if arm["key"] in document["arms"]:
            cells = {
                name: [(key, lens.at(*path, name, key)) for key in keys if key not in ("value", "undefined")]
                for name, keys in found.items()
            }
            rows.append(DetailRow(arm["title"], cells[PER_CATEGORY], cells[PER_PAIR]))
    return rows


def agreements(document: Document) -> list[AgreementRow]:
    """Further coefficients per arm; the pooled row last, since differences between arms inflate it."""
    lens = Lens(document)
    rows: list[tuple[str, tuple[str, ...]]] = [
        (arm["title"], ("arms", arm["key"])) for arm in document["study"]["arms"] if arm["key"] in document["arms"]
    ]
    if rows:
        rows.append((POOLED_EXTENSION if document["study"].get("extends") else POOLED, ("pooled",)))
    return [
        AgreementRow(title, [lens.at(*path, "agreement", key) for key in ["fleiss_kappa", *COEFFICIENTS]])
        for title, path in rows
    ]


def comparisons(document: Document) -> list[ComparisonRow]:
    lens, titles = Lens(document), {arm["key"]: arm["title"] for arm in document["study"]["arms"]}
    rows = []
    for place, planned in enumerate(document["plan_comparisons"]):
        earlier, later = planned["arms"]
        pair = ("comparisons", place)
        rows.append(
            ComparisonRow(
                titles[earlier],
                titles[later],
                planned["role"],
                lens.at(*pair, "mrmc"),
                lens.part(*pair, "mrmc", "df", digits=1),
                lens.p(*pair, "mrmc", "p"),
                lens.p("plan_comparisons", place, "p_adjusted"),
                lens.p(*pair, "paired_t", "p_bonferroni"),
                lens.p(*pair, "wilcoxon", "p_holm"),
                lens.at(*pair, "vgc_area"),
            )
        )
    return rows


def modality_means(document: Document) -> list[ModalityRow]:
    lens = Lens(document)
    return [
        ModalityRow(
            arm["title"],
            [lens.at("modalities", name, arm["key"], "opinion", "mean_score") for name in document["modalities"]],
        )
        for arm in document["study"]["arms"]
    ]


def omnibus(document: Document) -> list[tuple[str, str, Printed]]:
    """Tests over all arms at once."""
    lens = Lens(document)
    found: list[tuple[str, str, tuple[str, ...]]] = [
        ("All arms equal, F (readers and slices random: headline)", "f", ("omnibus", "mrmc")),
        ("Friedman (slice means; conditional on these readers)", "chi2", ("omnibus", "friedman")),
        ("Latency, Welch's ANOVA (compared arms)", "f", ("latency", "welch")),
        ("Latency, classic ANOVA (compared arms)", "f", ("latency", "anova")),
    ]
    return [(title, lens.number(*path, key).value, lens.p(*path, "p")) for title, key, path in found]


def mixed_models(document: Document) -> list[tuple[str, str, Printed]]:
    """Log odds of a higher score against the first arm, for both cumulative link mixed models."""
    lens, titles = Lens(document), {arm["key"]: arm["title"] for arm in document["study"]["arms"]}
    named = (
        ("clmm_crossed", "random slice, reader, slice × arm, reader × arm (confirms the headline)"),
        ("clmm", "random intercepts of slice and reader (conditional on these readers)"),
    )
    rows = []
    for key, name in named:
        odds = lens.find("omnibus", key, "log_odds")
        if "undefined" in odds:
            rows.append((name, "", lens.number("omnibus", key, "log_odds")))
            continue
        rows += [(name, titles.get(arm, arm), lens.at("omnibus", key, "log_odds", arm)) for arm in odds]
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
        ("readers", str(pooled.get("n_readers", len(study["readers"])))),
        ("scores", str(pooled.get("n_scores", 0))),
    ]


def secondary(document: Document) -> list[SecondaryRow]:
    lens, titles = Lens(document), {arm["key"]: arm["title"] for arm in document["study"]["arms"]}
    return [
        SecondaryRow(
            found["title"],
            titles[arm],
            lens.at("secondary", key, "arms", arm, "opinion", "mean_score"),
            lens.at("secondary", key, "arms", arm, "agreement", "fleiss_kappa"),
        )
        for key, found in document["secondary"].items()
        for arm in found["arms"]
    ]


def warnings(document: Document) -> list[str]:
    """What the statistics themselves warn of, each sentence once."""
    found = [*document.get("warnings", [])]
    titles = {arm["key"]: arm["title"] for arm in document["study"]["arms"]}
    for arm, block in document["arms"].items():
        found += [f"{titles[arm]}: {sentence}" for sentence in block["agreement"].get("warnings", [])]
    return [str(sentence) for sentence in found]
