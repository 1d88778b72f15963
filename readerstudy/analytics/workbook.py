"""Every table of an export as one XLSX workbook, behind a sheet with the dictionary and the hashes.

Text stays text: no cell can become a formula or a link, whatever a reader wrote. Numbers keep all their digits.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import io
from collections.abc import Sequence
from typing import Any

import xlsxwriter

from readerstudy.analytics.dictionary import COLUMNS, describe, origin
from readerstudy.analytics.grids import Column, Grid, Kind, whole_score
from readerstudy.analytics.inputs import StudyFacts

MOST_ROWS = 1_048_576
LONGEST_TEXT = 32_767
LONGEST_NAME = 31
# Not before Excel's own calendar, and always the same.
MADE = dt.datetime(1980, 1, 1)
# Nothing is guessed from text, and no more than one row is kept in memory.
OPTIONS = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}
# XML has no characters for these two.
FORBIDDEN = {0xFFFE: 0xFFFD, 0xFFFF: 0xFFFD}


class Exact(float):
    """A number that is written in the shortest form that reads back to the same double, like those of a CSV file."""

    def __format__(self, spec: str) -> str:
        return repr(float(self))


def workbook(grids: Sequence[Grid], facts: StudyFacts, chain_head: str) -> bytes:
    """The same bytes for the same tables wherever zlib is the same."""
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream, OPTIONS) as book:
        book.set_properties({"title": facts.title, "comments": "", "author": "", "created": MADE})
        styles = {"head": book.add_format({"bold": True, "bottom": 1, "bg_color": "#E9EEF1"})}
        styles["title"] = book.add_format({"bold": True, "font_size": 14})
        names = sheet_names([grid.stem for grid in grids])
        _about(book.add_worksheet("about"), grids, names, facts, chain_head, styles)
        for grid, name in zip(grids, names, strict=True):
            _table(book.add_worksheet(name), grid, styles)
    return stream.getvalue()


def sheet_names(stems: Sequence[str]) -> list[str]:
    """Names that Excel takes: at most 31 characters, different without regard to case."""
    made: list[str] = []
    for stem in stems:
        name, number = stem[:LONGEST_NAME], 2
        while name.lower() in {"about", "history", *(taken.lower() for taken in made)}:
            name, number = f"{stem[: LONGEST_NAME - 3]}~{number}", number + 1
        made.append(name)
    return made


def _about(
    sheet: Any, grids: Sequence[Grid], names: Sequence[str], facts: StudyFacts, chain_head: str, styles: dict[str, Any]
) -> None:
    sheet.set_column(0, 0, 30)
    sheet.set_column(1, 1, 90)
    sheet.set_column(2, 2, 68)
    rows: list[tuple[Any, ...]] = [(None, *pair) for pair in origin(facts, chain_head)]
    rows += [(None,), ("head", "Sheet", "What it holds", "SHA-256 of the same table as CSV")]
    for grid, name in zip(grids, names, strict=True):
        digest = hashlib.sha256(grid.csv().encode()).hexdigest()
        rows.append((None, name, f"{describe(grid.name, facts)} ({grid.name})", digest))
    rows += [(None,), ("head", "Column", "What it holds", "")]
    rows += [(None, name, text) for name, text in COLUMNS.items()]
    sheet.write_string(0, 0, facts.title.translate(FORBIDDEN), styles["title"])
    for number, (style, *cells) in enumerate(rows, start=1):
        for place, text in enumerate(cells):
            _text(sheet, number, place, text, styles.get(style))


def _table(sheet: Any, grid: Grid, styles: dict[str, Any]) -> None:
    for place in range(len(grid.columns)):
        sheet.set_column(place, place, _width(grid, place))
    if len(grid.rows) >= MOST_ROWS:
        sheet.write_string(0, 0, f"{len(grid.rows)} rows are more than a sheet can hold: use {grid.name}.")
        return
    sheet.freeze_panes(1, 0)
    for place, column in enumerate(grid.columns):
        _text(sheet, 0, place, column.name, styles["head"])
    for number, row in enumerate(grid.rows, start=1):
        for place, (column, value) in enumerate(zip(grid.columns, row, strict=True)):
            _cell(sheet, number, place, column, value, grid.name)


def _cell(sheet: Any, row: int, place: int, column: Column, value: Any, name: str) -> None:
    if column.kind is Kind.SCORE:
        number = whole_score(value)
        value = value if number is None else number
    if value is None or value == "":
        return
    if isinstance(value, float):
        sheet.write_number(row, place, Exact(value))
    elif isinstance(value, int):
        sheet.write_number(row, place, value)
    elif len(value.encode("utf-16-le")) > 2 * LONGEST_TEXT:
        _text(sheet, row, place, f"{len(value)} characters are more than a cell can hold: see {name}, row {row + 1}.")
    else:
        _text(sheet, row, place, value)


def _text(sheet: Any, row: int, place: int, text: str, style: Any = None) -> None:
    text = text.translate(FORBIDDEN)
    if text.startswith("<r>") and text.endswith("</r>"):
        # XlsxWriter would take this for its own markup; in pieces it is text.
        sheet.write_rich_string(row, place, text[:1], text[1:2], text[2:])
    else:
        sheet.write_string(row, place, text, style)


def _width(grid: Grid, place: int) -> int:
    """Wide enough for the name and the first rows, within reason."""
    longest = max((len(str(row[place] if row[place] is not None else "")) for row in grid.rows[:200]), default=0)
    return min(max(longest, len(grid.columns[place].name)) + 2, 48)
