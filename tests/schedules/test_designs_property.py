"""The balance of 1,000 random protocols, and of all small ones that leave the least freedom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise, permutations

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from readerstudy.schedules.designs import Design, DesignSlice, ReaderOrder, balance_report, make_orders

KINDS = ("balanced", "balanced", "balanced", "blocked_by_modality", "random", "pairwise")


def slices(counts: Sequence[int]) -> tuple[DesignSlice, ...]:
    names = [name for name, count in zip(("CT", "MR", "US"), counts, strict=False) for _ in range(count)]
    return tuple(DesignSlice(f"s{i}", name, f"p{i}") for i, name in enumerate(names))


@st.composite
def designs(draw: st.DrawFn) -> Design:
    kind = draw(st.sampled_from(KINDS))
    arms = draw(st.integers(2, 4 if kind == "pairwise" else 8))
    most = draw(st.sampled_from([12, 40, 40, 200 if arms <= 4 and kind != "pairwise" else 60]))
    total = draw(st.integers(3, most))
    one, other = draw(st.integers(0, total)), draw(st.integers(0, total))
    low, high = min(one, other), max(one, other)
    sessions = draw(st.integers(1, 8))
    repeats: float | int = 0
    if sessions > 1:
        repeats = draw(st.one_of(st.just(0), st.sampled_from([0.05, 0.1, 0.2]), st.integers(0, 3)))
    return Design(
        arms=arms,
        slices=slices((low, high - low, total - high)),
        sessions=sessions,
        kind=kind,  # type: ignore[arg-type]
        minimum_gap=draw(st.sampled_from([1, 4, 10, 10, 25])),
        repeats=repeats,
        readers=draw(st.integers(1, 2)),
        reserves=draw(st.integers(0, 1)),
    )


def ranged(values: Sequence[int]) -> int:
    return max(values) - min(values)


def check_by_hand(design: Design, order: ReaderOrder) -> None:
    """The rules of a balanced order once more, counted without the report."""
    arms = range(design.arms)
    arm_at = [p.arms[0] for p in order.positions]
    for session in range(design.sessions):
        shown = Counter(p.arms[0] for p in order.positions if p.session == session)
        assert shown.total() > 0 and ranged([shown[a] for a in arms]) <= 1
    first = [p for p in order.positions if p.repeat_of is None]
    n = len(design.slices)
    assert len(first) == n * design.arms
    for number in arms:
        assert sorted(p.slice for p in first[number * n : (number + 1) * n]) == sorted(s.key for s in design.slices)
    rows = {s.key: [p.arms[0] for p in first if p.slice == s.key] for s in design.slices}
    assert all(sorted(row) == list(arms) for row in rows.values())
    assert ranged([sum(row[0] == a for row in rows.values()) for a in arms]) <= 1
    steps = Counter(step for row in rows.values() for step in pairwise(row))
    assert ranged([steps[step] for step in permutations(arms, 2)]) <= 2
    assert not any(len(set(arm_at[i : i + 4])) == 1 for i in range(len(arm_at) - 3))
    if n >= design.minimum_gap + 2:
        for i, p in enumerate(order.positions):
            assert all(q.slice != p.slice for q in order.positions[i + 1 : i + design.minimum_gap])


@settings(
    max_examples=1000,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example],
)
@given(designs(), st.binary(min_size=32, max_size=32))
def test_every_rule_holds_for_random_protocols(design: Design, secret: bytes) -> None:
    most = design.arms * (design.arms - 1) // 2 if design.kind == "pairwise" else design.arms
    if -(-design.sessions // most) > len(design.slices):
        event("more sessions than presentations")
        return
    event(design.kind)
    orders = make_orders(design, secret)
    report = balance_report(design, orders)
    assert report.broken == (), design
    assert len(orders) == design.readers + design.reserves
    if design.kind == "balanced":
        check_by_hand(design, orders[0])


@pytest.mark.parametrize("arms", range(2, 9))
def test_every_small_study(arms: int) -> None:
    """All of 1 to 12 slices and 1 to 8 sessions at the default gap, where rules nearly exclude each other."""
    for count in range(1, 13):
        for sessions in range(1, min(8, arms * count) + 1):
            design = Design(arms, slices((count - count // 3, count // 3)), sessions)
            assert balance_report(design, make_orders(design, bytes(32))).broken == (), design
