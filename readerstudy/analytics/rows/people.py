"""The readers as rows: how they score, how they agree with themselves, how they read, what they guessed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from readerstudy.analytics.wording import Lens, Printed

Document = Mapping[str, Any]


@dataclass(frozen=True)
class ReaderRow:
    name: str
    bias: Printed
    correlation: Printed
    repeats: Printed
    repeat_kappa: Printed


def readers(document: Document) -> list[ReaderRow]:
    lens = Lens(document)
    return [
        ReaderRow(
            name,
            lens.at("readers", name, "bias"),
            lens.at("readers", name, "correlation_with_others"),
            lens.at("intra_reader", name, "exact_repeat_share", digits=1, scale=100),
            lens.at("intra_reader", name, "weighted_kappa_quadratic"),
        )
        for name in document["readers"]
    ]


@dataclass(frozen=True)
class PaceRow:
    """How one reader read: time per image with pauses left out, and drift over the whole order."""

    name: str
    images: int
    median: Printed
    quartiles: str
    too_fast: Printed
    idle_minutes: str
    drift: Printed
    per_session: Printed


@dataclass(frozen=True)
class GuessRow:
    """One arm's images: what the readers took them for."""

    title: str
    n: int
    counts: list[tuple[str, int, bool]]
    share: Printed
    bang: Printed


@dataclass(frozen=True)
class LeaveOneOutRow:
    """A headline number with all readers, and without each of them in turn."""

    title: str
    number: str
    everybody: Printed
    without: list[Printed]


@dataclass(frozen=True)
class SensitivityRow:
    """A headline number as planned, and without what one may doubt."""

    title: str
    planned: Printed
    without: Printed


def paces(document: Document) -> list[PaceRow]:
    lens, rows = Lens(document), []
    for name, found in document.get("reading", {}).items():
        overall, path = found["overall"], ("reading", name)
        timed = isinstance(overall["median_s"], float)
        rows.append(
            PaceRow(
                name,
                overall["n"],
                lens.number(*path, "overall", "median_s", digits=1),
                f"{overall['q1_s']:.1f} to {overall['q3_s']:.1f}" if timed else "",
                lens.at(*path, "overall", "too_fast", digits=1, scale=100),
                f"{overall['idle_s'] / 60:.0f}",
                lens.at(*path, "deviation_per_100_images"),
                lens.at(*path, "deviation_per_session"),
            )
        )
    return rows


def leave_one_out(document: Document) -> list[LeaveOneOutRow]:
    """Means, agreement and differences; empty where fewer than two readers scored."""
    lens, titles, names = Lens(document), arm_titles(document), list(document["readers"])
    if len(names) < 2:
        return []
    rows = [
        LeaveOneOutRow(
            titles[arm], number, lens.at("arms", arm, *path), [lens.at("readers", name, key, arm) for name in names]
        )
        for key, number, path in (
            ("mean_score_without", "Mean score", ("opinion", "mean_score_slices_readers")),
            ("fleiss_kappa_without", "Fleiss' kappa", ("agreement", "fleiss_kappa")),
        )
        for arm in document["arms"]
    ]
    for place, pair in enumerate(document["comparisons"]):
        earlier, later = pair["arms"]
        without = [lens.at("readers", name, "mrmc_without", f"{later} - {earlier}") for name in names]
        title = f"{titles[later]} − {titles[earlier]}"
        rows.append(LeaveOneOutRow(title, "Difference", lens.at("comparisons", place, "mrmc"), without))
    return rows


def guesses(document: Document) -> list[GuessRow]:
    """Rows of the confusion matrix; right guesses are marked. Empty where nobody was asked."""
    found = document.get("blinding", {})
    if "arms" not in found:
        return []
    lens, titles = Lens(document), arm_titles(document)
    return [
        GuessRow(
            titles[arm],
            own["n"],
            [(titles.get(guess, guess), count, guess == arm) for guess, count in found["confusion"][arm].items()],
            lens.at("blinding", "arms", arm, "share_correct", digits=1, scale=100),
            lens.at("blinding", "arms", arm, "bang_index"),
        )
        for arm, own in found["arms"].items()
    ]


def sensitivity(document: Document) -> list[SensitivityRow]:
    """Means and differences with and without sessions on displays that failed their check."""
    path = ("sensitivity", "without_flagged_displays")
    lens, titles = Lens(document), arm_titles(document)
    headline = lens.find(*path, "headline")
    if "undefined" in headline:
        return []
    rows = [
        SensitivityRow(
            titles[arm],
            lens.at("arms", arm, "opinion", "mean_score_slices_readers"),
            lens.at(*path, "headline", "mean_score", arm),
        )
        for arm in headline["mean_score"]
    ]
    for place, pair in enumerate(document["comparisons"]):
        earlier, later = pair["arms"]
        rows.append(
            SensitivityRow(
                f"{titles[later]} − {titles[earlier]}",
                lens.at("comparisons", place, "mrmc"),
                lens.at(*path, "headline", "mrmc", f"{later} - {earlier}"),
            )
        )
    return rows


def arm_titles(document: Document) -> dict[str, str]:
    return {arm["key"]: arm["title"] for arm in document["study"]["arms"]}
