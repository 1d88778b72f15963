"""The sealed envelope: one byte string per value, and nothing inside can be changed unseen."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readerstudy.audit.canonical import canonical_json
from readerstudy.schedules.commitment import commitment, verify

SECRET = bytes(range(32))
PROTOCOL = hashlib.sha256(b"protocol").hexdigest()
ORDERS = [{"reader": 0, "positions": [{"slice": "s1", "arms": [2, 0], "repeat_of": None}]}]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"b": 1, "a": [True, None, "ü"]}, '{"a":[true,null,"ü"],"b":1}'),
        ({}, "{}"),
        ((1, 2), "[1,2]"),
        (0.1, "0.1"),
        (1e22, "1e+22"),
        (-0.0, "-0.0"),
        (2**70, "1180591620717411303424"),
        ({"é": 1, "e": 2, "z": 3}, '{"e":2,"z":3,"é":1}'),
        ('a"\\\n\u2028\x00', '"a\\"\\\\\\n\u2028\\u0000"'),
    ],
)
def test_canonical_json_vectors(value: Any, expected: str) -> None:
    assert canonical_json(value) == expected.encode("utf-8")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": [float("nan")]}, r"value\.a\[0\] is nan; only finite numbers"),
        (float("inf"), "value is inf; only finite numbers"),
        ({1: "a"}, "has the key 1; turn every key into text first"),
        ({"a": {1, 2}}, r"value\.a is a set; turn it into text"),
        (b"bytes", "value is a bytes; turn it into text"),
        ("\ud800", "valid Unicode; replace the broken character"),
        ({"\ud800": 1}, "valid Unicode; replace the broken character"),
    ],
)
def test_canonical_json_refuses(value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        canonical_json(value)


def test_commitment_vector() -> None:
    """Written out by hand once, so that another program can check it too."""
    sealed = (
        f'{{"protocol":"{PROTOCOL}","schedules":[{{"positions":[{{"arms":[2,0],"repeat_of":null,"slice":"s1"}}],'
        f'"reader":0}}],"secret":"{SECRET.hex()}"}}'
    )
    assert commitment(SECRET, ORDERS, PROTOCOL) == hashlib.sha256(sealed.encode()).hexdigest()
    assert commitment(SECRET, ORDERS, PROTOCOL) == "01dda90b4848c2d73b90ee980247923149972d2069ac2daf3c7dc77e3608a8e4"


def test_verify_accepts_the_truth_and_nothing_else() -> None:
    shown = commitment(SECRET, ORDERS, PROTOCOL)
    assert verify(shown, SECRET, ORDERS, PROTOCOL)
    changed: list[dict[str, Any]] = [{"reader": 0, "positions": [{"slice": "s1", "arms": [0, 2], "repeat_of": None}]}]
    assert not verify(shown, SECRET, changed, PROTOCOL)
    assert not verify(shown, SECRET[:-1] + b"\x00", ORDERS, PROTOCOL)
    assert not verify(shown, SECRET, ORDERS, hashlib.sha256(b"another").hexdigest())
    assert not verify(shown[:-1] + ("0" if shown[-1] != "0" else "1"), SECRET, ORDERS, PROTOCOL)
    assert not verify("ü", SECRET, ORDERS, PROTOCOL)


def test_commitment_refuses_weak_secrets_and_wrong_hashes() -> None:
    with pytest.raises(ValueError, match="has 8 bytes; make one of exactly 32"):
        commitment(b"8 bytes!", ORDERS, PROTOCOL)
    with pytest.raises(ValueError, match="64 lower-case hexadecimal digits; give its SHA-256"):
        commitment(SECRET, ORDERS, PROTOCOL.upper())


@given(st.binary(min_size=32, max_size=32), st.integers(0, 255), st.integers(0, 31))
def test_one_changed_byte_of_the_secret_shows(secret: bytes, value: int, place: int) -> None:
    other = secret[:place] + bytes([value]) + secret[place + 1 :]
    assert verify(commitment(secret, ORDERS, PROTOCOL), other, ORDERS, PROTOCOL) == (secret == other)
