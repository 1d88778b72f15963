"""``manage.py analyse``: statistics of any table, without a database; a bad table gets one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

LONG = "slice,arm,reader,score\n" + "".join(
    f"S{s},{arm},R{r},{1 + (s * (r + 1) + shift) % 5}\n"
    for s in range(8)
    for shift, arm in enumerate(("first", "second"))
    for r in range(3)
)


def run(folder: Path, scores: str, *options: str) -> dict[str, dict[str, dict[str, object]]]:
    (folder / "scores.csv").write_text(scores)
    out = folder / "out.json"
    call_command("analyse", "--scores", str(folder / "scores.csv"), "--json", str(out), "--draws", "50", *options)
    found: dict[str, dict[str, dict[str, object]]] = json.loads(out.read_text())
    return found


def test_long_table_without_a_database(tmp_path: Path) -> None:
    document = run(tmp_path, LONG, "--categories", "1,2,3,4,5")
    assert document["categories"] == [1, 2, 3, 4, 5] and list(document["arms"]) == ["first", "second"]
    assert document["arms"]["first"]["n_scores"] == 24
    assert run(tmp_path, LONG, "--categories", "1,2,3,4,5") == document


def test_wide_table_and_metrics(tmp_path: Path) -> None:
    rows = "".join(f"S{s},{arm},{1 + s % 5},{1 + (s + 1) % 5}\n" for s in range(6) for arm in ("a", "b", "c"))
    (tmp_path / "metrics.csv").write_text("arm,modality,fid_med\na,,10\nb,,20\nc,,30\n")
    document = run(
        tmp_path, "slice,arm,R1,R2\n" + rows, "--wide", "--metrics", str(tmp_path / "metrics.csv"), "--seed", "3"
    )
    assert document["correlation"]["fid_med"]["n"] == 3 and list(document["readers"]) == ["R1", "R2"]


@pytest.mark.parametrize(
    ("scores", "sentence"),
    [
        ("slice,arm,reader\nS1,a,R1\n", "Row 1: the column score is missing"),
        ("slice,arm,reader,score\nS1,a,R1,good\n", "Row 2, column score: 'good' is not a number"),
        ("slice,arm,reader,score\nS1,a,R1,7\n", "Row 2, column score: 7 is not one of the categories"),
    ],
)
def test_bad_tables_get_one_sentence(tmp_path: Path, scores: str, sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        run(tmp_path, scores, "--categories", "1,2,3,4,5")


@pytest.mark.parametrize("text", ["1,b", "5,4,3", "1"])
def test_bad_categories_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(CommandError, match=r"whole numbers|does not rise"):
        run(tmp_path, LONG, "--categories", text)


@pytest.mark.parametrize(
    ("option", "value"), [("--margin", "0"), ("--margin", "nan"), ("--seed", "-1"), ("--draws", "0"), ("--draws", "x")]
)
def test_bad_numbers_are_refused(tmp_path: Path, option: str, value: str) -> None:
    with pytest.raises(CommandError, match=r"write one"):
        run(tmp_path, LONG, option, value)


def test_a_margin_tests_every_pair(tmp_path: Path) -> None:
    (pair,) = run(tmp_path, LONG, "--margin", "0.5")["comparisons"]
    assert pair["non_inferiority"]["margin"] == pair["equivalence"]["margin"] == 0.5
    assert 0 <= pair["equivalence"]["p"] <= 1


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"none\.csv can't be read"):
        call_command("analyse", "--scores", str(tmp_path / "none.csv"), "--json", str(tmp_path / "o.json"))
