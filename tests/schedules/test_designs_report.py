"""The balance report finds every kind of damage: each test spoils a good order in one way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from readerstudy.schedules.designs import (
    Design,
    DesignSlice,
    Position,
    ReaderOrder,
    balance_report,
    make_orders,
)

SECRET = bytes(range(32))
SLICES = tuple(DesignSlice(f"s{i}", ("CT", "MR", "US")[i * 3 // 24], f"p{i}") for i in range(24))
DESIGN = Design(arms=4, slices=SLICES, sessions=4, readers=2, repeats=4)
PAIRWISE = replace(DESIGN, kind="pairwise")
BLOCKED = replace(DESIGN, kind="blocked_by_modality")
Positions = list[Position]


def spoil(design: Design, change: Callable[[Positions], Positions]) -> set[str]:
    """Keys of the rules that a changed order of the second reader breaks."""
    one, two = make_orders(design, SECRET)
    assert balance_report(design, (one, two)).holds
    report = balance_report(design, (one, ReaderOrder(1, tuple(change(list(two.positions))))))
    assert not report.holds
    for rule in report.broken:
        good, bad = rule.by_reader
        assert bad < good if rule.sense == "at least" else bad > good
        assert rule.measured == bad
    return {rule.key for rule in report.broken}


def renumbered(positions: Positions) -> Positions:
    counts: dict[int, int] = {}
    result = []
    for p in positions:
        counts[p.session] = counts.get(p.session, -1) + 1
        result.append(replace(p, position=counts[p.session]))
    return result


def index(positions: Positions, condition: Callable[[Position], bool]) -> int:
    return next(i for i, p in enumerate(positions) if condition(p))


def test_one_arm_changed() -> None:
    def change(positions: Positions) -> Positions:
        spot = index(positions, lambda p: p.repeat_of is None)
        positions[spot] = replace(positions[spot], arms=((positions[spot].arms[0] + 1) % 4,))
        return positions

    assert {"complete", "arms_per_session", "first_seen", "rows"} <= spoil(DESIGN, change)


def test_one_presentation_lost() -> None:
    assert {"complete", "once_a_round"} <= spoil(DESIGN, lambda ps: renumbered(ps[:-1]))


def test_two_slices_change_places() -> None:
    """Across two rounds: each is then twice in one round, and close to itself."""

    def change(positions: Positions) -> Positions:
        last = index(positions, lambda p: p.session == 1) - 1
        other = index(positions, lambda p: p.session == 1 and p.slice == positions[last].slice)
        positions[last + 1], positions[other] = (
            replace(positions[other], position=0),
            replace(positions[last + 1], position=positions[other].position),
        )
        return positions

    assert spoil(DESIGN, change) & {"gap"}


def test_arms_in_even_blocks() -> None:
    """Presentations sorted so that each block of four holds all arms: what a reader could find out."""

    def change(positions: Positions) -> Positions:
        session = [p for p in positions if p.session == 0]
        by_arm = [[p for p in session if p.arms == (arm,)] for arm in range(4)]
        dealt = [p for block in zip(*by_arm, strict=True) for p in block]
        return renumbered(dealt + [p for p in positions if p.session > 0])

    assert "blocks" in spoil(replace(DESIGN, repeats=0), change)


def test_a_long_run() -> None:
    def change(positions: Positions) -> Positions:
        session = sorted((p for p in positions if p.session == 0), key=lambda p: p.arms)
        return renumbered(session + [p for p in positions if p.session > 0])

    assert "runs" in spoil(replace(DESIGN, repeats=0), change)


def test_a_repeat_of_another_version_in_its_own_session_or_missing() -> None:
    def repoint(positions: Positions) -> Positions:
        spot = index(positions, lambda p: p.repeat_of is not None)
        positions[spot] = replace(positions[spot], repeat_of=0 if positions[spot].repeat_of else 1)
        return positions

    def turn_into_first(positions: Positions) -> Positions:
        spot = index(positions, lambda p: p.repeat_of is not None)
        positions[spot] = replace(positions[spot], repeat_of=None, round=1)
        return positions

    assert spoil(DESIGN, repoint) == {"repeats_later"}
    assert {"repeats", "complete"} <= spoil(DESIGN, turn_into_first)


def test_positions_out_of_turn() -> None:
    assert "numbering" in spoil(DESIGN, lambda ps: [ps[1], ps[0], *ps[2:]])
    assert "numbering" in spoil(DESIGN, lambda ps: [replace(p, session=min(p.session, 2)) for p in ps])


def test_two_readers_with_one_order() -> None:
    one, _ = make_orders(DESIGN, SECRET)
    report = balance_report(DESIGN, (one, ReaderOrder(1, one.positions)))
    assert [rule.key for rule in report.broken] == ["unlike"]
    assert report["unlike"].by_reader == (1, 1)


def test_sides_of_pairs() -> None:
    def to_the_left(positions: Positions) -> Positions:
        return [replace(p, arms=tuple(sorted(p.arms))) if p.repeat_of is None else p for p in positions]

    def unturned(positions: Positions) -> Positions:
        spot = index(positions, lambda p: p.repeat_of is not None)
        positions[spot] = replace(positions[spot], arms=tuple(reversed(positions[spot].arms)))
        return positions

    assert {"sides_per_pair", "sides_per_arm"} <= spoil(PAIRWISE, to_the_left)
    assert "repeats_later" in spoil(PAIRWISE, unturned)


def test_modalities_mixed_in_a_blocked_design() -> None:
    def change(positions: Positions) -> Positions:
        one, other = 0, index(positions, lambda p: p.session == 0 and p.position == 12)
        positions[one], positions[other] = (
            replace(positions[other], position=0),
            replace(positions[one], position=12),
        )
        return positions

    assert "modality_blocks" in spoil(BLOCKED, change)


def test_a_random_design_reports_balance_for_information_only() -> None:
    design = replace(DESIGN, kind="random", repeats=0, readers=1)
    report = balance_report(design, make_orders(design, SECRET))
    assert report.holds and not report["arms_per_session"].required
    assert report["arms_per_session"].measured > 1, "a random order that happens to be even proves nothing"
    assert "random design doesn't promise" in report["arms_per_session"].note


def test_a_relaxed_gap_is_said() -> None:
    design = Design(arms=3, slices=SLICES[:5], sessions=3)
    rule = balance_report(design, make_orders(design, SECRET))["gap"]
    assert (rule.sense, rule.bound, rule.holds) == ("at least", 5, True)
    assert rule.note.startswith("With 5 slices, each once a round, 5 can be the most")


def test_no_orders() -> None:
    with pytest.raises(ValueError, match="no orders to report on; make them first"):
        balance_report(DESIGN, ())
