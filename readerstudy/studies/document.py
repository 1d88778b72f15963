"""A protocol as a page to read and print: the same parts and labels as the form, values in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from readerstudy.studies.protocol import ArmRule, CriterionRule, Protocol
from readerstudy.studies.queries import chosen_by_hand
from readerstudy.studies.wording import PARTS, WORDS, word

NOTHING = "\u2013"


@dataclass(frozen=True)
class Line:
    label: str
    value: str
    long: bool = False


@dataclass(frozen=True)
class ArmLine:
    title: str
    key: str
    method: str
    levels: str
    settings: str
    role: str


@dataclass(frozen=True)
class DocumentPart:
    """A part with its lines; the arms and criteria in their own shapes; ``notes`` stand out above them."""

    key: str
    title: str
    lines: tuple[Line, ...] = ()
    arms: tuple[ArmLine, ...] = ()
    criteria: tuple[CriterionRule, ...] = ()
    notes: tuple[str, ...] = ()


def document(protocol: Protocol) -> list[DocumentPart]:
    """Everything that the protocol and the plan say, in the order of the form."""
    return [_part(protocol, part.key, part.title, part.names) for part in PARTS]


def _part(protocol: Protocol, key: str, title: str, names: tuple[str, ...]) -> DocumentPart:
    if names == ("arms",):
        return DocumentPart(key, title, arms=tuple(map(_arm, protocol.arms)))
    if names == ("criteria",):
        return DocumentPart(key, title, criteria=tuple(protocol.criteria))
    lines = []
    for name in names:
        section, field = name.split(".")
        value = getattr(getattr(protocol, section), field)
        lines.append(Line(WORDS[name][0], _said(value), isinstance(value, str) and len(value) > 200))
    notes = tuple(chosen_by_hand(protocol.slices.picked, protocol.slices.left_out)) if key == "slices" else ()
    return DocumentPart(key, title, tuple(lines), notes=notes)


def _arm(arm: ArmRule) -> ArmLine:
    levels = ", ".join(f"{name} {level:g}" for name, level in sorted(arm.levels.items()))
    return ArmLine(arm.title, arm.key, arm.method, levels or "as acquired", _said(arm.settings), word(arm.role))


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return "; ".join(word(str(item)) for item in value) or NOTHING
    if isinstance(value, Mapping):
        return ", ".join(f"{key} = {_said(item)}" for key, item in value.items()) or NOTHING
    if value is None or value == "":
        return NOTHING
    return f"{value:g}" if isinstance(value, float) else word(value) if isinstance(value, str) else str(value)
