"""The protocol: what is read is what is written, and what is wrong is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from readerstudy.studies.protocol import ProtocolError, from_data, read_toml

TEMPLATE = Path(__file__).resolve().parents[2] / "readerstudy" / "studies" / "protocol.toml"
TEXTS = {str(n): f"text {n}" for n in range(1, 6)}


def data(**changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "study": {"title": "T", "seed": 1},
        "slices": {"number": 4},
        "arms": [{"key": "a", "title": "A", "method": "m"}, {"key": "b", "title": "B", "method": "m"}],
        "criteria": [{"key": "c", "title": "C", "question": "?", "texts": TEXTS}],
        "plan": {"primary_criterion": "c"},
    }
    return {**made, **changes}


def test_the_template_is_a_valid_protocol() -> None:
    protocol = read_toml(TEMPLATE.read_text())
    assert [arm.key for arm in protocol.arms] == ["tv_recon", "pix2pix", "restormer", "diffusion_unet"]
    assert protocol.arms[0].levels == {"CT": 0.25, "MR": 6.0, "US": -6.0}


def test_what_is_read_is_what_is_written() -> None:
    protocol = read_toml(TEMPLATE.read_text())
    assert from_data({**protocol.as_data(), "plan": protocol.plan_as_data()}) == protocol


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"study": {"title": "T"}}, r"study\.seed is missing"),
        ({"study": {"title": " ", "seed": 1}}, r"study\.title: give"),
        ({"study": {"title": "T", "seed": -1}}, r"study\.seed: write a whole number"),
        ({"slices": {"number": "four"}}, r"slices\.number: write a whole number, not 'four'"),
        ({"slices": {"number": 4, "colour": 1}}, r"slices\.colour is not known here"),
        ({"arms": []}, "2 to 8 arms"),
        ({"arms": [{"key": "a", "title": "A", "method": "m"}] * 2}, "'a' stands twice"),
        ({"arms": "many"}, "arms: write a list"),
        ({"criteria": []}, "at least one question"),
        ({"criteria": [{"key": "c", "title": "C", "question": "?", "texts": {"1": "x"}}]}, r"criteria\.c\.texts"),
        ({"design": {"kind": "alphabetical"}}, r"design\.kind: write one of"),
        ({"design": {"readers": 0}}, r"design\.readers: write a number from 1"),
        ({"display": {"reference": "hidden"}}, "role = \"reference\""),
        ({"plan": {"primary_criterion": "x"}}, r"plan\.primary_criterion: name one"),
        ({"plan": {"primary_criterion": "c", "hypothesis": "equivalence"}}, r"plan\.margin: equivalence needs"),
        ({"plan": {"primary_criterion": "c", "comparator": "z"}}, r"plan\.comparator: name one"),
        ({"plan": {"primary_criterion": "c", "comparisons": "against comparator"}}, r"plan\.comparator: name the arm"),
        ({"surprise": {}}, "surprise is not known here"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ProtocolError, match=sentence):
        from_data(data(**changes))


def test_what_is_not_toml_is_said() -> None:
    with pytest.raises(ProtocolError, match="not valid TOML"):
        read_toml("title = ")
