"""How balanced finished orders are: every rule with its bound and what was measured, reader by reader."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from readerstudy.schedules.designs.measures import ReaderView
from readerstudy.schedules.designs.sessions import reachable_gaps
from readerstudy.schedules.designs.types import (
    Design,
    ReaderOrder,
    blocks_avoidable,
    repeat_count,
    rounds_of,
    session_bound,
)

Sense = Literal["at most", "at least"]
FEW_PRESENTATIONS = 12


@dataclass(frozen=True)
class Rule:
    """One rule: `measured` is the worst of all readers. Rules that aren't `required` are for information."""

    key: str
    text: str
    sense: Sense
    bound: int
    required: bool
    note: str
    by_reader: tuple[int, ...]

    @property
    def measured(self) -> int:
        return max(self.by_reader) if self.sense == "at most" else min(self.by_reader)

    @property
    def holds(self) -> bool:
        return self.measured <= self.bound if self.sense == "at most" else self.measured >= self.bound


@dataclass(frozen=True)
class BalanceReport:
    """Every rule, in a fixed order; `readers` are the numbers that `Rule.by_reader` belongs to."""

    readers: tuple[int, ...]
    rules: tuple[Rule, ...]

    @property
    def holds(self) -> bool:
        """Whether every required rule holds."""
        return all(rule.holds for rule in self.rules if rule.required)

    @property
    def broken(self) -> tuple[Rule, ...]:
        """The required rules that don't hold."""
        return tuple(rule for rule in self.rules if rule.required and not rule.holds)

    def __getitem__(self, key: str) -> Rule:
        return next(rule for rule in self.rules if rule.key == key)


def balance_report(design: Design, orders: Sequence[ReaderOrder]) -> BalanceReport:
    """Measures finished orders, wherever they come from, against the design; reads nothing but the two."""
    if not orders:
        raise ValueError("There are no orders to report on; make them first.")
    sheet = _Sheet(design, orders)
    _shown(sheet)
    _balance(sheet)
    _sequence(sheet)
    _repeats(sheet)
    if design.kind == "pairwise":
        _pairwise(sheet)
    _unlike(sheet)
    return BalanceReport(tuple(order.reader for order in orders), tuple(sheet.rules))


class _Sheet:
    """Collects the rules while the orders are measured."""

    def __init__(self, design: Design, orders: Sequence[ReaderOrder]) -> None:
        self.design = design
        self.views = [ReaderView(design, order) for order in orders]
        self.rules: list[Rule] = []
        self.what = "pair" if design.kind == "pairwise" else "arm"
        self.rounded = design.kind in ("balanced", "blocked_by_modality")

    def add(
        self,
        key: str,
        text: str,
        measure: Callable[[ReaderView], int],
        bound: int = 0,
        sense: Sense = "at most",
        required: bool = True,
        note: str = "",
    ) -> None:
        by_reader = tuple(measure(view) for view in self.views)
        if not required and not note:
            note = f"For information: the {self.design.kind} design doesn't promise it."
        self.rules.append(Rule(key, text, sense, bound, required, note, by_reader))


def _shown(sheet: _Sheet) -> None:
    text = "Versions of a slice missing or shown too often, repeats apart"
    sheet.add("complete", text, ReaderView.incomplete)
    text = "Positions whose session or number doesn't follow the one before"
    sheet.add("numbering", text, ReaderView.misnumbered)
    if sheet.design.kind != "random":
        sheet.add("once_a_round", "Slices missing from a round or twice in one", ReaderView.round_faults)
    if sheet.design.kind == "blocked_by_modality":
        text = "Changes of modality within rounds beyond one block each, repeats apart"
        sheet.add("modality_blocks", text, ReaderView.extra_modality_changes)


def _balance(sheet: _Sheet) -> None:
    needed, bound, much = (
        sheet.rounded,
        session_bound(sheet.design),
        f"Most minus least often seen {sheet.what}",
    )
    text = f"{much} in a session"
    sheet.add("arms_per_session", text, ReaderView.session_range, bound, required=needed)
    text += ", repeats apart"
    sheet.add("arms_per_session_first", text, ReaderView.session_range_first, bound, required=needed)
    text = f"{much} as the first version of a slice"
    sheet.add("first_seen", text, ReaderView.first_seen_range, 1, required=needed)
    text = f"Most minus least frequent ordered pair of {sheet.what}s in succession on a slice"
    sheet.add("succession", text, ReaderView.succession_range, 2, required=needed)
    if sheet.design.kind != "random":
        sheet.add("arms_per_round", f"{much} in a round", ReaderView.round_range, 1, required=needed)
        text = f"Most minus least used row ({sheet.what}s by round) within a modality"
        sheet.add("rows", text, ReaderView.row_range, 1, required=needed)


def _sequence(sheet: _Sheet) -> None:
    design, n = sheet.design, len(sheet.design.slices)
    repeats, rounds = repeat_count(design), rounds_of(design)
    gap = reachable_gaps(rounds, n, design.sessions, design.minimum_gap, repeats)[-1]
    note = ""
    if gap < design.minimum_gap:
        note = f"With {n} slices, each once a round, {gap} can be the most that the other rules leave room for."
    text = "Presentations from one showing of a slice to the next"
    sheet.add("gap", text, ReaderView.smallest_gap, gap, sense="at least", note=note)
    text = f"The same {sheet.what} in a row"
    sheet.add("runs", text, ReaderView.longest_run, 3, required=design.kind != "random" and rounds > 1)
    avoidable = blocks_avoidable(design)
    note = "" if avoidable or not sheet.rounded else "So few slices leave no room to avoid such blocks."
    text = f"Sessions in which each block of as many presentations as {sheet.what}s holds all of them"
    sheet.add("blocks", text, ReaderView.block_faults, required=avoidable, note=note)


def _repeats(sheet: _Sheet) -> None:
    wanted = repeat_count(sheet.design)
    text = "Repeats more or fewer than the design asks for"
    sheet.add("repeats", text, lambda view: abs(len(view.repeats) - wanted))
    text = "Repeats that aren't the same version, with sides turned, in a later session"
    sheet.add("repeats_later", text, ReaderView.repeat_faults)
    text = f"Most minus least often repeated {sheet.what}"
    sheet.add("repeats_per_arm", text, ReaderView.repeat_range, 2, required=False)


def _pairwise(sheet: _Sheet) -> None:
    sheet.add("sides_per_pair", "Left minus right of an arm within a pair", ReaderView.pair_side_range, 1)
    text = "Left minus right of an arm over all its pairs, repeats apart"
    sheet.add("sides_per_arm", text, ReaderView.arm_side_range, 1)
    text = "Most minus least often shown pair, repeats apart"
    sheet.add("pairs_use", text, ReaderView.pair_range, 1)
    sheet.add("connected", "Slices whose pairs don't connect all arms", ReaderView.unconnected)


def _unlike(sheet: _Sheet) -> None:
    """Chance gives two readers one order only where there are few orders."""
    alike = Counter(view.order.positions for view in sheet.views)
    few = len(sheet.design.slices) * rounds_of(sheet.design) < FEW_PRESENTATIONS
    note = "So few presentations have too few orders for all readers to differ." if few else ""
    text = "Other readers with the very same order"
    sheet.add("unlike", text, lambda view: alike[view.order.positions] - 1, required=not few, note=note)
