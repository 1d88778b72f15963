"""The order without rounds: every version of every slice in random order, the same slice kept apart."""

from __future__ import annotations

from readerstudy.schedules.stream import Stream

TRIES = 10


def random_order(slices: int, arms: int, gap: int, stream: Stream) -> list[tuple[int, int]]:
    """(slice index, arm) for every presentation, the same slice at least `gap` (<= slices) apart.

    At each place every version that is still to come, and whose slice is free, is equally likely. Where
    that ends with versions that have no place left, slices are kept more and more in step; fully in step
    each slice comes once a round, which always goes out.
    """
    for slack in range(arms, -1, -1):
        for _ in range(TRIES):
            order = _draw(slices, arms, gap, slack, stream)
            if order is not None:
                arms_of = [stream.shuffle(range(arms)) for _ in range(slices)]
                return [(index, arms_of[index].pop()) for index in order]
    raise AssertionError("slices in step always find a place")


def _draw(slices: int, arms: int, gap: int, slack: int, stream: Stream) -> list[int] | None:
    left = [arms] * slices
    last = [-gap] * slices
    order = []
    for place in range(slices * arms):
        least = max(left) - slack
        free = [i for i in range(slices) if left[i] > 0 and left[i] >= least and place - last[i] >= gap]
        if not free:
            return None
        ticket = stream.below(sum(left[i] for i in free))
        for index in free:
            ticket -= left[index]
            if ticket < 0:
                break
        order.append(index)
        left[index] -= 1
        last[index] = place
    return order
