"""Designs that can't be: one sentence each, saying what to change."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from readerstudy.schedules.designs import Design, DesignError, DesignSlice, balance_report, make_orders

SECRET = bytes(range(32))
SLICES = tuple(DesignSlice(f"s{i}", "CT", f"p{i}") for i in range(10))
DESIGN = Design(arms=4, slices=SLICES, sessions=4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "latin"}, "'latin' is unknown; choose one of balanced, random"),
        ({"arms": 1}, "takes 2 to 24 arms; change 1"),
        ({"arms": 25}, "takes 2 to 24 arms; change 25"),
        ({"slices": ()}, "takes 1 to 2000 slices, not 0; change their number"),
        ({"slices": (*SLICES, SLICES[3])}, "slice s3 stands in the list twice; remove one"),
        ({"sessions": 0}, "at least one session, not 0; change"),
        ({"sessions": 41}, "41 sessions are more than 40 presentations can fill; use at most 40"),
        ({"minimum_gap": 0}, "is 0; make it 1 or more"),
        ({"readers": 0}, "at least one reader and at most 500 with reserves, not 0 and 0; change"),
        ({"reserves": -1}, "not 1 and -1; change"),
        ({"readers": 400, "reserves": 101}, "not 400 and 101; change"),
        ({"repeats": -1}, "Repeats are -1; give a share from 0.0 to 1.0 or a whole number"),
        ({"repeats": 1.5}, "Repeats are 1.5; give a share"),
        ({"repeats": float("nan")}, "Repeats are nan; give a share"),
        ({"repeats": 3, "sessions": 1}, "there is only one; add a session or leave repeats out"),
        (
            {"repeats": 31},
            "31 repeats are more than the 30 presentations before the last session; ask for at most 30",
        ),
        ({"pairs_per_slice": 3}, "belong to a pairwise design; leave them out"),
        ({"kind": "pairwise", "pairs_per_slice": 2}, "2 pairs per slice can't connect 4 arms.*choose 3 to 6"),
        ({"kind": "pairwise", "pairs_per_slice": 7}, "choose 3 to 6"),
    ],
)
def test_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(DesignError, match=message) as caught:
        make_orders(replace(DESIGN, **change), SECRET)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


def test_a_secret_of_the_wrong_length() -> None:
    with pytest.raises(ValueError, match="has 5 bytes; make one of exactly 32"):
        make_orders(DESIGN, b"short")


@pytest.mark.parametrize(
    "change",
    [
        {"sessions": 40},
        {"repeats": 30},
        {"repeats": 0.0},
        {"arms": 2, "slices": SLICES[:1], "sessions": 2},
        {"arms": 24, "sessions": 24},
        {"arms": 1, "kind": "random", "sessions": 3},
        {"arms": 2, "kind": "pairwise", "sessions": 2, "repeats": 2},
        {"minimum_gap": 1000},
    ],
)
def test_the_edge_is_not_refused(change: dict[str, Any]) -> None:
    design = replace(DESIGN, **change)
    assert balance_report(design, make_orders(design, SECRET)).broken == ()
