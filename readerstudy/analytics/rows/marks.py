"""Annotations and the hallucination ledger as the rows of tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from readerstudy.analytics.rows.people import arm_titles
from readerstudy.analytics.wording import Lens, Printed

Document = Mapping[str, Any]


@dataclass(frozen=True)
class RateRow:
    """Marks of one label on one arm's images; ``ratio`` is against the first arm."""

    label: str
    title: str
    marks: int
    images: int
    rate: Printed
    ratio: Printed | None
    agreement: Printed


@dataclass(frozen=True)
class LedgerRow:
    """What one arm lost or invented, of the images that were compared with their reference."""

    key: str
    title: str
    images: int
    lost: Printed
    invented: Printed
    grave: Printed
    confidence: Printed
    confirmed: str


@dataclass(frozen=True)
class ContrastRow:
    earlier: str
    later: str
    kind: str
    difference: Printed
    ratio: Printed


def rates(document: Document) -> list[RateRow]:
    """By label and arm; empty where the protocol has no labels or nothing was read."""
    found, lens, titles = document.get("annotations", {}), Lens(document), arm_titles(document)
    if "undefined" in found:
        return []
    rows = []
    for label, section in found.items():
        first = next(iter(section["arms"]), "")
        places = {pair["arms"][1]: i for i, pair in enumerate(section["ratios"]) if pair["arms"][0] == first}
        for arm, own in section["arms"].items():
            path = ("annotations", label)
            ratio = lens.at(*path, "ratios", places[arm], "rate_ratio") if arm in places else None
            rows.append(
                RateRow(
                    label,
                    titles[arm],
                    own["marks"],
                    own["images"],
                    lens.at(*path, "arms", arm, "rate", digits=3),
                    ratio,
                    lens.at(*path, "agreement", arm, "gwet_ac1"),
                )
            )
    return rows


def ledger(document: Document) -> list[LedgerRow]:
    """One row per arm; empty where the study has no fidelity pass."""
    found, lens, titles = document.get("fidelity", {}), Lens(document), arm_titles(document)
    rows = []
    for arm, own in found.get("arms", {}).items():
        path = ("fidelity", "arms", arm)
        either = own["either"]
        rows.append(
            LedgerRow(
                arm,
                titles[arm],
                own["images"],
                lens.at(*path, "lost", "image_share", digits=1, scale=100),
                lens.at(*path, "invented", "image_share", digits=1, scale=100),
                lens.at(*path, "either", "report_share", digits=1, scale=100),
                lens.at(*path, "either", "mean_confidence", digits=1),
                f"{either['confirmed']} of {either['shown_to_several']}",
            )
        )
    return rows


def contrasts(document: Document) -> list[ContrastRow]:
    """Differences between arms in the share of images with a lost or an invented structure."""
    found, lens, titles = document.get("fidelity", {}), Lens(document), arm_titles(document)
    return [
        ContrastRow(
            titles[pair["arms"][0]],
            titles[pair["arms"][1]],
            pair["kind"],
            lens.at("fidelity", "contrasts", place, "share_difference", digits=1, scale=100),
            lens.at("fidelity", "contrasts", place, "share_ratio"),
        )
        for place, pair in enumerate(found.get("contrasts", []))
        if pair["kind"] != "either"
    ]
