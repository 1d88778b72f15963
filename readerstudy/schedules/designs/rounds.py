"""The order within the rounds: the same slice far apart, arms even per session, no long runs of one arm."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise

from readerstudy.schedules.designs.rows import Row
from readerstudy.schedules.stream import Stream

LONGEST_RUN = 3
TRIES_PER_FAULT = 24
PATIENCE = 15


def order_rounds(modalities: Sequence[str], rounds: int, gap: int, blocked: bool, stream: Stream) -> list[list[int]]:
    """Per round the slices' indices in order of reading, each slice at least `gap` after its last showing.

    `gap` is at most the number of slices; then at each place some slice is always free, because the slices
    that stood early in the round before are. `blocked` keeps every modality together, in the same order of
    modalities each round.
    """
    n = len(modalities)
    groups = [list(range(n))]
    if blocked:
        names = stream.shuffle(sorted(set(modalities)))
        groups = [[i for i in range(n) if modalities[i] == name] for name in names]
    before: dict[int, int] = {}
    ordered = []
    for _ in range(rounds):
        this: list[int] = []
        for group in groups:
            waiting = sorted(stream.shuffle(group), key=lambda s: before.get(s, -n), reverse=True)
            free: list[int] = []
            for place in range(len(this), len(this) + len(group)):
                while waiting and place + n - before.get(waiting[-1], -n) >= gap:
                    free.append(waiting.pop())
                this.append(free.pop(stream.below(len(free))))
        ordered.append(this)
        before = {index: place for place, index in enumerate(this)}
    return ordered


def is_full_block(items: Sequence[int], start: int, arms: int) -> bool:
    """Whether the block of `arms` presentations from `start` holds every arm."""
    return len(set(items[start : start + arms])) == arms


def betrays_blocks(items: Sequence[int], arms: int) -> bool:
    """Whether every block of `arms` presentations of a session holds all arms, so that the last is known.

    Blocks are counted from the session's start where it has two whole ones, and also from each other place
    that leaves at least four (fewer arise by chance and show nothing).
    """
    if arms < 2:
        return False
    for shift in range(arms):
        starts = range(shift, len(items) - arms + 1, arms)
        if len(starts) >= (4 if shift else 2) and all(is_full_block(items, start, arms) for start in starts):
            return True
    return False


class RoundSearch:
    """Repairs an order by exchanges that leave each round its slices and each modality its rows.

    Two exchanges exist: two slices of a round change places, or two slices of a modality change rows.
    """

    def __init__(
        self,
        ordered: Sequence[Sequence[int]],
        rows: Sequence[Row],
        modalities: Sequence[str],
        items: int,
        lengths: Sequence[int],
        gap: int,
        blocked: bool,
    ) -> None:
        self.n, self.rounds, self.items, self.gap, self.blocked = len(rows), len(ordered), items, gap, blocked
        self.modalities = modalities
        self.rows = list(rows)
        self.slots = [index for this in ordered for index in this]
        self.shown = [rows[index][r] for r, this in enumerate(ordered) for index in this]
        self.place = [[0] * self.n for _ in range(self.rounds)]
        for spot, index in enumerate(self.slots):
            self.place[spot // self.n][index] = spot
        self.lengths = lengths
        self.session = [s for s, length in enumerate(self.lengths) for _ in range(length)]
        self.counts = [[0] * items for _ in self.lengths]
        for spot, item in enumerate(self.shown):
            self.counts[self.session[spot]][item] += 1

    def repair(self, stream: Stream, sweeps: int) -> bool:
        """True when every session is even (+-1), no run is too long and no session betrays blocks."""
        fewest, since = len(self.slots) + 1, 0
        for _ in range(sweeps):
            faults = self._faults()
            fewest, since = (len(faults), 0) if len(faults) < fewest else (fewest, since + 1)
            if since > PATIENCE:
                return False
            if not faults and not (faults := self._block_faults(stream)):
                return True
            for spot in stream.shuffle(faults):
                for _ in range(TRIES_PER_FAULT):
                    if self._try(spot, stream):
                        break
        return not self._faults() and not self._block_faults(stream)

    def result(self) -> list[tuple[int, int]]:
        """(slice index, item) for every presentation, in order of reading."""
        return list(zip(self.slots, self.shown, strict=True))

    def session_range(self) -> int:
        """Most minus least often shown item of the worst session."""
        return max(max(counts) - min(counts) for counts in self.counts)

    def betrays(self) -> bool:
        """Whether a session consists of blocks that hold every item."""
        ends = list(accumulate(self.lengths, initial=0))
        return any(betrays_blocks(self.shown[a:b], self.items) for a, b in pairwise(ends))

    def has_long_run(self) -> bool:
        """Whether an item stands too often in a row somewhere."""
        return any(self._in_long_run(spot) for spot in range(len(self.shown)))

    def _excess(self, session: int, count: int) -> int:
        length = self.lengths[session]
        low = length // self.items
        high = low + (length % self.items > 0)
        return max(0, count - high) + max(0, low - count)

    def _faults(self) -> list[int]:
        found = [spot for spot in range(len(self.shown)) if self._in_long_run(spot)]
        for s, counts in enumerate(self.counts):
            length = self.lengths[s]
            most = -(-length // self.items)
            least = length // self.items
            lacking = any(count < least for count in counts)
            wrong = {i for i, count in enumerate(counts) if count > most or (lacking and count > least)}
            if wrong and (lacking or any(counts[i] > most for i in wrong)):
                first = sum(self.lengths[:s])
                found += [spot for spot in range(first, first + length) if self.shown[spot] in wrong]
        return found

    def _in_long_run(self, spot: int) -> bool:
        """Whether `spot` ends a run that is too long (a study of one item knows no runs)."""
        start = spot - LONGEST_RUN
        return self.items > 1 and start >= 0 and len(set(self.shown[start : spot + 1])) == 1

    def _block_faults(self, stream: Stream) -> list[int]:
        """One random spot in every session that betrays blocks; not looked at where each round is a block."""
        if self.n == self.items:
            return []
        found = []
        first = 0
        for length in self.lengths:
            if betrays_blocks(self.shown[first : first + length], self.items):
                found.append(first + stream.below(length))
            first += length
        return found

    def _try(self, spot: int, stream: Stream) -> bool:
        """One random exchange that involves `spot`; kept if it makes nothing worse."""
        number, index = spot // self.n, self.slots[spot]
        other_spot = number * self.n + stream.below(self.n)
        other = self.slots[other_spot]
        if other == index:
            return False
        same_modality = self.modalities[other] == self.modalities[index]
        if stream.below(4) and self._fits(index, other_spot) and self._fits(other, spot):
            if self.blocked and not same_modality:
                return False
            if self._exchange([(spot, other_spot)]):
                self.slots[spot], self.slots[other_spot] = other, index
                self.place[number][index], self.place[number][other] = other_spot, spot
                return True
            return False
        if not same_modality or self.rows[index] == self.rows[other]:
            return False
        if self._exchange([(place[index], place[other]) for place in self.place]):
            self.rows[index], self.rows[other] = self.rows[other], self.rows[index]
            return True
        return False

    def _fits(self, index: int, spot: int) -> bool:
        """Whether the slice may stand at `spot`, seen from its showings in the rounds beside."""
        number = spot // self.n
        after_last = number == 0 or spot - self.place[number - 1][index] >= self.gap
        return after_last and (number == self.rounds - 1 or self.place[number + 1][index] - spot >= self.gap)

    def _exchange(self, pairs: list[tuple[int, int]]) -> bool:
        """Exchanges the items of each pair of spots unless faults grow; True if kept."""
        windows = {end for pair in pairs for spot in pair for end in range(spot, spot + LONGEST_RUN + 1)}
        near = [end for end in windows if end < len(self.shown)]
        before = self._badness(near, pairs)
        self._swap(pairs)
        if self._badness(near, pairs) <= before:
            return True
        self._swap(pairs)
        return False

    def _badness(self, ends: Iterable[int], pairs: list[tuple[int, int]]) -> int:
        runs = sum(self._in_long_run(end) for end in ends)
        touched = {self.session[spot] for pair in pairs for spot in pair}
        return runs + sum(self._excess(s, count) for s in touched for count in self.counts[s])

    def _swap(self, pairs: list[tuple[int, int]]) -> None:
        for left, right in pairs:
            a, b = self.shown[left], self.shown[right]
            self.shown[left], self.shown[right] = b, a
            here, there = self.counts[self.session[left]], self.counts[self.session[right]]
            here[a] -= 1
            here[b] += 1
            there[b] -= 1
            there[a] += 1
