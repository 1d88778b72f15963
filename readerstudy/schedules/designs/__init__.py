"""The orders of a study: who sees which arm of which slice when, drawn from one secret.

The rules are those of a balanced order: as many rounds as arms, each slice once a round, the arm of a slice
in each round from a row of a Williams square. `balance_report` measures every rule on finished orders.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from readerstudy.schedules.commitment import SECRET_BYTES
from readerstudy.schedules.designs.checks import check_design
from readerstudy.schedules.designs.pairs import choose_sides, even_rounds, spread_pairs
from readerstudy.schedules.designs.random import random_order
from readerstudy.schedules.designs.repeats import RepeatPlacer, Showing
from readerstudy.schedules.designs.report import BalanceReport, Rule, balance_report
from readerstudy.schedules.designs.rounds import RoundSearch, betrays_blocks, order_rounds
from readerstudy.schedules.designs.rows import Row, spread_rows
from readerstudy.schedules.designs.sessions import reachable_gaps, session_lengths
from readerstudy.schedules.designs.types import (
    Design,
    DesignError,
    DesignSlice,
    Position,
    ReaderOrder,
    all_pairs,
    blocks_avoidable,
    repeat_count,
    rounds_of,
    session_bound,
)
from readerstudy.schedules.stream import Stream

__all__ = [
    "BalanceReport",
    "Design",
    "DesignError",
    "DesignSlice",
    "Position",
    "ReaderOrder",
    "Rule",
    "balance_report",
    "make_orders",
    "orders_to_json",
]

LABEL = "design/v1"
FIRST_ATTEMPTS = 12
LAST_ATTEMPTS = 150
LARGE = 200
LARGE_ATTEMPTS = 40
LENIENT_AFTER = 2
REPEAT_TRIES = 12
EVEN_TRIES = 6
REDRAWS = 16
SWEEPS = 60
PAIR_SWEEPS = 72


def make_orders(design: Design, secret: bytes) -> tuple[ReaderOrder, ...]:
    """One order per reader, then one per reserve; the same for the same design and secret, anywhere.

    Raises DesignError, with one sentence that says what to change, if the design can't be made.
    """
    if len(secret) != SECRET_BYTES:
        raise ValueError(f"The secret has {len(secret)} bytes; make one of exactly {SECRET_BYTES} random bytes.")
    check_design(design)
    stream = Stream(secret, LABEL)
    subsets = _pair_subsets(design, stream.substream("pairs"))
    taken: set[tuple[Position, ...]] = set()
    orders = []
    for reader in range(design.readers + design.reserves):
        own = stream.substream(f"reader/{reader}")
        for redraw in range(REDRAWS):
            positions = _ReaderDraw(design, subsets, own.substream(f"draw/{redraw}")).positions()
            if positions not in taken:
                break
        taken.add(positions)
        orders.append(ReaderOrder(reader, positions))
    return tuple(orders)


def orders_to_json(orders: Sequence[ReaderOrder]) -> list[dict[str, Any]]:
    """The orders as plain lists, objects, text and integers, for storing and for the commitment."""
    return [
        {
            "reader": order.reader,
            "positions": [
                {
                    "session": p.session,
                    "position": p.position,
                    "slice": p.slice,
                    "arms": list(p.arms),
                    "repeat_of": p.repeat_of,
                    "round": p.round,
                }
                for p in order.positions
            ],
        }
        for order in orders
    ]


def _pair_subsets(design: Design, stream: Stream) -> list[Row] | None:
    """Per slice the numbers of its pairs where not all are shown; the same for every reader."""
    if design.kind != "pairwise" or rounds_of(design) == len(all_pairs(design.arms)):
        return None
    numbers = {pair: number for number, pair in enumerate(all_pairs(design.arms))}
    chosen = spread_pairs(design, rounds_of(design), stream)
    return [tuple(numbers[pair] for pair in pairs) for pairs in chosen]


class _ReaderDraw:
    """The draw of one reader's order. An item is an arm or, in a pairwise design, a pair of arms."""

    def __init__(self, design: Design, subsets: list[Row] | None, stream: Stream) -> None:
        self.design, self.subsets, self.stream = design, subsets, stream
        self.modalities = [s.modality for s in design.slices]
        self.rounds = rounds_of(design)
        self.pairs = all_pairs(design.arms) if design.kind == "pairwise" else []
        self.items = len(self.pairs) or design.arms
        self.blocked = design.kind == "blocked_by_modality"

    def positions(self) -> tuple[Position, ...]:
        """The finished order."""
        gaps = reachable_gaps(
            self.rounds,
            len(self.modalities),
            self.design.sessions,
            self.design.minimum_gap,
            repeat_count(self.design),
        )
        for number, gap in enumerate(gaps):
            attempts = LAST_ATTEMPTS if number == len(gaps) - 1 else FIRST_ATTEMPTS
            if self.rounds * len(self.modalities) > LARGE:
                attempts = min(attempts, LARGE_ATTEMPTS)
            for attempt in range(attempts):
                chance = self.stream.substream(f"gap/{gap}/attempt/{attempt}")
                first = self._first_showings(gap, attempt, chance)
                complete = first and self._with_repeats(first, gap, chance)
                if complete:
                    return self._as_positions(complete, chance)
        raise DesignError(
            f"No balanced order was found for {len(self.modalities)} slices, {self.items} versions of each "
            f"and {self.design.sessions} sessions; use fewer repeats or sessions, or more slices."
        )

    def _lengths(self, gap: int) -> tuple[int, ...]:
        return session_lengths(self.rounds, len(self.modalities), self.design.sessions, gap)

    def _first_showings(self, gap: int, attempt: int, chance: Stream) -> list[Showing] | None:
        """Everything once, repeats apart; None if the rules weren't reached in this attempt."""
        n = len(self.modalities)
        lengths = self._lengths(gap)
        if self.design.kind == "random":
            shown = random_order(n, self.items, gap, chance.substream("order"))
        else:
            ordered = order_rounds(self.modalities, self.rounds, gap, self.blocked, chance.substream("order"))
            search = RoundSearch(
                ordered, self._rows(lengths, chance), self._groups(), self.items, lengths, gap, self.blocked
            )
            sweeps = max(3, PAIR_SWEEPS // self.items) if self.pairs else SWEEPS
            if not search.repair(chance.substream("repair"), sweeps) and not self._bearable(search, attempt):
                return None
            shown = search.result()
        sessions = [s for s, length in enumerate(lengths) for _ in range(length)]
        in_rounds = self.design.kind != "random"
        return [
            Showing(index, item, session, spot // n if in_rounds else None)
            for spot, ((index, item), session) in enumerate(zip(shown, sessions, strict=True))
        ]

    def _bearable(self, search: RoundSearch, attempt: int) -> bool:
        """Whether what couldn't be repaired breaks no rule of this kind of design; never at once."""
        if self.design.kind == "balanced" or attempt < LENIENT_AFTER or search.has_long_run():
            return False
        if self.design.kind == "pairwise":
            return True
        even = search.session_range() <= session_bound(self.design)
        return even and not (blocks_avoidable(self.design) and search.betrays())

    def _rows(self, lengths: tuple[int, ...], chance: Stream) -> list[Row]:
        if self.subsets is None:
            return spread_rows(self.items, self.modalities, lengths, chance.substream("rows"))
        return even_rounds(self.subsets, chance.substream("rows"))

    def _groups(self) -> list[str]:
        """Slices of one group may exchange their rows; with fixed pairs per slice none may."""
        return self.modalities if self.subsets is None else [s.key for s in self.design.slices]

    def _with_repeats(self, first: list[Showing], gap: int, chance: Stream) -> list[Showing] | None:
        number = repeat_count(self.design)
        if not number:
            return first
        for again in range(REPEAT_TRIES):
            placer = RepeatPlacer(
                first,
                self.modalities,
                self.items,
                self.design.sessions,
                gap,
                self.design.kind,
                chance.substream(f"repeats/{again}"),
            )
            if placer.place(number, again < EVEN_TRIES) and not self._betrays(placer.list):
                return placer.list
        return None

    def _betrays(self, showings: Sequence[Showing]) -> bool:
        if not blocks_avoidable(self.design):
            return False
        sessions: list[list[int]] = [[] for _ in range(self.design.sessions)]
        for showing in showings:
            sessions[showing.session].append(showing.item)
        return any(betrays_blocks(items, self.items) for items in sessions)

    def _as_positions(self, showings: Sequence[Showing], chance: Stream) -> tuple[Position, ...]:
        index = {id(showing): spot for spot, showing in enumerate(showings)}
        arms = self._arms(showings, chance)
        started: dict[int, int] = {}
        positions = []
        for spot, showing in enumerate(showings):
            start = started.setdefault(showing.session, spot)
            positions.append(
                Position(
                    session=showing.session,
                    position=spot - start,
                    slice=self.design.slices[showing.slice].key,
                    arms=arms[spot],
                    repeat_of=index[id(showing.first)] if showing.first else None,
                    round=showing.round,
                )
            )
        return tuple(positions)

    def _arms(self, showings: Sequence[Showing], chance: Stream) -> list[tuple[int, ...]]:
        if not self.pairs:
            return [(showing.item,) for showing in showings]
        first = [showing for showing in showings if showing.first is None]
        repeated = {id(showing.first) for showing in showings if showing.first}
        sides = choose_sides(
            [self.pairs[showing.item] for showing in first],
            [id(showing) in repeated for showing in first],
            chance.substream("sides"),
        )
        side = {id(showing): pair for showing, pair in zip(first, sides, strict=True)}
        return [side[id(s)] if s.first is None else tuple(reversed(side[id(s.first)])) for s in showings]
