"""What is counted in one reader's order; it knows nothing of how orders are made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import groupby, pairwise, permutations

from readerstudy.schedules.designs.types import Design, Position, ReaderOrder, all_pairs, rounds_of

Item = tuple[int, ...]


def spread(counts: Iterable[int]) -> int:
    """Largest minus smallest count; 0 of none."""
    values = list(counts)
    return max(values) - min(values) if values else 0


class ReaderView:
    """One reader's order, counted. An item is an arm, or a pair of arms whichever stands on the left."""

    def __init__(self, design: Design, order: ReaderOrder) -> None:
        self.design, self.order = design, order
        pairs = design.kind == "pairwise"
        self.all_items: list[Item] = list(all_pairs(design.arms)) if pairs else [(a,) for a in range(design.arms)]
        self.first = [p for p in order.positions if p.repeat_of is None]
        self.repeats = [p for p in order.positions if p.repeat_of is not None]
        self.sessions: list[list[Position]] = [[] for _ in range(design.sessions)]
        for p in order.positions:
            if 0 <= p.session < design.sessions:
                self.sessions[p.session].append(p)
        self.by_slice: dict[str, list[Item]] = {s.key: [] for s in design.slices}
        for p in self.first:
            self.by_slice.setdefault(p.slice, []).append(item_of(p))

    def _spread_of(self, positions: Iterable[Position]) -> int:
        counts = Counter(item_of(p) for p in positions)
        return spread(counts[item] for item in self.all_items)

    def incomplete(self) -> int:
        """Items missing, shown too often or unknown, over all slices."""
        wanted = rounds_of(self.design)
        known = set(self.all_items)
        faults = 0
        for key in self.by_slice:
            counts = Counter(self.by_slice[key])
            right = sum(1 for item in counts if item in known)
            faults += abs(wanted - right) + sum(c - 1 for c in counts.values()) + len(counts) - right
        return faults + sum(len(self.by_slice[key]) for key in self.by_slice if key not in self._keys())

    def _keys(self) -> set[str]:
        return {s.key for s in self.design.slices}

    def misnumbered(self) -> int:
        """Positions out of turn, and sessions without any."""
        faults = sum(not session for session in self.sessions)
        session, number = 0, -1
        for p in self.order.positions:
            expected = {(session, number + 1), (session + 1, 0)} if number >= 0 else {(0, 0)}
            faults += (p.session, p.position) not in expected
            session, number = p.session, p.position
        return faults

    def round_faults(self) -> int:
        """Slices missing from a round, or in it more than once, and rounds out of turn."""
        counts = Counter((p.round, p.slice) for p in self.first)
        wanted = {(r, s.key) for r in range(rounds_of(self.design)) for s in self.design.slices}
        out_of_turn = sum((a.round or 0) > (b.round or 0) for a, b in pairwise(self.first))
        return sum(counts[key] != 1 for key in wanted | set(counts)) + out_of_turn

    def session_range(self) -> int:
        """Worst session, repeats included."""
        return max(self._spread_of(session) for session in self.sessions)

    def session_range_first(self) -> int:
        """Worst session, repeats left out."""
        return max(self._spread_of(p for p in s if p.repeat_of is None) for s in self.sessions)

    def round_range(self) -> int:
        """Worst round."""
        rounds: dict[int | None, list[Position]] = {}
        for p in self.first:
            rounds.setdefault(p.round, []).append(p)
        return max(self._spread_of(positions) for positions in rounds.values())

    def first_seen_range(self) -> int:
        """Over the slices' first versions."""
        counts = Counter(items[0] for items in self.by_slice.values() if items)
        return spread(counts[item] for item in self.all_items)

    def succession_range(self) -> int:
        """Over the ordered pairs of items that follow each other on a slice."""
        counts = Counter(pair for items in self.by_slice.values() for pair in pairwise(items))
        return spread(counts[pair] for pair in permutations(self.all_items, 2))

    def row_range(self) -> int:
        """Worst modality; a row never used by any slice counts as used 0 times."""
        count = len(self.all_items)
        rows = count if count % 2 == 0 or count == 1 else 2 * count
        known = {tuple(items) for items in self.by_slice.values()}
        worst = 0
        for modality in sorted({s.modality for s in self.design.slices}):
            used = Counter(tuple(self.by_slice[s.key]) for s in self.design.slices if s.modality == modality)
            values = [used[row] for row in known] + [0] * (rows - len(known))
            worst = max(worst, spread(values))
        return worst

    def longest_run(self) -> int:
        """The same item in a row, across the borders of sessions too."""
        return max(len(list(run)) for _, run in groupby(self.order.positions, key=item_of))

    def smallest_gap(self) -> int:
        """Presentations from a showing of a slice to its next; the list's length where none comes twice."""
        last: dict[str, int] = {}
        gap = len(self.order.positions)
        for spot, p in enumerate(self.order.positions):
            if p.slice in last:
                gap = min(gap, spot - last[p.slice])
            last[p.slice] = spot
        return gap

    def block_faults(self) -> int:
        """Sessions cut, from some place on, into blocks of all items: two from the start, else four."""
        size = len(self.all_items)
        if size < 2:
            return 0
        faults = 0
        for session in self.sessions:
            items = [item_of(p) for p in session]
            for shift in range(size):
                blocks = [items[i : i + size] for i in range(shift, len(items) - size + 1, size)]
                enough = len(blocks) >= (4 if shift else 2)
                if enough and all(len(set(block)) == size for block in blocks):
                    faults += 1
                    break
        return faults

    def repeat_faults(self) -> int:
        """Repeats of nothing, of another version, within a session, twice over, or with sides unturned."""
        positions = self.order.positions
        faults = 0
        for p in self.repeats:
            if p.repeat_of is None or not 0 <= p.repeat_of < len(positions):
                faults += 1
                continue
            first = positions[p.repeat_of]
            same = first.repeat_of is None and first.slice == p.slice and first.arms == tuple(reversed(p.arms))
            faults += not (same and first.session < p.session)
        sources = Counter(p.repeat_of for p in self.repeats)
        return faults + sum(count - 1 for count in sources.values())

    def repeat_range(self) -> int:
        """Over the items of the repeats."""
        return self._spread_of(self.repeats)

    def pair_side_range(self) -> int:
        """Worst pair, without the repeats and with them."""
        worst = 0
        for positions in (self.first, self.order.positions):
            sides = Counter(p.arms for p in positions)
            worst = max([worst, *(abs(sides[pair] - sides[pair[::-1]]) for pair in self.all_items)])
        return worst

    def arm_side_range(self) -> int:
        """Worst arm."""
        left = Counter(p.arms[0] for p in self.first)
        right = Counter(p.arms[-1] for p in self.first)
        return max(abs(left[arm] - right[arm]) for arm in range(self.design.arms))

    def pair_range(self) -> int:
        """Over all pairs."""
        return self._spread_of(self.first)

    def unconnected(self) -> int:
        """Slices whose pairs leave arms without any chain of comparisons between them."""
        faults = 0
        for items in self.by_slice.values():
            reached, grown = {0}, True
            while grown:
                beside = {arm for pair in items if reached & set(pair) for arm in pair}
                grown = not beside <= reached
                reached |= beside
            faults += len(reached) < self.design.arms
        return faults

    def extra_modality_changes(self) -> int:
        """Changes of modality within a round beyond what one block per modality needs."""
        modality = {s.key: s.modality for s in self.design.slices}
        extra = 0
        for number in range(rounds_of(self.design)):
            names = [modality[p.slice] for p in self.first if p.round == number]
            extra += sum(a != b for a, b in pairwise(names)) - (len(set(names)) - 1)
        return extra


def item_of(position: Position) -> Item:
    """The arm, or the pair with the smaller label first."""
    return tuple(sorted(position.arms))
