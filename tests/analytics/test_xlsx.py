"""The workbook, read by another library: equal to the CSV cell by cell, text never a formula, always the same bytes."""

from __future__ import annotations

import csv
import hashlib
import io
import time
from dataclasses import replace
from typing import Any

import openpyxl
import pytest
from openpyxl.utils.escape import unescape

from readerstudy.analytics import workbook as module
from readerstudy.analytics.dictionary import COLUMNS
from readerstudy.analytics.grids import Column, Grid, Kind, grids
from readerstudy.analytics.inputs import RESEARCH_USE
from readerstudy.analytics.workbook import sheet_names, workbook
from tests.analytics.tables import CHAIN_HEAD, FACTS, WORDS, inputs, pairwise


def opened(content: bytes) -> Any:
    return openpyxl.load_workbook(io.BytesIO(content))


@pytest.fixture(scope="module")
def book() -> Any:
    return opened(workbook(grids(inputs()), FACTS, CHAIN_HEAD))


def test_every_sheet_equals_its_csv_cell_by_cell(book: Any) -> None:
    made = grids(inputs())
    assert book.sheetnames == ["about", *sheet_names([grid.stem for grid in made])] and len(made) == 10
    for sheet, grid in zip(book.worksheets[1:], made, strict=True):
        rows = list(csv.reader(io.StringIO(grid.csv())))
        found = [[_text(cell.value) for cell in row] for row in sheet.iter_rows(max_col=len(rows[0]))]
        assert found == rows, grid.name


def test_numbers_are_numbers_and_words_are_words(book: Any) -> None:
    types = {cell.value: cell.data_type for row in book["scores"].iter_rows() for cell in row if cell.value is not None}
    assert types["NA"] == "s" and types[3] == "n" and 1 / 3 + 1 in types
    kinds = {cell.data_type for sheet in book.worksheets for row in sheet.iter_rows() for cell in row}
    assert kinds <= {"n", "s"}, "a formula, a link or an error"
    assert not any(cell.hyperlink for sheet in book.worksheets for row in sheet.iter_rows() for cell in row)
    comments = [_text(cell.value) for cell in book["annotations"]["O"]]
    assert comments[0] == "comment" and comments[1:] == list(WORDS)


def test_first_sheet_holds_the_dictionary_and_the_hashes(book: Any) -> None:
    rows = [[cell.value for cell in row] for row in book["about"].iter_rows()]
    assert rows[0][0] == FACTS.title and ["Use", f"{RESEARCH_USE}.", None] in rows
    assert ["Protocol (SHA-256)", "a" * 64, None] in rows and ["Head of the audit chain", CHAIN_HEAD, None] in rows
    scores = next(grid for grid in grids(inputs()) if grid.name == "scores.csv")
    assert ["scores", hashlib.sha256(scores.csv().encode()).hexdigest()] in [[row[0], row[2]] for row in rows]
    assert set(COLUMNS) <= {row[0] for row in rows} and not any(row[0] == "Simulated readers" for row in rows)
    marked = opened(workbook(grids(inputs()), replace(FACTS, simulated=True), CHAIN_HEAD))["about"]
    assert "Simulated readers" in [cell.value for cell in marked["A"]]


def test_sheets_are_made_to_be_read(book: Any) -> None:
    for sheet in book.worksheets[1:]:
        assert sheet.freeze_panes == "A2" and sheet["A1"].font.bold
        assert all(5 <= sheet.column_dimensions[letter].width <= 50 for letter in "ABC")


def test_the_same_bytes_at_any_time() -> None:
    first = workbook(grids(inputs()), FACTS, CHAIN_HEAD)
    time.sleep(2.1)  # the resolution of a zip's timestamps
    assert workbook(grids(inputs()), FACTS, CHAIN_HEAD) == first


def test_names_that_excel_takes() -> None:
    long = "scores_sharpness_of_small_vessels"
    names = sheet_names(["scores", long + "_a", long + "_b", "Scores", "history"])
    assert len({name.lower() for name in names}) == 5 and all(len(name) <= 31 for name in names)
    assert names[0] == "scores" and "history" not in names


def test_what_does_not_fit_says_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    wordy = Grid("guesses.csv", (Column("reason", Kind.TEXT),), [("x" * 32_767,), ("é" * 32_768,), ("bad \ufffe end",)])
    cells = [cell.value for cell in opened(workbook([wordy], FACTS, CHAIN_HEAD))["guesses"]["A"]]
    assert cells[1] == "x" * 32_767 and "32768 characters" in cells[2] and "guesses.csv, row 3" in cells[2]
    assert cells[3] == "bad \ufffd end"
    monkeypatch.setattr(module, "MOST_ROWS", 3)
    sheet = opened(workbook([wordy], FACTS, CHAIN_HEAD))["guesses"]
    assert sheet["A1"].value == "3 rows are more than a sheet can hold: use guesses.csv." and sheet.max_row == 1


def test_a_pairwise_study_has_its_pairs() -> None:
    made = opened(workbook(grids(pairwise()), FACTS, CHAIN_HEAD))
    assert "pairs" in made.sheetnames and "scores" not in made.sheetnames
    assert made["pairs"]["E2"].value == "left" and made["pairs"]["L2"].value == 2.5


def _text(value: Any) -> str:
    """A cell as it stands in a CSV file."""
    if isinstance(value, str):
        # As Excel shows it: openpyxl leaves the escapes of control characters as they are.
        return unescape(value)
    return "" if value is None else repr(value)
