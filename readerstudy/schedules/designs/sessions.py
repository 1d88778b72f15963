"""Where the rounds are cut into sessions."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import combinations
from math import comb

from readerstudy.schedules.designs.rows import least_imbalance

MOST_CUTS = 40


@cache
def session_lengths(rounds: int, slices: int, sessions: int, gap: int) -> tuple[int, ...]:
    """Presentations per session before repeats; the same for every reader.

    With at least as many sessions as rounds no session crosses a round, so that nobody meets a slice twice
    in one sitting; the first rounds are cut once more where the numbers don't fit. With fewer sessions they
    are as equally long as can be, unless few slices leave too little freedom to cut a round: then sessions
    are whole rounds, as equal as an even share of the arms allows.
    """
    if sessions >= rounds:
        parts = [sessions // rounds + (r < sessions % rounds) for r in range(rounds)]
        return tuple(slices // k + (i < slices % k) for k in parts for i in range(k))
    total = rounds * slices
    if slices - gap >= 2 * rounds:
        return tuple(total // sessions + (s < total % sessions) for s in range(sessions))
    return tuple(slices * whole for whole in _whole_rounds(rounds, slices, sessions))


def reachable_gaps(rounds: int, slices: int, sessions: int, gap: int, repeats: int) -> list[int]:
    """Distances between showings of a slice to be tried, the wanted one first, the least allowed last.

    A slice that comes once a round can't be further apart than there are slices. At that distance every
    round has the same order of slices, and at one less nearly so; then an even session, short runs and
    mixed blocks can be impossible together where sessions are shorter than a round, or hold two rounds'
    worth of a small study (two arms leave the least freedom), and repeats have place only at the very end.
    """
    wanted = min(gap, slices)
    least = wanted
    if sessions > rounds or (slices == 2 * rounds and rounds <= 3):
        least = min(wanted, slices - (2 if rounds == 2 else 1))
    if repeats:
        least = min(least, slices - 2)
    return list(range(wanted, max(1, least) - 1, -1))


def _whole_rounds(rounds: int, slices: int, sessions: int) -> tuple[int, ...]:
    if comb(rounds - 1, sessions - 1) > MOST_CUTS:
        return tuple(rounds // sessions + (s < rounds % sessions) for s in range(sessions))
    cuts = sorted(_compositions(rounds, sessions), key=_unevenness)
    return min(cuts, key=lambda cut: least_imbalance(rounds, slices, tuple(slices * c for c in cut)))


def _unevenness(cut: tuple[int, ...]) -> tuple[int, int]:
    """Equal parts first, then those that read the same backwards (Williams squares suit them)."""
    return max(cut) - min(cut), sum(a != b for a, b in zip(cut, reversed(cut), strict=True))


def _compositions(total: int, parts: int) -> Iterator[tuple[int, ...]]:
    for cuts in combinations(range(1, total), parts - 1):
        yield tuple(b - a for a, b in zip((0, *cuts), (*cuts, total), strict=True))
