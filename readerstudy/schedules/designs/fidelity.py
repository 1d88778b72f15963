"""The fidelity pass: which images of a session are shown again beside their reference once its scores are final."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

from readerstudy.schedules.designs.types import Position, ReaderOrder
from readerstudy.schedules.stream import Stream

LABEL = "fidelity/v1"


@dataclass(frozen=True)
class Again:
    """One image shown again: `shown` is the index of its first presentation in the reader's whole list."""

    session: int
    position: int
    slice: str
    arms: tuple[int, ...]
    shown: int


def draw_again(order: ReaderOrder, share: float, secret: bytes) -> tuple[Again, ...]:
    """A `share` (0 to 1) of every session's images, repeats apart, rounded up to whole images.

    In each session the arms' counts differ by at most one where the sizes allow, and a slice comes once before any
    comes twice. Positions go on after the session's last.
    """
    if not share:
        return ()
    chance = Stream(secret, LABEL).substream(f"reader/{order.reader}")
    sessions: dict[int, list[tuple[int, Position]]] = defaultdict(list)
    for index, position in enumerate(order.positions):
        sessions[position.session].append((index, position))
    drawn = []
    for session, rows in sorted(sessions.items()):
        first = [(index, position) for index, position in rows if position.repeat_of is None]
        number = ceil(share * len(first) - 1e-9)
        chosen = _choose(first, number, chance.substream(f"session/{session}"))
        for place, index in enumerate(chosen):
            position = order.positions[index]
            drawn.append(Again(session, len(rows) + place, position.slice, position.arms, index))
    return tuple(drawn)


def _choose(rows: list[tuple[int, Position]], number: int, chance: Stream) -> list[int]:
    """Indices, arm after arm in turn, slices not yet chosen first; then in random order."""
    queues: dict[tuple[int, ...], list[tuple[int, Position]]] = defaultdict(list)
    for index, position in chance.substream("rows").shuffle(rows):
        queues[position.arms].append((index, position))
    used: set[str] = set()
    chosen: list[int] = []
    for arms in _turns(sorted(queues), chance.substream("turns")):
        if len(chosen) == number:
            break
        queue = queues[arms]
        if not queue:
            continue
        row = next((r for r in queue if r[1].slice not in used), queue[0])
        queue.remove(row)
        used.add(row[1].slice)
        chosen.append(row[0])
    return chance.substream("order").shuffle(chosen)


def _turns(arms: list[tuple[int, ...]], chance: Stream) -> Iterator[tuple[int, ...]]:
    while True:
        yield from chance.shuffle(arms)
