"""Which arm a reader meets in which round: rows of Williams squares, spread evenly over the slices."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import combinations
from math import comb

from readerstudy.schedules.stream import Stream

Row = tuple[int, ...]
MOST_SUBSETS = 100
EXCHANGES = 150


def williams_rows(arms: int) -> list[Row]:
    """The rows of a Williams square; of two squares, one after the other, where the number of arms is odd.

    Over all rows each arm stands equally often in each round and each ordered pair of arms in succession
    equally often (E. J. Williams, 1949). The second square is the mirror image of the first.
    """
    zigzag = [0]
    for step in range(1, arms):
        zigzag.append((step + 1) // 2 if step % 2 else arms - step // 2)
    rows = [tuple((first + z) % arms for z in zigzag) for first in range(arms)]
    if arms % 2 and arms > 1:
        rows += [tuple(reversed(row)) for row in rows]
    return rows


def spread_rows(arms: int, modalities: Sequence[str], lengths: tuple[int, ...], stream: Stream) -> list[Row]:
    """One row per slice (given by its modality): a row is used equally often, +-1, within each modality.

    The rows left over in one modality are followed on in the next, so that the balance holds over all
    slices too; which rows those are is chosen so that sessions of several whole rounds stay balanced.
    """
    rows = williams_rows(arms)
    labels = stream.shuffle(range(arms))
    size = len(rows)
    left_over = _left_over(arms, len(modalities), lengths, stream)
    cycle = _cycle(arms, left_over, stream)
    members: dict[str, list[int]] = {}
    for index, modality in enumerate(modalities):
        members.setdefault(modality, []).append(index)
    chosen: list[Row] = [()] * len(modalities)
    start = 0
    for modality in stream.shuffle(sorted(members)):
        slices = members[modality]
        extra = len(slices) % size
        numbers = list(range(size)) * (len(slices) // size)
        numbers += [cycle[(start + i) % size] for i in range(extra)]
        start += extra
        for index, number in zip(slices, stream.shuffle(numbers), strict=True):
            chosen[index] = tuple(labels[arm] for arm in rows[number])
    return chosen


def _cycle(arms: int, left_over: Sequence[int], stream: Stream) -> list[int]:
    """All row numbers, those left over first, and as far as that goes one square after the other.

    Rows of one square never give the same arm to a round, so that each modality stays nearly even too.
    """
    squares = [list(range(s, s + arms)) for s in range(0, len(williams_rows(arms)), arms)]
    squares.sort(key=lambda square: -sum(row in left_over for row in square))
    first: list[int] = []
    rest: list[int] = []
    for square in squares:
        mixed = stream.shuffle(square)
        first += [row for row in mixed if row in left_over]
        rest += [row for row in mixed if row not in left_over]
    return first + rest


def _left_over(arms: int, slices: int, lengths: tuple[int, ...], stream: Stream) -> list[int]:
    """Row numbers used once more than the others.

    With an odd number of arms they come from one square as long as they can: two rows of one square never
    give the same arm to a round, but two rows of different squares always do somewhere.
    """
    total = len(williams_rows(arms))
    square = stream.below(total // arms)
    pool, fixed, extra = _pools(arms, slices, square)
    if comb(arms, extra) <= MOST_SUBSETS:
        return list(fixed) + list(stream.choice(_best_subsets(arms, slices, lengths, square)))
    mixed = stream.shuffle(pool)
    score = _imbalance(arms, slices, lengths, (*fixed, *mixed[:extra]))
    for _ in range(EXCHANGES):
        if not score:
            break
        other = list(mixed)
        inside, outside = stream.below(extra), extra + stream.below(len(pool) - extra)
        other[inside], other[outside] = other[outside], other[inside]
        changed = _imbalance(arms, slices, lengths, (*fixed, *other[:extra]))
        if changed <= score:
            mixed, score = other, changed
    return [*fixed, *mixed[:extra]]


def _pools(arms: int, slices: int, square: int) -> tuple[Row, Row, int]:
    """Row numbers to draw from, those used in any case, and how many to draw, beginning with `square`."""
    squares = len(williams_rows(arms)) // arms
    extra = slices % (squares * arms)
    this, other = (tuple(range(s * arms, (s + 1) * arms)) for s in (square, (square + 1) % squares))
    return (this, (), extra) if extra <= arms else (other, this, extra - arms)


@cache
def _best_subsets(arms: int, slices: int, lengths: tuple[int, ...], square: int) -> tuple[Row, ...]:
    pool, fixed, extra = _pools(arms, slices, square)
    scored = [(_imbalance(arms, slices, lengths, fixed + some), some) for some in combinations(pool, extra)]
    least = min(score for score, _ in scored)
    return tuple(some for score, some in scored if score == least)


def least_imbalance(arms: int, slices: int, lengths: tuple[int, ...]) -> int:
    """Presentations by which sessions of these lengths must miss an even share of the arms; 0 is even."""
    _, fixed, extra = _pools(arms, slices, 0)
    if comb(arms, extra) > MOST_SUBSETS:
        return 0
    return _imbalance(arms, slices, lengths, fixed + _best_subsets(arms, slices, lengths, 0)[0])


def _imbalance(arms: int, slices: int, lengths: tuple[int, ...], left_over: Row) -> int:
    """Presentations by which the rounds that lie whole in a session spoil its balance beyond repair."""
    rows = williams_rows(arms)
    used = [slices // len(rows) + (number in left_over) for number in range(len(rows))]
    in_round = [[0] * arms for _ in range(arms)]
    for row, count in zip(rows, used, strict=True):
        for number, arm in enumerate(row):
            in_round[number][arm] += count
    return sum(_excess(arms, slices, in_round, group, first) for first, group in _aligned_groups(slices, lengths))


def _aligned_groups(slices: int, lengths: tuple[int, ...]) -> list[tuple[int, tuple[int, ...]]]:
    """(start, lengths) of each session, and of each run of sessions that begins and ends with a round."""
    groups: list[tuple[int, tuple[int, ...]]] = []
    start = begun = 0
    since: tuple[int, ...] = ()
    for length in lengths:
        groups.append((start, (length,)))
        start += length
        since += (length,)
        if start % slices == 0:
            if len(since) > 1:
                groups.append((begun, since))
            begun, since = start, ()
    return groups


def _excess(arms: int, slices: int, in_round: list[list[int]], group: tuple[int, ...], start: int) -> int:
    """Presentations by which whole rounds spoil a group of sessions, whatever its cut rounds give."""
    end = start + sum(group)
    whole = [0] * arms
    cut = [0] * arms
    for number, counts in enumerate(in_round):
        overlap = min(end, (number + 1) * slices) - max(start, number * slices)
        if overlap == slices:
            whole = [a + b for a, b in zip(whole, counts, strict=True)]
        elif overlap > 0:
            cut = [a + min(b, overlap) for a, b in zip(cut, counts, strict=True)]
    low = sum(length // arms for length in group)
    high = sum(-(-length // arms) for length in group)
    return sum(max(0, w - high) + max(0, low - w - c) for w, c in zip(whole, cut, strict=True))
