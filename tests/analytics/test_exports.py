"""The zip: the same bytes every time, complete, marked, and recomputable by us and by an independent script."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import subprocess
import sys
import zipfile
from dataclasses import fields
from pathlib import Path

import pytest

from readerstudy.analytics.actions import export_snapshot, make_snapshot
from readerstudy.analytics.dictionary import COLUMNS
from readerstudy.analytics.exports import export_files, table_names, tables
from readerstudy.analytics.figures import FIGURES
from readerstudy.analytics.gathering import gather
from readerstudy.analytics.grids import FILES, grids
from readerstudy.analytics.inputs import TABLES
from readerstudy.analytics.lines import ScoreLine, to_csv
from readerstudy.analytics.marks import annotations_json
from readerstudy.analytics.recompute import inputs_from, read_zip
from readerstudy.audit.models import Entry
from readerstudy.statistics.csv_tables import read_metrics, read_scores
from tests.analytics.conftest import Exported
from tests.analytics.factories import Shape, add_member, make_study
from tests.analytics.tables import WORDS, pairwise
from tests.analytics.tables import inputs as words

INDEPENDENT = Path(__file__).parents[1] / "statistics" / "independent_recompute.py"


def test_same_snapshot_gives_the_same_bytes(exported: Exported) -> None:
    assert exported.content == exported.again
    assert read_statistics(exported.content) == exported.statistics


@pytest.mark.django_db
def test_export_is_an_entry_of_the_chain_with_its_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("readerstudy.analytics.exports.FIGURES", {})
    study = make_study(Shape(slices=6, simulated=False))
    by = add_member(study, "analyst")
    content = export_snapshot(make_snapshot(study, None), by)
    entry = Entry.objects.filter(chain__name=study.chain, verb="snapshot.export").get()
    assert entry.data["sha256"] == hashlib.sha256(content).hexdigest() and entry.actor == by.handle
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        wide, readme = archive.read("scores_wide.csv"), archive.read("README.txt")
        rows = list(csv.DictReader(io.StringIO(archive.read("scores.csv").decode())))
    # People are not marked as a program.
    assert b"simulated)" not in wide and b"SIMULATED" not in readme
    assert {row["simulated"] for row in rows} == {"0"}


@pytest.mark.django_db
def test_tables_read_back_to_the_same_inputs() -> None:
    inputs = gather(make_study(Shape(slices=6, criteria=("quality", "noise"))))
    files = {name: text.encode() for name, text in tables(inputs).items()}
    assert inputs_from(files) == inputs


def test_zip_holds_every_table_figure_and_checksum(archive: Path) -> None:
    files = read_zip(archive)
    expected = {
        "scores.csv", "scores_noise.csv", "scores_wide.csv", "metrics.csv", "metrics_by_modality.csv",
        "metrics_images.csv", "sessions.csv", "study.json", "statistics.json", "README.txt", "CHECKSUMS.sha256",
        "tables.xlsx", "analysis.R", "imrmc_not_applicable.txt",
    }  # fmt: skip
    parquets = {f"parquet/{name.removesuffix('.csv')}.parquet" for name in expected if name.endswith(".csv")}
    document = json.loads(files["statistics.json"])
    drawn = [name for name, figure in FIGURES.items() if figure.applies(document)]
    figures = {f"figures/{name}.{kind}" for name in drawn for kind in ("svg", "pdf", "png")}
    assert set(files) == expected | parquets | figures and len(figures) > 9
    assert files["imrmc_not_applicable.txt"].startswith(b"not applicable: no truth\n")
    checked = subprocess.run(
        ["sha256sum", "-c", "--quiet", "CHECKSUMS.sha256"], cwd=unpacked(archive), capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stderr
    readme = files["README.txt"].decode()
    assert all(f"  {name}\n" in readme for name in files) and "Research use only" in readme


@pytest.mark.parametrize("table", TABLES)
def test_data_dictionary_names_every_column(table: str, archive: Path) -> None:
    described = {name for names in COLUMNS for name in names.split(", ")}
    assert {field.name for field in fields(TABLES[table])} | {"cannot_judge"} <= described
    readme = read_zip(archive)["README.txt"].decode()
    assert all(f"  {names}\n      {text}\n" in readme for names, text in COLUMNS.items())


def test_csv_of_typed_columns_is_that_of_the_lines() -> None:
    made = {grid.name: grid.csv() for grid in grids(words())}
    for table, name in FILES.items():
        if lines := getattr(words(), table):
            assert made[name] == to_csv(TABLES[table], lines)
    assert made["scores.csv"] == to_csv(ScoreLine, words().scores_of("quality"))
    assert list(made) == [name for name, _ in table_names(words())]


def test_csv_keeps_what_readers_wrote(archive: Path) -> None:
    rows = csv.DictReader(io.StringIO(tables(words())["annotations.csv"]))
    assert [row["comment"] for row in rows] == list(WORDS)
    assert "begins with = + - or @" in read_zip(archive)["README.txt"].decode()


def test_marks_go_out_as_numbers_too() -> None:
    document = json.loads(annotations_json(words()))
    assert document["notice"] == "Research use only, not for diagnosis" and "[c, c+1)" in document["coordinates"]
    marks = list(csv.DictReader(io.StringIO(tables(words())["annotations.csv"])))
    assert len(document["marks"]) == len(marks) == len(WORDS)
    for found, row in zip(document["marks"], marks, strict=True):
        assert found["points"] == json.loads(row["points"]) and found["comment"] == row["comment"]
        assert found["shape"] in document["shapes"] and found["simulated"] is False


def test_files_depend_on_what_the_study_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("readerstudy.analytics.exports.FIGURES", {})
    marked, compared = export_files("{}", words(), "c" * 64), export_files("{}", pairwise(), "c" * 64)
    assert {"annotations.json", "parquet/annotations.parquet", "analysis.R"} <= set(marked)
    assert {"pairs.csv", "parquet/pairs.parquet", "tables.xlsx"} <= set(compared)
    assert not {"analysis.R", "annotations.json", "scores.csv"} & set(compared)
    readme = compared["README.txt"].decode()
    assert all(f"  {name}\n" in readme for name in compared)


def test_everything_is_marked_as_simulated(archive: Path) -> None:
    files = read_zip(archive)
    for name in (name for name in files if name.endswith(".csv") and name != "scores_wide.csv"):
        rows = list(csv.DictReader(io.StringIO(files[name].decode())))
        assert rows and {row["simulated"] for row in rows} == {"1"}, name
    assert b"R1 (simulated)" in files["scores_wide.csv"]
    assert json.loads(files["statistics.json"])["simulated"] is True
    assert json.loads(files["study.json"])["simulated"] is True
    assert b"SIMULATED READERS" in files["README.txt"]


def test_tables_are_read_by_the_command_for_any_table(archive: Path) -> None:
    folder = unpacked(archive)
    long, wide = read_scores(folder / "scores.csv"), read_scores(folder / "scores_wide.csv", wide=True)
    assert long.arms == wide.arms and len(long.readers) == len(wide.readers) == 3
    assert long.cube().shape == wide.cube().shape
    assert ((long.cube() == wide.cube()) | (long.cube() != long.cube())).all()
    assert [row.arm for row in read_metrics(folder / "metrics.csv").fid_med] == list(long.arms)


def test_no_person_is_named_in_an_export(archive: Path, exported: Exported) -> None:
    assert len(exported.people) == 4
    for name, content in read_zip(archive).items():
        assert not any(person.encode() in content for person in exported.people), name


def test_independent_script_agrees_to_the_last_printed_digit(archive: Path) -> None:
    folder = unpacked(archive)
    run = subprocess.run(
        [sys.executable, str(INDEPENDENT), str(folder / "scores.csv"), str(folder / "metrics.csv")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    document = json.loads((folder / "statistics.json").read_text())
    theirs = json.loads(run.stdout)
    for arm, found in theirs["arms"].items():
        ours = document["arms"][arm]
        same(found["mean_score"], ours["opinion"]["mean_score"]["value"])
        same(found["fleiss_kappa"], ours["agreement"]["fleiss_kappa"]["value"])
        same(found["percent_agreement"], ours["agreement"]["percent_agreement"]["value"])
    assert len(theirs["arms"]) == 4
    fit = document["correlation"]["fid_med"]
    for name in ("slope", "intercept", "pearson"):
        same(theirs["fid_med"][name], fit[name]["value"])


def same(theirs: float, ours: float) -> None:
    assert f"{theirs:.10g}" == f"{ours:.10g}" and math.isfinite(ours)


def read_statistics(content: bytes) -> str:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read("statistics.json").decode()


def unpacked(archive: Path) -> Path:
    folder = archive.parent / "unpacked"
    with zipfile.ZipFile(archive) as content:
        content.extractall(folder)
    return folder
