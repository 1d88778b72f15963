"""The form: it holds every key once, and says what the file says."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields
from typing import get_args, get_origin, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings

from readerstudy.studies.fields import (
    LISTS,
    Group,
    Input,
    data_of,
    form_parts,
    input_name,
    rows_of,
    values_of,
    with_row,
    without_row,
)
from readerstudy.studies.protocol import Protocol, from_data
from readerstudy.studies.wording import PARTS, WORDS
from tests.factories import make_protocol
from tests.studies.strategies import TYPED, protocols


def values(protocol: Protocol) -> dict[str, str]:
    return values_of({**protocol.as_data(), "plan": protocol.plan_as_data()})


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(protocols(TYPED))
def test_the_form_says_what_the_protocol_says(protocol: Protocol) -> None:
    posted = {name: text.replace("\n", "\r\n") for name, text in values(protocol).items()}
    assert from_data(data_of(posted)) == protocol


def test_every_key_has_words_and_stands_in_the_form_once() -> None:
    keys = []
    for section, kind in get_type_hints(Protocol).items():
        holder = get_args(kind)[0] if get_origin(kind) is list else kind
        keys += [f"{section}.{f.name}" for f in fields(holder)]
    assert set(WORDS) == set(keys)
    shown = Counter(name for part in PARTS for name in part.names)
    assert set(shown.values()) == {1}
    assert set(shown) == {key for key in keys if key.split(".")[0] not in LISTS} | set(LISTS)


def test_inputs_carry_every_name_of_the_values() -> None:
    held = values(make_protocol(study={"reader_record": ["years"]}, plan={"margin": 0.5}))
    shown: set[str] = set()
    for part in form_parts(held):
        for control in [*part.inputs, *(one for row in part.rows for one in row.inputs)]:
            shown |= {one.name for one in control.inputs} if isinstance(control, Group) else {control.name}
    assert set(held) <= shown


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("slices.number", "slices.number"),
        ("arms[2].levels.CT", "arms.1.levels.CT"),
        ("criteria[1].texts", "criteria.0.texts"),
    ],
)
def test_an_error_stands_beside_its_input(key: str, name: str) -> None:
    assert input_name(key) == name
    wrong: list[Input | Group] = []
    for part in form_parts(values(make_protocol()), (key, "Wrong.")):
        for control in [*part.inputs, *(one for row in part.rows for one in row.inputs)]:
            wrong += [control] if control.error else []
            wrong += [one for one in control.inputs if one.error] if isinstance(control, Group) else []
    assert [one.name for one in wrong] == [name]


def test_rows_come_and_go() -> None:
    held = values(make_protocol())
    more = with_row(held, "arms")
    assert rows_of(more, "arms") == [0, 1, 2, 3, 4] and more["arms.4.key"] == "arm_5"
    fewer = without_row(more, "arms", 1)
    assert [fewer[f"arms.{n}.key"] for n in rows_of(fewer, "arms")] == [
        "tv_recon",
        "restormer",
        "diffusion_unet",
        "arm_5",
    ]
    assert from_data(data_of(without_row(more, "arms", 4))) == make_protocol()


def test_what_cannot_be_read_stays_and_is_named() -> None:
    held = {**values(make_protocol()), "slices.number": "many", "arms.0.settings": "steps ="}
    assert data_of(held)["slices"]["number"] == "many"
    assert data_of(held)["arms"][0]["settings"] == "steps ="


def test_texts_of_another_design_are_not_lost() -> None:
    held = {**values(make_protocol()), "design.kind": "pairwise"}
    part = next(part for part in form_parts(held) if part.key == "criteria")
    texts = next(one for one in part.rows[0].inputs if isinstance(one, Group))
    assert [one.kind for one in texts.inputs] == ["text"] * 3 + ["hidden"] * 5
