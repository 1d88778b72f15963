"""What a snapshot is computed from: lines of scores and metrics, and the facts of the study.

Pure data, readable back from an export, so that numbers can be recomputed without Django or a database.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import types
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeVar, get_args, get_type_hints

RESEARCH_USE = "Research use only, not for diagnosis"
CANNOT_JUDGE = "NA"


class InputError(ValueError):
    """A table or export that can't be read back, in one sentence that says where."""


@dataclass(frozen=True)
class ScoreLine:
    """One planned reading; ``score`` is "1".."5", "NA" (cannot judge) or "" (not read)."""

    slice: str
    arm: str
    reader: str
    score: str
    patient: str
    modality: str
    session: int
    repeat: int
    criterion: str
    position: int
    seconds: float | None
    simulated: int


@dataclass(frozen=True)
class SetLine:
    """FID-Med and KID of an arm's images, over all (``modality`` empty) or in one modality."""

    arm: str
    modality: str
    fid_med: float | None
    fid_med_low: float | None
    fid_med_high: float | None
    kid: float | None
    n: int
    n_patients: int
    marked: str
    simulated: int


@dataclass(frozen=True)
class ImageLine:
    """One reconstruction against its reference: PSNR in dB, SSIM, NMSE, feature distance, latency in ms."""

    arm: str
    modality: str
    patient: str
    slice: str
    psnr: float | None
    ssim: float | None
    nmse: float | None
    feature_distance: float | None
    latency_ms: float | None
    device: str
    pixels: str
    weights: str
    simulated: int


@dataclass(frozen=True)
class ArmFacts:
    """An arm as the protocol has it; ``runs``: devices, samplers, network calls and precisions."""

    key: str
    title: str
    method: str
    role: str
    levels: dict[str, float]
    runs: dict[str, list[Any]]


@dataclass(frozen=True)
class StudyFacts:
    """Everything beside the tables that a number or a figure depends on."""

    study: str
    title: str
    protocol_hash: str
    plan_hash: str
    plan: dict[str, Any]
    criteria: dict[str, str]
    categories: list[int]
    arms: list[ArmFacts]
    readers: list[str]
    seed: int
    draws: int
    simulated: bool

    @property
    def primary_criterion(self) -> str:
        return str(self.plan["primary_criterion"])

    def arm(self, key: str) -> ArmFacts:
        return next(arm for arm in self.arms if arm.key == key)

    def compared(self) -> list[ArmFacts]:
        return [arm for arm in self.arms if arm.role == "compared"]


@dataclass(frozen=True)
class Inputs:
    """The whole input of one computation."""

    facts: StudyFacts
    scores: tuple[ScoreLine, ...]
    sets: tuple[SetLine, ...]
    images: tuple[ImageLine, ...]

    def scores_of(self, criterion: str) -> list[ScoreLine]:
        return [line for line in self.scores if line.criterion == criterion]

    def digest(self, code_version: str) -> str:
        """SHA-256 over scores, metrics, plan and protocol, and the version of the code that computes."""
        parts = [
            code_version, facts_json(self.facts), to_csv(ScoreLine, self.scores),
            to_csv(SetLine, self.sets), to_csv(ImageLine, self.images),
        ]  # fmt: skip
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


Line = TypeVar("Line", ScoreLine, SetLine, ImageLine)


def to_csv(kind: type[Line], lines: Iterable[Line]) -> str:
    """CSV with a header; numbers in the shortest form that reads back to the same double."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    names = [field.name for field in fields(kind)]
    writer.writerow(names)
    for line in lines:
        writer.writerow([_cell(getattr(line, name)) for name in names])
    return stream.getvalue()


def from_csv(kind: type[Line], text: str, name: str = "the table") -> list[Line]:
    """The lines back; raises ``InputError`` naming the row and the column."""
    reader = csv.DictReader(io.StringIO(text))
    hints = get_type_hints(kind)
    missing = [column for column in hints if column not in (reader.fieldnames or ())]
    if missing:
        raise InputError(f"{name}: the column {missing[0]} is missing; use the file as it was exported.")
    return [
        kind(**{column: _value(hints[column], row[column], name, number, column) for column in hints})
        for number, row in enumerate(reader, start=2)
    ]


def facts_json(facts: StudyFacts) -> str:
    return json.dumps(asdict(facts), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def facts_from_json(text: str) -> StudyFacts:
    """The facts back from ``study.json``; raises ``InputError``."""
    try:
        data: Mapping[str, Any] = json.loads(text)
        kept = {field.name: data[field.name] for field in fields(StudyFacts)}
        arms = [ArmFacts(**{f.name: arm[f.name] for f in fields(ArmFacts)}) for arm in data["arms"]]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"study.json can't be read ({error}); use the file as it was exported.") from error
    return StudyFacts(**{**kept, "arms": arms})


def _cell(value: object) -> str:
    if value is None:
        return ""
    return repr(value) if isinstance(value, float) else str(value)


def _value(hint: Any, text: str | None, name: str, row: int, column: str) -> Any:
    optional = isinstance(hint, types.UnionType)
    if optional and not text:
        return None
    kind = get_args(hint)[0] if optional else hint
    try:
        return kind(text or "")
    except ValueError as error:
        raise InputError(f"{name}: row {row}, column {column}: '{text}' is not a number; correct it.") from error
