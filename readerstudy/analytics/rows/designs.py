"""What only some designs have, as the rows of tables: pairwise studies, and arms at several levels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from readerstudy.analytics.rows.people import arm_titles
from readerstudy.analytics.wording import Lens, Printed

Document = Mapping[str, Any]


@dataclass(frozen=True)
class AbilityRow:
    title: str
    ability: Printed
    against: list[str]


@dataclass(frozen=True)
class PairsTable:
    """One criterion of a pairwise study: abilities, and of each other arm how often it was beaten."""

    criterion: str
    judged: int
    refused: int
    others: list[str]
    rows: list[AbilityRow]
    tie: Printed
    side_bias: Printed
    triads: str
    consistency: list[tuple[str, Printed]]


@dataclass(frozen=True)
class RungRow:
    level: str
    title: str
    mean: Printed
    both: Printed
    step: Printed


@dataclass(frozen=True)
class LadderTable:
    """One method in one modality, from the lowest level up."""

    method: str
    modality: str
    rows: list[RungRow]
    slope: Printed
    limit: str


def pairs(document: Document) -> list[PairsTable]:
    lens, titles = Lens(document), arm_titles(document)
    tables = []
    for key, found in document.get("pairs", {}).items():
        path = ("pairs", key, "bradley_terry")
        model, wins = found["bradley_terry"], found["wins"]
        triads = model.get("circular_triads", {})
        rows = [
            AbilityRow(
                titles[arm], lens.at(*path, "log_ability", arm), [_record(wins[arm].get(other)) for other in wins]
            )
            for arm in wins
        ]
        tables.append(
            PairsTable(
                document["study"]["criteria"][key],
                found["n_judged"],
                found["n_cannot_judge"],
                [titles[arm] for arm in wins],
                rows,
                lens.at(*path, "log_tie"),
                lens.at(*path, "side_bias"),
                f"{triads['count']} of {triads['triples']}" if triads else "undefined",
                [
                    (name, lens.at("pairs", key, "consistency", name, "same_choice_share", digits=1, scale=100))
                    for name in found["consistency"]
                ],
            )
        )
    return tables


def _record(record: Mapping[str, int] | None) -> str:
    return f"{record['won']} : {record['equal']} : {record['lost']}" if record else ""


def ladders(document: Document) -> list[LadderTable]:
    lens, titles = Lens(document), arm_titles(document)
    tables = []
    for modality, methods in document.get("ladders", {}).items():
        for method, found in methods.items():
            path = ("ladders", modality, method)
            rows = [
                RungRow(
                    level_text(found["levels"][rung["arm"]], modality),
                    titles[rung["arm"]],
                    lens.at(*path, "rungs", place, "mean_score"),
                    lens.at(*path, "rungs", place, "mean_score_slices_readers"),
                    lens.at(*path, "rungs", place, "step"),
                )
                for place, rung in enumerate(found["rungs"])
            ]
            tables.append(
                LadderTable(
                    method_title(document, found),
                    modality,
                    rows,
                    lens.at(*path, "slope_per_doubling"),
                    _limit(document, found, modality),
                )
            )
    return tables


def _limit(document: Document, found: Mapping[str, Any], modality: str) -> str:
    """The furthest level that is not inferior, or why there is none, with arms by their titles."""
    limit, titles = found["limit"], arm_titles(document)
    if "arm" in limit:
        level = level_text(found["levels"][limit["arm"]], modality)
        return f"{level} ({titles[limit['arm']]}), margin {limit['margin']:g}"
    first, comma, rest = limit["undefined"].partition(",")
    return f"{titles.get(first, first)}{comma}{rest}"


def method_title(document: Document, ladder: Mapping[str, Any]) -> str:
    """What the titles of a ladder's arms have in common, as "TV-Recon" of "TV-Recon 25 %" and "TV-Recon 50 %"."""
    titles = arm_titles(document)
    columns = zip(*(titles[arm].split() for arm in ladder["levels"]), strict=False)
    words = [column[0] for column in takewhile(lambda column: len(set(column)) == 1, columns)]
    return " ".join(words) or " / ".join(titles[arm] for arm in ladder["levels"])


def level_text(level: float, modality: str) -> str:
    """A level as one says it: a share of the dose, an acceleration, a signal-to-noise ratio."""
    if modality == "CT":
        return f"{100 * level:g} % dose"
    return f"{level:g}x" if modality == "MR" else f"{level:g} dB"
