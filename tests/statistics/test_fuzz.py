"""Broken tables: either strict JSON without a warning, or one sentence that names row and column."""

from __future__ import annotations

import json
import tempfile
import warnings
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from readerstudy.statistics.analyse import analyse
from readerstudy.statistics.csv_tables import read_metrics, read_scores
from readerstudy.statistics.table import TableError

COLUMNS = ("slice", "arm", "reader", "score", "patient", "modality", "session", "repeat")
ODD = ["", "NA", "nan", "inf", "1e400", "1e15", "-1", "3.5", " 3 ", "3,4", '"', "\x00", "é", "\ufeff", "1_0", "٣", "R1"]
CELL = st.one_of(st.sampled_from(ODD), st.text(max_size=6))
PLACES = ("row", "column", "empty", "no rows", "no score at all", "a wide table", "CSV file")
MANY = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def broken(draw: st.DrawFn) -> tuple[str, bool]:
    """A good long or wide table with up to four cells, names or rows broken."""
    wide = draw(st.booleans())
    header = ["slice", "arm", "R1", "R2"] if wide else list(COLUMNS)
    score = st.sampled_from(["1", "2", "4", "5", "", "NA"])
    rows = [
        [f"S{s}", f"A{a}", draw(score), draw(score)]
        if wide
        else [f"S{s}", f"A{a}", f"R{r}", draw(score), f"P{s}", "CT", str(1 + s % 2), "0"]
        for s in range(draw(st.integers(1, 4)))
        for a in range(2)
        for r in range(1 if wide else 2)
    ]
    lines = [header, *rows]
    for _ in range(draw(st.integers(0, 4))):
        line = draw(st.sampled_from(lines))
        kind = draw(st.sampled_from(["cell", "cell", "cell", "longer", "shorter", "twice"]))
        if kind == "twice":
            lines.append(list(line))
        elif kind == "longer":
            line.append(draw(CELL))
        elif line:
            place = draw(st.integers(0, len(line) - 1))
            if kind == "cell":
                line[place] = draw(CELL)
            else:
                line.pop(place)
    return "\n".join(",".join(line) for line in lines) + "\n", wide


def one_sentence(error: TableError) -> None:
    text = str(error)
    assert "\n" not in text and text.endswith(".") and len(text) < 400
    assert any(place in text.lower() or place in text for place in PLACES), text


@MANY
@given(broken(), st.booleans())
def test_scores(table: tuple[str, bool], form: bool) -> None:
    text, wide = table
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("error")
        path = Path(folder) / "scores.csv"
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        try:
            found = analyse(read_scores(path, wide), None, [1, 2, 3, 4, 5] if form else None, draws=20, clmm=False)
        except TableError as error:
            one_sentence(error)
        else:
            json.dumps(found, allow_nan=False)


@MANY
@given(st.lists(st.lists(CELL, min_size=3, max_size=5), max_size=4), st.sampled_from(["fid_med", "latency_ms", "psnr"]))
def test_metrics(cells: list[list[str]], column: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "metrics.csv"
        lines = [["arm", "modality", column, "extra"], *cells]
        path.write_bytes("\n".join(",".join(line) for line in lines).encode("utf-8", "surrogatepass"))
        try:
            read_metrics(path)
        except TableError as error:
            one_sentence(error)
