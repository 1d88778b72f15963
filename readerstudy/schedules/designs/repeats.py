"""What a reader sees again, blinded, in a later session."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from readerstudy.schedules.designs.rounds import LONGEST_RUN
from readerstudy.schedules.designs.types import Kind
from readerstudy.schedules.stream import Stream


@dataclass
class Showing:
    """One presentation while the list is being made: slice and item (arm or pair) by index."""

    slice: int
    item: int
    session: int
    round: int | None
    first: Showing | None = None


class RepeatPlacer:
    """Puts repeats into a list so that sessions stay even and the same slice stays `gap` apart.

    Inserting moves the other showings apart, never together, so that only the new one has to be checked.
    """

    def __init__(
        self,
        showings: Sequence[Showing],
        modalities: Sequence[str],
        items: int,
        sessions: int,
        gap: int,
        kind: Kind,
        stream: Stream,
    ) -> None:
        self.list = list(showings)
        self.modalities, self.items, self.gap = modalities, items, gap
        self.blocked = kind == "blocked_by_modality"
        self.even = self.blocked or kind == "balanced"
        self.short_runs = kind != "random" and items > 1
        self.stream = stream
        self.unused = {(s.slice, s.item): s for s in showings}
        self.again = [0] * len(modalities)
        self.of_item = [0] * items
        self.of_modality = dict.fromkeys(modalities, 0)
        self.size = {modality: modalities.count(modality) for modality in self.of_modality}
        self.counts = [[0] * items for _ in range(sessions)]
        for showing in showings:
            self.counts[showing.session][showing.item] += 1

    def place(self, number: int, evenly: bool) -> bool:
        """Spreads `number` repeats over all sessions but the first; False where not all found a place.

        `evenly` gives the earlier sessions what doesn't divide; else chance says which sessions get it.
        """
        sessions = len(self.counts)
        left = number
        for session in range(1, sessions):
            quota, rest = divmod(left, sessions - session)
            if rest and (evenly or self.stream.below(sessions - session) < rest):
                quota += 1
            total = sum(self.counts[session]) + quota
            for _ in range(quota):
                if not self._place_one(session, total):
                    break
                left -= 1
        return left == 0

    def _place_one(self, session: int, total: int) -> bool:
        """One repeat, of an item that the session has seen little, so that its counts stay even."""
        last = session == len(self.counts) - 1
        for beside in (True, False) if self.blocked and last else (self.blocked,):
            for item in self._wanted(session, total, last):
                for candidate in self._candidates(session, item):
                    places = self._places(session, candidate, beside)
                    if places:
                        self._insert(session, candidate, self.stream.choice(places))
                        return True
        return False

    def _wanted(self, session: int, total: int, last: bool) -> list[int]:
        """The items that may come next, the least seen first.

        Before the last session only the least seen, because what finds no place moves on to the next; in
        the last, where all must be placed, any that leaves it even once it holds `total` presentations.
        """
        counts = self.counts[session]
        wanted = self.stream.shuffle(range(self.items))
        low, more = divmod(total, self.items)
        if self.even and not last:
            wanted = [item for item in wanted if counts[item] == min(counts)]
        elif self.even:
            full = sum(count > low for count in counts) >= more
            wanted = [item for item in wanted if counts[item] < low + (not full)] or wanted
        return sorted(wanted, key=lambda item: (counts[item], self.of_item[item]))

    def _candidates(self, session: int, item: int) -> list[Showing]:
        """First showings from earlier sessions: slices not yet repeated and scarce modalities first."""
        found = [s for (_, i), s in self.unused.items() if i == item and s.session < session]
        return sorted(
            self.stream.shuffle(found),
            key=lambda s: (
                self.again[s.slice],
                (self.of_modality[self.modalities[s.slice]] + 1) / self.size[self.modalities[s.slice]],
            ),
        )

    def _places(self, session: int, candidate: Showing, beside: bool) -> list[int]:
        """Indices of the session before which the candidate may be put (its end included).

        `beside` asks for a neighbour of the same modality, so that a design's blocks stay whole.
        """
        start = bisect_left(self.list, session, key=lambda s: s.session)
        end = bisect_left(self.list, session + 1, key=lambda s: s.session)
        free = set(range(start, end + 1))
        for own, other in enumerate(self.list):
            if other.slice == candidate.slice:
                free.difference_update(range(own + 2 - self.gap, own + self.gap))
        places = []
        for spot in sorted(free):
            if self._lengthens_run(spot, candidate.item):
                continue
            if not beside or self._has_kin(range(max(start, spot - 1), min(end, spot + 1)), candidate):
                places.append(spot)
        return places

    def _lengthens_run(self, spot: int, item: int) -> bool:
        if not self.short_runs:
            return False
        run = 1
        for beside in (range(spot - 1, -1, -1), range(spot, len(self.list))):
            for other in beside:
                if self.list[other].item != item or run > LONGEST_RUN:
                    break
                run += 1
        return run > LONGEST_RUN

    def _has_kin(self, spots: range, candidate: Showing) -> bool:
        """Whether a showing of the candidate's modality stands on one of the spots."""
        modality = self.modalities[candidate.slice]
        return any(self.modalities[self.list[spot].slice] == modality for spot in spots)

    def _insert(self, session: int, first: Showing, spot: int) -> None:
        self.list.insert(spot, Showing(first.slice, first.item, session, None, first))
        del self.unused[first.slice, first.item]
        self.again[first.slice] += 1
        self.of_item[first.item] += 1
        self.of_modality[self.modalities[first.slice]] += 1
        self.counts[session][first.item] += 1
