"""Williams squares, and pairwise designs counted by hand."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from readerstudy.schedules.designs import Design, DesignSlice, balance_report, make_orders
from readerstudy.schedules.designs.rows import williams_rows
from readerstudy.schedules.designs.types import all_pairs

SECRET = bytes(range(32))


def slices(count: int) -> tuple[DesignSlice, ...]:
    return tuple(DesignSlice(f"s{i}", "MR" if i % 2 else "CT", f"p{i}") for i in range(count))


def test_williams_square_of_four_is_the_published_one() -> None:
    """Williams (1949): first row 1, 2, 4, 3 of a cyclic square."""
    assert williams_rows(4) == [(0, 1, 3, 2), (1, 2, 0, 3), (2, 3, 1, 0), (3, 0, 2, 1)]


@pytest.mark.parametrize("arms", range(2, 29))
def test_williams_squares(arms: int) -> None:
    rows = williams_rows(arms)
    times = 1 if arms % 2 == 0 else 2
    assert len(set(rows)) == len(rows) == times * arms
    for number in range(arms):
        assert Counter(row[number] for row in rows) == dict.fromkeys(range(arms), times)
    steps = Counter(step for row in rows for step in pairwise(row))
    assert len(steps) == arms * (arms - 1) and set(steps.values()) == {times}


def test_all_pairs_by_hand() -> None:
    design = Design(arms=4, slices=slices(25), sessions=3, kind="pairwise", readers=3, repeats=0.05)
    for order in make_orders(design, SECRET):
        first = [p for p in order.positions if p.repeat_of is None]
        again = [p for p in order.positions if p.repeat_of is not None]
        assert len(first) == 150 and len(again) == 8
        shown = Counter((p.slice, tuple(sorted(p.arms))) for p in first)
        assert set(shown.values()) == {1} and len(shown) == 150
        sides = Counter(p.arms for p in first)
        assert all(abs(sides[a, b] - sides[b, a]) == 1 for a, b in all_pairs(4))
        left, right = Counter(p.arms[0] for p in first), Counter(p.arms[1] for p in first)
        assert all(abs(left[arm] - right[arm]) == 1 for arm in range(4))
        for p in again:
            assert p.repeat_of is not None
            source = order.positions[p.repeat_of]
            assert source.slice == p.slice and source.arms == p.arms[::-1] and source.session < p.session
        last: dict[str, int] = {}
        for spot, p in enumerate(order.positions):
            assert spot - last.get(p.slice, -10) >= 10
            last[p.slice] = spot


@pytest.mark.parametrize("arms", range(3, 9))
def test_pairs_in_part_are_connected_even_and_the_same_for_all_readers(arms: int) -> None:
    for per_slice in sorted({arms - 1, arms, arms + 1, len(all_pairs(arms)) - 1}):
        for count in (3, 20):
            if not arms - 1 <= per_slice <= len(all_pairs(arms)):
                continue
            design = Design(arms, slices(count), 2, "pairwise", 3, 0, 2, pairs_per_slice=per_slice)
            orders = make_orders(design, SECRET)
            chosen = [{(p.slice, tuple(sorted(p.arms))) for p in order.positions} for order in orders]
            assert chosen[0] == chosen[1] and len(chosen[0]) == count * per_slice
            assert orders[0].positions != orders[1].positions
            assert balance_report(design, orders).broken == ()
