"""What a design is made of: the words, frozen."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal["balanced", "random", "blocked_by_modality", "pairwise"]
KINDS: tuple[str, ...] = get_args(Kind)


class DesignError(ValueError):
    """The design can't be made; the message says what to change."""


@dataclass(frozen=True)
class DesignSlice:
    """A slice as the order sees it: its id, its modality ("CT", "MR", "US") and its patient's pseudonym."""

    key: str
    modality: str
    patient: str


@dataclass(frozen=True)
class Design:
    """Everything but the secret that decides the orders.

    `arms`: number of arms, labelled 0 to arms - 1. `minimum_gap`: presentations from one showing of a slice
    to the next. `repeats`: how much is presented again in a later session; an int is a number of
    presentations, a float a share (0 to 1) of them. `pairs_per_slice`: pairwise only; None means all pairs.
    """

    arms: int
    slices: tuple[DesignSlice, ...]
    sessions: int
    kind: Kind = "balanced"
    minimum_gap: int = 10
    repeats: float | int = 0
    readers: int = 1
    reserves: int = 0
    pairs_per_slice: int | None = None


@dataclass(frozen=True)
class Position:
    """One presentation: `arms` is one arm, or (left, right) in a pairwise design.

    `position` counts from 0 within the session; `repeat_of` is the index of the first presentation in the
    reader's whole list; `round` counts from 0 and is None for repeats and in a random design.
    """

    session: int
    position: int
    slice: str
    arms: tuple[int, ...]
    repeat_of: int | None
    round: int | None


@dataclass(frozen=True)
class ReaderOrder:
    """One reader's whole list, in order of reading. Readers count from 0; reserves follow the readers."""

    reader: int
    positions: tuple[Position, ...]


def all_pairs(arms: int) -> list[tuple[int, int]]:
    """Every pair of two arms once, the smaller label first."""
    return [(a, b) for a in range(arms) for b in range(a + 1, arms)]


def rounds_of(design: Design) -> int:
    """How often a reader meets each slice, repeats apart."""
    if design.kind != "pairwise":
        return design.arms
    return design.pairs_per_slice or len(all_pairs(design.arms))


def session_bound(design: Design) -> int:
    """By how much the arms' counts may differ in a session.

    One, but two where sessions cut rounds that are themselves in blocks of a modality: a cut at the edge of
    a block then decides which slices, and so which arms, come before it.
    """
    return 2 if design.kind == "blocked_by_modality" and design.arms % design.sessions else 1


def blocks_avoidable(design: Design) -> bool:
    """Whether there is room to avoid blocks that hold every arm once.

    There is none with as many slices as arms, as each round is such a block, nor where the slices of one
    modality stand together and are so few.
    """
    if design.kind == "balanced":
        return len(design.slices) != design.arms
    smallest = min(Counter(s.modality for s in design.slices).values())
    sessions_per_round = -(-design.sessions // design.arms)
    return design.kind == "blocked_by_modality" and smallest >= 3 * design.arms * sessions_per_round


def repeat_count(design: Design) -> int:
    """Number of presentations shown again; a share is rounded up to whole presentations."""
    shown = rounds_of(design) * len(design.slices)
    if isinstance(design.repeats, int):
        return design.repeats
    exact = design.repeats * shown
    return int(exact) + (1 if exact - int(exact) > 1e-9 else 0)
