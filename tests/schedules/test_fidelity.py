"""The draw of the fidelity pass: from the scored images, arms in turn, the same on every machine."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import astuple

import pytest

from readerstudy.audit.canonical import canonical_json
from readerstudy.schedules.designs import Design, make_orders
from readerstudy.schedules.designs.fidelity import draw_again
from tests.schedules.test_designs import SECRET, slices

DESIGN = Design(arms=4, slices=slices(8, 8, 8), sessions=4, readers=2, repeats=4)
VECTOR = "4fe6ba28d9264b61245ee47c90937007b85fa1fd50cf39054dec4d0af8aa3946"


@pytest.mark.parametrize(("share", "number"), [(0.01, 1), (0.25, 6), (0.5, 12), (1.0, 24)])
def test_a_share_of_each_session_arms_in_turn(share: float, number: int) -> None:
    for order in make_orders(DESIGN, SECRET):
        again = draw_again(order, share, SECRET)
        for session in range(4):
            own = [a for a in again if a.session == session]
            length = sum(p.session == session for p in order.positions)
            assert len(own) == number and [a.position for a in own] == list(range(length, length + number))
            assert len({a.shown for a in own}) == number
            counts = Counter(a.arms for a in own)
            assert max(counts.values()) - min(counts.values() if len(counts) == 4 else [0]) <= 1
            for a in own:
                first = order.positions[a.shown]
                assert (first.session, first.slice, first.arms, first.repeat_of) == (session, a.slice, a.arms, None)


def test_no_share_no_pass() -> None:
    assert draw_again(make_orders(DESIGN, SECRET)[0], 0.0, SECRET) == ()


def test_readers_differ_and_the_draw_is_frozen() -> None:
    orders = make_orders(DESIGN, SECRET)
    drawn = [[list(astuple(a)) for a in draw_again(order, 0.25, SECRET)] for order in orders]
    assert drawn[0] != drawn[1]
    plain = [[[*row[:3], list(row[3]), row[4]] for row in rows] for rows in drawn]
    assert hashlib.sha256(canonical_json(plain)).hexdigest() == VECTOR
