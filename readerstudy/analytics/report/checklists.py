"""GRRAS and CLAIM 2024, filled in as far as the database knows; what only authors can write is marked as a gap."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

LISTS = {"grras": "GRRAS", "claim": "CLAIM 2024"}


@dataclass(frozen=True)
class Item:
    """One item as asked; ``fill`` names an answer, ``partly`` what remains to be said beside it."""

    number: str
    section: str
    asks: str
    fill: str = ""
    partly: str = ""


@dataclass(frozen=True)
class Answered:
    """``state``: filled, partly or gap."""

    item: Item
    answer: str
    state: str


@dataclass(frozen=True)
class Checklist:
    title: str
    items: list[Answered]

    @property
    def gaps(self) -> int:
        return sum(answered.state == "gap" for answered in self.items)


@cache
def items(name: str) -> tuple[Item, ...]:
    """The items of a list in their order."""
    rows = tomllib.loads(Path(__file__).with_name(f"{name}.toml").read_text())["item"]
    return tuple(Item(**row) for row in rows)


def filled(answers: Mapping[str, str]) -> list[Checklist]:
    """Both lists; an answer that the study does not have leaves its item a gap."""
    return [Checklist(title, [_answered(item, answers) for item in items(name)]) for name, title in LISTS.items()]


def _answered(item: Item, answers: Mapping[str, str]) -> Answered:
    answer = answers.get(item.fill, "") if item.fill else ""
    if not answer:
        return Answered(item, "", "gap")
    return Answered(item, answer, "partly" if item.partly else "filled")
