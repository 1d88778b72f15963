"""What a snapshot is computed from: the tables' lines, and the facts of the study.

Pure data, readable back from an export, so that numbers can be recomputed without Django or a database.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from readerstudy.analytics.lines import (
    CheckLine,
    GuessLine,
    ImageLine,
    InputError,
    MarkLine,
    PairLine,
    RecordLine,
    ScoreLine,
    SessionLine,
    SetLine,
    from_csv,
    to_csv,
)

RESEARCH_USE = "Research use only, not for diagnosis"
TABLES: dict[str, type] = {
    "scores": ScoreLine,
    "pairs": PairLine,
    "sets": SetLine,
    "images": ImageLine,
    "marks": MarkLine,
    "checks": CheckLine,
    "guesses": GuessLine,
    "sessions": SessionLine,
    "records": RecordLine,
}
# Facts and tables that came later: where they say nothing they are left out of the hash, so that a snapshot from
# before them still holds what its hash names.
LATER_FACTS = ("extends", "chosen", "looks", "left")
LATER_TABLES = ("records",)


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
    """Everything beside the tables that a number or a figure depends on.

    ``extends``: title and id of the study whose slices these are; ``chosen``: what of the frame of slices was made by
    hand; ``looks``: how many people had seen how many drawn cases unblinded before the draw; ``left``: readers who
    were withdrawn or replaced.
    """

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
    pairwise: bool = False
    labels: list[str] = field(default_factory=list)
    extends: dict[str, str] = field(default_factory=dict)
    chosen: list[str] = field(default_factory=list)
    looks: dict[str, int] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)

    @property
    def primary_criterion(self) -> str:
        return str(self.plan["primary_criterion"])

    def arm(self, key: str) -> ArmFacts:
        return next(arm for arm in self.arms if arm.key == key)

    @property
    def reference(self) -> str:
        """Key of the hidden reference; empty where the study has none."""
        return next((arm.key for arm in self.arms if arm.role == "reference"), "")

    def compared(self) -> list[ArmFacts]:
        return [arm for arm in self.arms if arm.role == "compared"]


@dataclass(frozen=True)
class Inputs:
    """The whole input of one computation: the facts, and every table as its lines."""

    facts: StudyFacts
    scores: tuple[ScoreLine, ...] = ()
    pairs: tuple[PairLine, ...] = ()
    sets: tuple[SetLine, ...] = ()
    images: tuple[ImageLine, ...] = ()
    marks: tuple[MarkLine, ...] = ()
    checks: tuple[CheckLine, ...] = ()
    guesses: tuple[GuessLine, ...] = ()
    sessions: tuple[SessionLine, ...] = ()
    records: tuple[RecordLine, ...] = ()

    def scores_of(self, criterion: str) -> list[ScoreLine]:
        return [line for line in self.scores if line.criterion == criterion]

    def pairs_of(self, criterion: str) -> list[PairLine]:
        return [line for line in self.pairs if line.criterion == criterion]

    def tables(self) -> dict[str, str]:
        """Every table as CSV by its name; what a snapshot keeps."""
        return {name: to_csv(kind, getattr(self, name)) for name, kind in TABLES.items()}

    def digest(self, code_version: str) -> str:
        """SHA-256 over every table, plan and protocol, and the version of the code that computes."""
        facts = {k: v for k, v in asdict(self.facts).items() if v or k not in LATER_FACTS}
        tables = {k: v for k, v in self.tables().items() if getattr(self, k) or k not in LATER_TABLES}
        parts = [code_version, as_text(facts), tables]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def inputs_of(statistics: str, tables: Mapping[str, str]) -> Inputs:
    """The inputs back from what a snapshot keeps; a table it does not know is empty. Raises ``InputError``."""
    facts = facts_from_json(json.dumps(json.loads(statistics)["study"]))
    lines: dict[str, Any] = {
        name: tuple(from_csv(kind, tables[name], name)) for name, kind in TABLES.items() if name in tables
    }
    return Inputs(facts, **lines)


def facts_json(facts: StudyFacts) -> str:
    return as_text(asdict(facts))


def as_text(data: Mapping[str, Any]) -> str:
    return json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def facts_from_json(text: str) -> StudyFacts:
    """The facts back from ``study.json``; raises ``InputError``."""
    try:
        data: Mapping[str, Any] = json.loads(text)
        arms = [ArmFacts(**{f.name: arm[f.name] for f in fields(ArmFacts)}) for arm in data["arms"]]
        return StudyFacts(**{f.name: data[f.name] for f in fields(StudyFacts) if f.name in data} | {"arms": arms})
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"study.json can't be read ({error}); use the file as it was exported.") from error
