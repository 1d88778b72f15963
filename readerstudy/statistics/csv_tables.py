"""Scores and metrics from CSV files made elsewhere, with errors that name the row and the column."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from readerstudy.statistics.table import ScoreRow, ScoreTable, TableError, shown

OPTIONAL = ("patient", "modality", "session", "repeat")
CANNOT_JUDGE = "NA"
# What a spreadsheet writes; Python's own float also takes underscores, foreign digits and "nan".
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


@dataclass(frozen=True)
class FidRow:
    """FID-Med of an arm, in one modality or (``modality`` empty) over all."""

    arm: str
    modality: str
    fid_med: float
    line: int = 0


@dataclass(frozen=True)
class MetricsTable:
    """FID-Med points in the order of their rows, and latencies in ms by arm in order of appearance."""

    fid_med: tuple[FidRow, ...] = ()
    latency_ms: tuple[tuple[str, tuple[float, ...]], ...] = ()


def read_scores(path: Path, wide: bool = False) -> ScoreTable:
    """Read a long table, or a wide one in which every column that is not a key holds one reader's scores."""
    records = list(_records(path, ("slice", "arm") if wide else ("slice", "arm", "reader", "score")))
    rows: list[ScoreRow] = []
    for line, record in records:
        if wide:
            readers = [name for name in record if name not in ("slice", "arm", *OPTIONAL)]
            if not readers:
                raise TableError("Row 1: a wide table needs a column for each reader beside slice and arm; add them.")
            rows.extend(_row(line, record, reader, record[reader], reader) for reader in readers)
        else:
            reader = _filled(line, "reader", record["reader"])
            rows.append(_row(line, record, reader, record["score"], "score"))
    return ScoreTable.from_rows(rows, wide)


def read_metrics(path: Path) -> MetricsTable:
    """Read rows of ``arm, modality, fid_med`` and of ``arm, latency_ms`` (either or both columns)."""
    points: list[FidRow] = []
    latencies: dict[str, list[float]] = {}
    for line, record in _records(path, ("arm",)):
        if "fid_med" not in record and "latency_ms" not in record:
            raise TableError("Row 1: the metrics have neither a column fid_med nor latency_ms; add one.")
        arm = _filled(line, "arm", record["arm"])
        if record.get("fid_med", ""):
            fid_med = _number(line, "fid_med", record["fid_med"])
            points.append(FidRow(arm, record.get("modality", ""), fid_med, line))
        if record.get("latency_ms", ""):
            latencies.setdefault(arm, []).append(_number(line, "latency_ms", record["latency_ms"]))
    return MetricsTable(tuple(points), tuple((arm, tuple(values)) for arm, values in latencies.items()))


def _records(path: Path, required: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Row number as a spreadsheet shows it (the header is row 1) and stripped cells by column."""
    # utf-8-sig: spreadsheets write a byte order mark, which would else become part of the first name.
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            lines = list(csv.reader(stream))
    except UnicodeDecodeError as error:
        row = error.object[: error.start].count(b"\n") + 1
        raise TableError(
            f"{path.name} can't be read as a CSV file in UTF-8 from row {row} on; save it again as CSV in UTF-8."
        ) from error
    except (OSError, csv.Error) as error:
        raise TableError(f"{path.name} can't be read as a CSV file ({error}); save it again as CSV.") from error
    if not lines:
        raise TableError(f"{path.name} is empty; give a header row and at least one row below it.")
    header = [name.strip() for name in lines[0]]
    for name in required:
        if name not in header:
            raise TableError(f"Row 1: the column {name} is missing; add it or rename the one that holds it.")
    for name in header:
        if header.count(name) > 1 or not name:
            raise TableError(f"Row 1: the column '{shown(name)}' has no name or stands there twice; rename it.")
    for line, cells in enumerate(lines[1:], start=2):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            column = shown(header[min(len(cells), len(header) - 1)])
            raise TableError(
                f"Row {line}, column {column}: the row has {len(cells)} cells and the header {len(header)}; "
                "make them equal."
            )
        yield line, {name: cell.strip() for name, cell in zip(header, cells, strict=True)}


def _row(line: int, record: dict[str, str], reader: str, score: str, column: str) -> ScoreRow:
    repeat = record.get("repeat", "") or "0"
    if repeat not in ("0", "1"):
        raise TableError(f"Row {line}, column repeat: '{shown(repeat)}' is neither 0 nor 1; correct it.")
    judged = score not in ("", CANNOT_JUDGE)
    return ScoreRow(
        slice=_filled(line, "slice", record["slice"]),
        arm=_filled(line, "arm", record["arm"]),
        reader=reader,
        score=_number(line, column, score) if judged else None,
        cannot_judge=score == CANNOT_JUDGE,
        patient=record.get("patient", ""),
        modality=record.get("modality", ""),
        session=record.get("session", ""),
        repeat=int(repeat),
        line=line,
    )


def _filled(line: int, column: str, value: str) -> str:
    if not value:
        raise TableError(f"Row {line}, column {column}: it is empty; fill it in.")
    return value


def _number(line: int, column: str, text: str) -> float:
    value = float(text) if NUMBER.fullmatch(text) else math.nan
    if not math.isfinite(value):
        raise TableError(f"Row {line}, column {column}: '{shown(text)}' is not a number; correct it.")
    return value
