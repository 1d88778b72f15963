"""Pairwise designs: which pairs of arms are shown of which slice, and which arm stands on the left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from readerstudy.schedules.designs.rows import spread_rows
from readerstudy.schedules.designs.types import Design, DesignError, all_pairs
from readerstudy.schedules.stream import Stream

Pair = tuple[int, int]
TRIES = 40
EXCHANGES = 20


def spread_pairs(design: Design, per_slice: int, stream: Stream) -> list[list[Pair]]:
    """For every slice `per_slice` pairs that connect all arms, each pair used equally often, +-1, in all.

    One set for all readers, so that their agreement can be measured. A slice's pairs begin with a chain
    through all arms (a row of a Williams square), are closed to a ring, and grow by the pairs of the arms
    seen least; then arms change names within slices until the pairs are even.
    """
    for attempt in range(TRIES):
        chance = stream.substream(f"attempt/{attempt}")
        modalities = [s.modality for s in design.slices]
        rows = spread_rows(design.arms, modalities, (design.arms * len(modalities),), chance)
        use = dict.fromkeys(all_pairs(design.arms), 0)
        chosen = [_grow(row, per_slice, use, chance) for row in rows]
        if _even_out(chosen, use, design.arms, chance):
            return chosen
    raise DesignError(
        f"No even choice of {per_slice} pairs for each of {len(design.slices)} slices was found; "
        "show all pairs or change the number of pairs per slice by one."
    )


def _grow(row: Sequence[int], per_slice: int, use: dict[Pair, int], stream: Stream) -> list[Pair]:
    ring = list(zip(row, (*row[1:], row[0]), strict=True))
    pairs = [(min(a, b), max(a, b)) for a, b in ring][: min(per_slice, len(row))]
    pairs = list(dict.fromkeys(pairs))
    while len(pairs) < per_slice:
        seen = {arm: sum(arm in pair for pair in pairs) for arm in row}
        others = stream.shuffle([pair for pair in use if pair not in pairs])
        pairs.append(min(others, key=lambda pair: (seen[pair[0]] + seen[pair[1]], use[pair])))
    for pair in pairs:
        use[pair] += 1
    return pairs


def _even_out(chosen: list[list[Pair]], use: dict[Pair, int], arms: int, stream: Stream) -> bool:
    """Renames arms within slices while the pairs' use becomes no less even; True when even."""
    for _ in range(200 * len(use) + 20 * len(chosen)):
        if max(use.values()) - min(use.values()) <= 1:
            return True
        index = stream.below(len(chosen))
        one, other = stream.sample(range(arms), 2)
        names = {one: other, other: one}
        renamed = []
        for a, b in chosen[index]:
            c, d = names.get(a, a), names.get(b, b)
            renamed.append((min(c, d), max(c, d)))
        lost, won = set(chosen[index]) - set(renamed), set(renamed) - set(chosen[index])
        if sum(use[p] - 1 for p in lost) >= sum(use[p] for p in won):
            chosen[index] = renamed
            for pair in lost:
                use[pair] -= 1
            for pair in won:
                use[pair] += 1
    return max(use.values()) - min(use.values()) <= 1


def even_rounds(chosen: Sequence[tuple[int, ...]], stream: Stream) -> list[tuple[int, ...]]:
    """Each slice's pairs (by number) in an order that has each pair about equally often in every round."""
    rows = [stream.shuffle(numbers) for numbers in chosen]
    rounds = len(rows[0])
    use = [Counter(row[r] for row in rows) for r in range(rounds)]
    if rounds < 2:
        return [tuple(row) for row in rows]
    for _ in range(EXCHANGES * len(rows) * rounds):
        row = rows[stream.below(len(rows))]
        one, other = stream.sample(range(rounds), 2)
        a, b = row[one], row[other]
        if use[one][a] + use[other][b] - use[one][b] - use[other][a] >= 2:
            row[one], row[other] = b, a
            use[one].subtract({a: 1, b: -1})
            use[other].subtract({b: 1, a: -1})
    return [tuple(row) for row in rows]


def choose_sides(shown: Sequence[Pair], repeated: Sequence[bool], stream: Stream) -> list[Pair]:
    """(left, right) of every first showing; a repeat turns it round.

    Per pair each arm stands left equally often, +-1, and so does each arm over all its pairs, with and
    without the repeats. `repeated` says which of the showings will be repeated.
    """
    groups: dict[Pair, tuple[list[int], list[int]]] = {}
    for spot, pair in enumerate(shown):
        groups.setdefault(pair, ([], []))[repeated[spot]].append(spot)
    odd = [pair for pair in sorted(groups) if sum(map(len, groups[pair])) % 2]
    lead = {(min(a, b), max(a, b)): (a, b) for a, b in _orient(odd, stream)}
    sides = list(shown)
    for pair in sorted(groups):
        once, twice = (stream.shuffle(group) for group in groups[pair])
        first = lead[pair] if pair in lead else stream.choice([pair, (pair[1], pair[0])])
        second = (first[1], first[0])
        ahead = (len(twice) + 1) // 2
        for number, spot in enumerate(twice):
            sides[spot] = first if number < ahead else second
        ahead = (len(once) + len(twice) + 1) // 2 - ahead
        for number, spot in enumerate(once):
            sides[spot] = first if number < ahead else second
    return sides


def _orient(pairs: Sequence[Pair], stream: Stream) -> list[Pair]:
    """Turns every pair so that each arm comes first as often as second, +-1.

    Arms with an odd number of pairs are joined to one arm more; then every walk along unused pairs ends
    where it began, and following the walks passes through each arm as often as it leaves it.
    """
    extra = -1
    beside: dict[int, list[int]] = {}
    for a, b in stream.shuffle(pairs):
        beside.setdefault(a, []).append(b)
        beside.setdefault(b, []).append(a)
    for arm in sorted(beside):
        if len(beside[arm]) % 2:
            beside[arm].append(extra)
            beside.setdefault(extra, []).append(arm)
    turned = []
    for start in stream.shuffle(sorted(beside)):
        here = start
        while beside[here]:
            there = beside[here].pop()
            beside[there].remove(here)
            if extra not in (here, there):
                turned.append((here, there))
            here = there
    return turned
