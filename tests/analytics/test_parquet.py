"""Parquet files: equal to the CSV, typed, with nulls and not NaN, marked, always the same bytes."""

from __future__ import annotations

import csv
import io
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import fastparquet
import pytest

from readerstudy.analytics.grids import Grid, Kind, grids
from readerstudy.analytics.inputs import RESEARCH_USE
from readerstudy.analytics.parquet import parquet, refusal_column
from tests.analytics.tables import CHAIN_HEAD, FACTS, inputs, pairwise

MADE = {grid.stem: grid for grid in [*grids(inputs()), *grids(pairwise())]}


def opened(grid: Grid, folder: Path) -> Any:
    path = folder / "table.parquet"
    path.write_bytes(parquet(grid, FACTS, CHAIN_HEAD))
    return fastparquet.ParquetFile(str(path))


@pytest.mark.parametrize("stem", MADE)
def test_every_table_equals_its_csv(stem: str, tmp_path: Path) -> None:
    grid = MADE[stem]
    frame = opened(grid, tmp_path).to_pandas()
    rows = list(csv.DictReader(io.StringIO(grid.csv())))
    assert len(frame) == len(rows)
    for column in grid.columns:
        found = [_text(value) for value in frame[column.name].tolist()]
        if column.kind is Kind.SCORE:
            refused = frame[refusal_column(column.name)].tolist()
            found = ["NA" if no else value for value, no in zip(found, refused, strict=True)]
        assert found == [row[column.name] for row in rows], column.name


def test_types(tmp_path: Path) -> None:
    physical = {element.name: element.type for element in opened(MADE["scores"], tmp_path).schema.schema_elements}
    boolean, int64, double, text = 0, 2, 5, 6
    assert physical["score"] == int64 and physical["cannot_judge"] == boolean and physical["session"] == int64
    assert physical["seconds"] == double and physical["slice"] == text
    scores = opened(MADE["scores"], tmp_path).to_pandas()
    assert scores["score"].isna().tolist() == [False, True, True, False, False, True]
    assert scores["cannot_judge"].tolist() == [False, True, False, False, False, False]
    wide = opened(MADE["scores_wide"], tmp_path).to_pandas()
    assert wide["R2"].isna().tolist() == [True, False, True] and wide["R2 cannot_judge"].tolist() == [
        True,
        False,
        False,
    ]
    # A column without any value keeps its type.
    missing = {e.name: e.type for e in opened(MADE["metrics_by_modality"], tmp_path).schema.schema_elements}
    assert missing["fid_med"] == double


def test_a_table_without_rows_can_be_read(tmp_path: Path) -> None:
    empty = replace(MADE["metrics"], rows=[])
    frame = opened(empty, tmp_path).to_pandas()
    assert len(frame) == 0 and list(frame.columns) == [column.name for column in empty.columns]


def test_metadata_says_whose_numbers_these_are(tmp_path: Path) -> None:
    kept = opened(MADE["scores"], tmp_path).key_value_metadata
    assert kept["notice"] == RESEARCH_USE and kept["study"] == FACTS.study and kept["simulated_readers"] == "false"
    assert kept["protocol_sha256"] == "a" * 64 and kept["plan_sha256"] == "b" * 64
    assert kept["audit_chain_head"] == CHAIN_HEAD


def test_the_same_bytes_at_any_time() -> None:
    first = parquet(MADE["annotations"], FACTS, CHAIN_HEAD)
    time.sleep(1.1)
    assert parquet(MADE["annotations"], FACTS, CHAIN_HEAD) == first


def _text(value: Any) -> str:
    """A value as it stands in a CSV file."""
    if value is None or str(value) == "<NA>" or value != value:
        return ""
    return repr(value) if isinstance(value, float) else str(value)
