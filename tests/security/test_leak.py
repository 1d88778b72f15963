"""Lengths, headers and timings of frames don't tell the arm; what does is found."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from bench.room.leak import planted, record
from bench.room.world import world
from tests.security.leak import LARGEST_AUC, PLANTED_AUC, SMALLEST_P, Response, examine

ARMS = ("a", "b", "c", "d")
CONTROL = 199


def synthetic(seed: int = 0, slices: int = 25, rounds: int = 10) -> list[Response]:
    """Responses of a server that tells nothing, on a machine that becomes slower and slower."""
    generator = np.random.default_rng(seed)
    found = []
    for block in range(slices * rounds):
        for arm in generator.permutation(ARMS):
            wait = 0.005 * (1 + 3 * block / slices / rounds) * generator.lognormal(0, 0.3)
            headers = (("Content-Type", "application/octet-stream"), ("Date", f"Mon, 00:00:{block % 60:02}"))
            name = f"{block % slices}/{arm}"
            found.append(Response(block % slices, str(arm), name, block, 200, 512, headers, wait, wait * 1.1))
    return found


def test_nothing_is_found_where_nothing_is() -> None:
    verdict = examine(synthetic(), CONTROL)
    assert verdict.largest <= LARGEST_AUC and verdict.p > SMALLEST_P
    assert not verdict.leaks


def test_chance_is_called_a_leak_no_more_often_than_it_says() -> None:
    """The p-values of forty servers without a leak are spread evenly enough: a broken permutation heaps them up."""
    found = [examine(synthetic(seed, slices=12, rounds=4), 49, seed).p for seed in range(40)]
    assert 0.3 < np.mean(found) < 0.7
    assert sum(p <= 0.1 for p in found) <= 10


@pytest.mark.parametrize("arm", ARMS)
def test_one_header_byte_is_found(arm: str) -> None:
    verdict = examine(planted(synthetic(), arm), CONTROL)
    assert verdict.auc[arm] > PLANTED_AUC
    assert verdict.p <= SMALLEST_P and verdict.leaks


def test_a_byte_more_is_found() -> None:
    longer = [dataclasses.replace(r, length=r.length + (r.arm == "c")) for r in synthetic()]
    assert examine(longer, CONTROL).auc["c"] > PLANTED_AUC


def test_an_arm_that_takes_longer_is_found_under_drift() -> None:
    """A quarter more time in one arm, on a machine whose pace changes fourfold."""
    late = [dataclasses.replace(r, total=r.total * (1.25 if r.arm == "b" else 1)) for r in synthetic()]
    assert examine(late, CONTROL).leaks


def test_what_marks_the_presentation_but_not_the_arm_is_no_leak() -> None:
    """A header of its own for each presentation says nothing about the arm of a slice not seen before.

    Here only 100 presentations count, however often each is fetched: the AUC alone may go astray, p may not.
    """
    marked = []
    for r in synthetic():
        value = np.random.default_rng([*r.presentation.encode()]).bytes(8).hex()
        marked.append(dataclasses.replace(r, headers=(*r.headers, ("X-Served-By", value))))
    assert examine(marked, CONTROL).p > SMALLEST_P


@pytest.mark.faults
@pytest.mark.slow
def test_the_running_product_tells_nothing_and_a_planted_byte_is_found() -> None:
    """Chance alone fails one recording in a hundred; only what a second recording confirms is a leak."""
    with world(slices=50, side=128) as here:
        responses = record(here)
        verdict = examine(responses)
        if verdict.leaks:
            verdict = examine(record(here, seed=2))
    assert len(responses) >= 2000
    assert not verdict.leaks, str(verdict)
    for arm in sorted({r.arm for r in responses}):
        assert examine(planted(responses, arm), CONTROL).auc[arm] > PLANTED_AUC
