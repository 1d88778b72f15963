"""The writer: what is written reads back the same, whatever stands in it."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from readerstudy.studies.protocol import Protocol, ProtocolError, from_data, read_toml
from readerstudy.studies.toml import write_toml
from tests.factories import make_protocol
from tests.studies.strategies import protocols

LONG = 'First line\n\n  "quoted" \\ and """three""" quotes\n\ttabbed, ends in one: "'


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(protocols())
def test_every_protocol_reads_back_the_same(protocol: Protocol) -> None:
    assert read_toml(write_toml(protocol)) == protocol


@pytest.mark.parametrize("text", [LONG, '"', '"""\n"', "\\\n\\", '\\"\n\\"', "\r\n\r", "\n", "é漢字🙂\x7f\x01", " \n "])
def test_text_of_every_sort(text: str) -> None:
    protocol = make_protocol(study={"consent": text})
    assert read_toml(write_toml(protocol)).study.consent == text


def test_long_text_stands_on_lines_of_its_own() -> None:
    written = write_toml(make_protocol(study={"consent": "You read images.\n\nYour scores are kept."}))
    assert 'consent = """\nYou read images.\n\nYour scores are kept."""' in written


def test_no_margin_is_left_out_and_every_section_has_its_comment() -> None:
    written = write_toml(make_protocol())
    assert "margin" not in written
    lines = written.splitlines()
    for section in fields(Protocol):
        at = next(i for i, line in enumerate(lines) if line in (f"[{section.name}]", f"[[{section.name}]]"))
        assert lines[at - 1].startswith("# "), section.name


def test_the_other_words_are_said() -> None:
    assert 'stratify = "modality"  # or "none"' in write_toml(make_protocol())


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (float("nan"), "finite number"),
        (float("inf"), "finite number"),
        (None, "write text, a number"),
        ("a\0b", "no database can store"),
        ({"deep": ["\ud800"]}, "no database can store"),
    ],
)
def test_what_no_file_or_database_holds_is_refused(value: Any, sentence: str) -> None:
    protocol = make_protocol()
    data = {**protocol.as_data(), "plan": protocol.plan_as_data()}
    data["arms"][1]["settings"] = {"x": value}
    with pytest.raises(ProtocolError, match=sentence) as caught:
        from_data(data)
    assert caught.value.key.startswith("arms[2].settings.x")


def test_a_stored_protocol_of_an_older_version_takes_defaults() -> None:
    protocol = make_protocol()
    data = {**protocol.as_data(), "plan": protocol.plan_as_data()}
    del data["study"]["reader_record"], data["design"]["pairs_per_slice"]
    assert from_data(data) == protocol
    assert replace(protocol.design, pairs_per_slice=0) == protocol.design
