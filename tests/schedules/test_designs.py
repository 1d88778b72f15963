"""The orders of a whole study: the paper's design, frozen vectors, readers who share nothing."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from time import perf_counter

import pytest

from readerstudy.audit.canonical import canonical_json
from readerstudy.schedules.commitment import commitment, verify
from readerstudy.schedules.designs import (
    Design,
    DesignSlice,
    balance_report,
    make_orders,
    orders_to_json,
)

SECRET = bytes(range(32))


def slices(ct: int, mr: int = 0, us: int = 0) -> tuple[DesignSlice, ...]:
    """Slices of one patient each."""
    names = ["CT"] * ct + ["MR"] * mr + ["US"] * us
    return tuple(DesignSlice(f"s{i}", name, f"p{i}") for i, name in enumerate(names))


PAPER = Design(arms=4, slices=slices(34, 33, 33), sessions=4, readers=5)

VECTORS = {
    "paper": (PAPER, "51a2ee5df9d2dca557df889cfce8db3ddd0a46079208c7be7abd5e3de82f5ee9"),
    "small": (
        Design(arms=3, slices=slices(4, 3), sessions=2, readers=2, reserves=1, repeats=2, minimum_gap=5),
        "42aa72c0175e9eb793e4684784f30fce15a6289c62856cf91ec5e76ef7a42545",
    ),
    "cut": (
        Design(arms=5, slices=slices(41), sessions=3, readers=2, repeats=0.1),
        "74a9b173c25aadaf9e048b567f9c27dd2dccb152fdc2e255bd32737e83026bb1",
    ),
    "random": (
        Design(arms=4, slices=slices(20), sessions=2, kind="random", readers=2),
        "718d881889adc73645a44faf91625c8e6eab4655fdd0384f66848760c00560bb",
    ),
    "blocked": (
        Design(arms=4, slices=slices(16, 15, 13), sessions=4, kind="blocked_by_modality", readers=2, repeats=8),
        "e3a117aec24744e820733813691749a8ec5bd989a94fd94c5f1e78d683febc3b",
    ),
    "pairwise": (
        Design(arms=4, slices=slices(12, 12), sessions=3, kind="pairwise", readers=2, repeats=0.05),
        "05d738f052da3fd0bf5716d986a5bdc03c9a1b63c464428b33696558032b90ba",
    ),
    "pairs_in_part": (
        Design(arms=5, slices=slices(20), sessions=3, kind="pairwise", readers=2, pairs_per_slice=6),
        "f4c88ac5dddfa0c695e793ef685106f6207bf272775e2ec1c5948c2ce981cf16",
    ),
}


def fingerprint(design: Design, secret: bytes = SECRET) -> str:
    """SHA-256 of the orders in canonical JSON."""
    return hashlib.sha256(canonical_json(orders_to_json(make_orders(design, secret)))).hexdigest()


@pytest.mark.parametrize("name", VECTORS)
def test_frozen_orders(name: str) -> None:
    """Written down once; another Python version or machine must come to the same."""
    design, expected = VECTORS[name]
    assert fingerprint(design) == expected
    assert balance_report(design, make_orders(design, SECRET)).broken == ()


@pytest.mark.parametrize("seed", ["0", "1", "31337"])
def test_same_orders_on_any_hash_seed(seed: str) -> None:
    program = (
        "from tests.schedules.test_designs import VECTORS, fingerprint;"
        "print(all(fingerprint(design) == known for design, known in VECTORS.values()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "True"


def test_the_papers_design_by_hand() -> None:
    """Five readers, 100 slices, four arms, four sessions: every count taken here, not by the report."""
    for order in make_orders(PAPER, SECRET):
        assert len(order.positions) == 400
        sequence: dict[str, list[int]] = {}
        for session in range(4):
            shown = [p for p in order.positions if p.session == session]
            assert [p.position for p in shown] == list(range(100))
            assert len({p.slice for p in shown}) == 100
            assert Counter(p.arms[0] for p in shown) == {0: 25, 1: 25, 2: 25, 3: 25}
            for p in shown:
                sequence.setdefault(p.slice, []).append(p.arms[0])
        assert all(sorted(arms) == [0, 1, 2, 3] for arms in sequence.values())
        steps = Counter((arms[i], arms[i + 1]) for arms in sequence.values() for i in range(3))
        assert set(steps.values()) == {25} and len(steps) == 12
        for modality in ("CT", "MR", "US"):
            rows = Counter(tuple(sequence[s.key]) for s in PAPER.slices if s.modality == modality)
            assert len(rows) == 4 and max(rows.values()) - min(rows.values()) <= 1


def test_repeats_are_shown_later_and_far_from_the_first() -> None:
    design = replace(PAPER, repeats=0.1)
    for order in make_orders(design, SECRET):
        repeats = [(i, p) for i, p in enumerate(order.positions) if p.repeat_of is not None]
        assert len(repeats) == 40
        for spot, p in repeats:
            assert p.repeat_of is not None and p.round is None
            first = order.positions[p.repeat_of]
            assert (first.slice, first.arms) == (p.slice, p.arms)
            assert first.session < p.session and spot - p.repeat_of >= 10
        assert len({p.slice for _, p in repeats}) == 40
        assert max(Counter(p.arms for _, p in repeats).values()) <= 11


def test_reserves_follow_and_change_nothing() -> None:
    with_reserves = make_orders(replace(PAPER, reserves=2), SECRET)
    assert [order.reader for order in with_reserves] == list(range(7))
    assert with_reserves[:5] == make_orders(PAPER, SECRET)
    assert len({order.positions for order in with_reserves}) == 7


def test_another_secret_gives_other_orders() -> None:
    assert not set(make_orders(PAPER, SECRET)) & set(make_orders(PAPER, SECRET[::-1]))


def test_orders_of_readers_and_secrets_are_unrelated() -> None:
    """Arm by place over 600 orders: even, and no place tells anything about the next reader's."""
    design = Design(arms=4, slices=slices(12), sessions=4, minimum_gap=4, readers=30)
    orders = [order for number in range(20) for order in make_orders(design, hashlib.sha256(bytes([number])).digest())]
    at = [[order.positions[place].arms[0] for order in orders] for place in range(48)]
    total = 0.0
    for arms in at:
        counts = Counter(arms)
        total += sum((counts[arm] - 150) ** 2 / 150 for arm in range(4))
    # 48 places x 3 degrees of freedom; places of one order depend on each other a little, hence six SDs.
    assert abs(total - 144) < 6 * (2 * 144) ** 0.5
    same = sum(a == b for arms in at for a, b in pairwise(arms))
    pairs = 48 * (len(orders) - 1)
    assert abs(same / pairs - 0.25) < 5 * (0.25 * 0.75 / pairs) ** 0.5


def test_commitment_seals_the_orders() -> None:
    orders = orders_to_json(make_orders(PAPER, SECRET))
    protocol = hashlib.sha256(b"protocol").hexdigest()
    shown = commitment(SECRET, orders, protocol)
    assert verify(shown, SECRET, orders, protocol)
    orders[3]["positions"][17]["arms"] = [(orders[3]["positions"][17]["arms"][0] + 1) % 4]
    assert not verify(shown, SECRET, orders, protocol)


def test_fast_enough_to_open_a_study_on_a_page() -> None:
    """Generous against a busy machine: five readers take 0.1 s, fifty take 1 s when it is quiet."""
    started = perf_counter()
    make_orders(replace(PAPER, repeats=0.1), SECRET)
    assert perf_counter() - started < 2
    started = perf_counter()
    make_orders(replace(PAPER, repeats=0.1, readers=50), SECRET)
    assert perf_counter() - started < 20
