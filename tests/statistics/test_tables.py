"""Reading tables made elsewhere: what is read, and the one sentence that names row and column."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from readerstudy.statistics.csv_tables import FidRow, read_metrics, read_scores
from readerstudy.statistics.table import ScoreTable, TableError
from tests.statistics.tables import scores, table


def read(folder: Path, text: str, wide: bool = False) -> ScoreTable:
    path = folder / "scores.csv"
    path.write_text(text, encoding="utf-8")
    return read_scores(path, wide)


def test_long_table(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        "\ufeffslice,arm,reader,score,patient,repeat\nS2,b,R9,,P1,0\nS2,b,R1,NA,P1,0\nS1,a,R1,4,P2,\n\nS1,a,R1,3,P2,1\n",
    )
    assert (found.slices, found.arms, found.readers) == (("S2", "S1"), ("b", "a"), ("R9", "R1"))
    assert found.patients == ("P1", "P2") and found.modalities == ()
    cube = found.cube()
    assert cube[1, 1, 1] == 4 and np.isfinite(cube).sum() == 1
    assert found.cannot_judge_cube().sum() == 1 and found.cube(repeat=1)[1, 1, 1] == 3
    assert found.categories() == (3, 4)


def test_wide_table_equals_the_long_one(tmp_path: Path) -> None:
    wide = read(tmp_path, "slice,arm,modality,R1,R2\nS1,a,CT,3,NA\nS2,a,MR,,5\n", wide=True)
    text = "slice,arm,modality,reader,score\nS1,a,CT,R1,3\nS1,a,CT,R2,NA\nS2,a,MR,R1,\nS2,a,MR,R2,5\n"
    long = read(tmp_path, text)
    assert np.array_equal(wide.cube(), long.cube(), equal_nan=True)
    assert (wide.readers, wide.modalities) == (long.readers, long.modalities)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "scores.csv is empty"),
        ("slice,arm,reader,score\n", "no rows"),
        ("slice,arm,score\nS1,a,3\n", "Row 1: the column reader is missing"),
        ("slice,arm,reader,score,score\nS1,a,R1,3,3\n", "'score' has no name or stands there twice"),
        ("slice,arm,reader,score\nS1,a,R1,3,4\n", "Row 2, column score: the row has 5 cells"),
        ("slice,arm,reader,score\nS1,a,R1\n", "Row 2, column score: the row has 3 cells"),
        ("slice,arm,reader,score\nS1,a,R1,3\nS1,,R2,3\n", "Row 3, column arm: it is empty"),
        ("slice,arm,reader,score\nS1,a,R1,good\n", "Row 2, column score: 'good' is not a number"),
        ("slice,arm,reader,score\nS1,a,R1,nan\n", "Row 2, column score: 'nan' is not a number"),
        ("slice,arm,reader,score\nS1,a,R1,3\nS1,a,R1,4\n", "Row 3, column score: .* already stands in row 2"),
        ("slice,arm,reader,score,repeat\nS1,a,R1,3,2\n", "Row 2, column repeat: '2' is neither 0 nor 1"),
        (
            "slice,arm,reader,score,patient\nS1,a,R1,3,P\nS1,a,R2,3,Q\n",
            "Row 3, column patient: slice S1 has 'Q'",
        ),
        (
            "slice,arm,reader,score,patient\nS1,a,R1,3,P\nS2,a,R1,3,\n",
            "Row 3, column patient: it is empty here",
        ),
    ],
)
def test_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(TableError, match=sentence) as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("slice,arm,reader,score\nS1,a,R1,1_0\n", "Row 2, column score: '1_0' is not a number"),
        ("slice,arm,reader,score\nS1,a,R1,٣\n", "is not a number"),
        ('slice,arm,reader,score\nS1,a,R1,"3\nS1,a,R2,4\n', "Row 2, column score: '3 S1,a,R2,4' is not"),
        ("slice,arm,reader,score\nS1,a,R1," + "9" * 99 + "x\n", r"'9{40}\.\.\.' is not"),
    ],
)
def test_odd_cells_are_quoted_on_one_short_line(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(TableError, match=sentence) as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_wide_tables_name_the_readers_column(tmp_path: Path) -> None:
    found = read(tmp_path, "slice,arm,R1,R2\nS1,a,3,4\nS2,a,3,9\n", wide=True)
    with pytest.raises(TableError, match="Row 3, column R2: 9 is not one of the categories"):
        found.check([1, 2, 3, 4, 5])
    with pytest.raises(TableError, match="Row 3, column R1: slice S1, arm a, reader R1"):
        read(tmp_path, "slice,arm,R1\nS1,a,3\nS1,a,4\n", wide=True)


def test_tables_that_would_not_fit(tmp_path: Path) -> None:
    far = read(tmp_path, "slice,arm,reader,score\nS1,a,R1,1\nS1,a,R2,1e15\n")
    with pytest.raises(TableError, match=r"Row 3, column score: 1e\+15 would make a form of more than 100 categories"):
        far.categories()
    unique = "".join(f"S{k},A{k},R{k},3\n" for k in range(300))
    with pytest.raises(TableError, match="Row 1: 300 rows name 300 slices, 300 arms and 300 readers"):
        read(tmp_path, "slice,arm,reader,score\n" + unique)


def test_scores_off_the_form(tmp_path: Path) -> None:
    found = read(tmp_path, "slice,arm,reader,score\nS1,a,R1,3.5\n")
    with pytest.raises(TableError, match=r"Row 2, column score: 3.5 is not a whole number"):
        found.categories()
    with pytest.raises(TableError, match=r"Row 2, column score: 3.5 is not one of the categories 1, 2"):
        found.check([1, 2, 3, 4, 5])
    with pytest.raises(TableError, match="no score at all"):
        read(tmp_path, "slice,arm,reader,score\nS1,a,R1,NA\n").categories()


def test_wide_without_readers(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="a column for each reader"):
        read(tmp_path, "slice,arm\nS1,a\n", wide=True)


def test_binary_file(tmp_path: Path) -> None:
    (tmp_path / "scores.csv").write_bytes(b"\x80\x81\xff")
    with pytest.raises(TableError, match="can't be read as a CSV file"):
        read_scores(tmp_path / "scores.csv")
    (tmp_path / "scores.csv").write_bytes(b"slice,arm,reader,score\nS\xfc,a,R1,3\n")
    with pytest.raises(TableError, match="from row 2 on"):
        read_scores(tmp_path / "scores.csv")


def test_metrics(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text("arm,modality,fid_med,latency_ms\nb,CT,48.5,\na,,,10\na,,,12\nb,,7,3\n")
    found = read_metrics(path)
    assert found.fid_med == (FidRow("b", "CT", 48.5, 2), FidRow("b", "", 7.0, 5))
    assert found.latency_ms == (("a", (10.0, 12.0)), ("b", (3.0,)))
    path.write_text("arm,psnr\na,3\n")
    with pytest.raises(TableError, match="neither a column fid_med nor latency_ms"):
        read_metrics(path)


def test_filters_keep_names_in_order() -> None:
    full = table(scores(1, slices=6), modalities=("CT", "MR") * 3)
    part = full.where(modalities={"MR"}, readers={"R4", "R2"})
    assert part.slices == ("S1", "S3", "S5") and part.readers == ("R2", "R4")
    assert np.array_equal(part.cube(), full.cube()[1::2][:, :, [1, 3]])
    with pytest.raises(TableError, match="no rows"):
        full.where(modalities={"US"})
