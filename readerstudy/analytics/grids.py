"""The tables of an export as typed columns and rows: one source for CSV, XLSX and Parquet."""

from __future__ import annotations

import csv
import io
import types
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any, get_args, get_type_hints

from readerstudy.analytics.inputs import TABLES, Inputs
from readerstudy.analytics.lines import CANNOT_JUDGE, ScoreLine, SetLine, cell

# The tables that go out whole, by the name of their file.
FILES = {
    "pairs": "pairs.csv",
    "images": "metrics_images.csv",
    "marks": "annotations.csv",
    "checks": "fidelity_images.csv",
    "guesses": "guesses.csv",
    "sessions": "sessions.csv",
    "records": "readers.csv",
}


class Kind(Enum):
    """What a column holds; a score is a whole number, ``NA`` (cannot judge) or empty (not read)."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    SCORE = "score"


@dataclass(frozen=True)
class Column:
    name: str
    kind: Kind


@dataclass(frozen=True)
class Grid:
    """One table: ``name`` is that of its CSV file; a row holds one value per column, ``None`` for an empty number."""

    name: str
    columns: tuple[Column, ...]
    rows: Sequence[tuple[Any, ...]]

    @property
    def stem(self) -> str:
        return self.name.removesuffix(".csv")

    def csv(self) -> str:
        """The same bytes as ``lines.to_csv`` of the lines behind it."""
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([column.name for column in self.columns])
        writer.writerows([cell(value) for value in row] for row in self.rows)
        return stream.getvalue()


def grids(inputs: Inputs) -> list[Grid]:
    """Every table of the export; one that has no rows in this study is left out, but for scores and metrics."""
    return [make() for make in makers(inputs).values()]


def makers(inputs: Inputs) -> dict[str, Callable[[], Grid]]:
    """How each table is made, by its name: to know the names costs nothing."""
    facts = inputs.facts
    made: dict[str, Callable[[], Grid]] = {}
    if not facts.pairwise:
        for key in facts.criteria:
            name = score_file(key, facts.primary_criterion)
            made[name] = partial(_scores, inputs, name, key)
        made["scores_wide.csv"] = lambda: wide(inputs.scores_of(facts.primary_criterion), facts.readers)
    pooled = [line for line in inputs.sets if not line.modality]
    made["metrics.csv"] = partial(grid_of, "metrics.csv", SetLine, pooled)
    parted = [line for line in inputs.sets if line.modality]
    made["metrics_by_modality.csv"] = partial(grid_of, "metrics_by_modality.csv", SetLine, parted)
    for table, name in FILES.items():
        if lines := getattr(inputs, table):
            made[name] = partial(grid_of, name, TABLES[table], lines)
    return made


def _scores(inputs: Inputs, name: str, criterion: str) -> Grid:
    return grid_of(name, ScoreLine, inputs.scores_of(criterion))


def grid_of(name: str, kind: type, lines: Iterable[Any]) -> Grid:
    columns = tuple(Column(field, _kind(field, hint)) for field, hint in get_type_hints(kind).items())
    return Grid(name, columns, [tuple(getattr(line, column.name) for column in columns) for line in lines])


def score_file(criterion: str, primary: str) -> str:
    return "scores.csv" if criterion == primary else f"scores_{criterion}.csv"


def wide(lines: Sequence[ScoreLine], readers: Sequence[str]) -> Grid:
    """One row per slice, arm and repeat, one column per reader; a simulated reader's column says so.

    The mark stands in the column's name because every other column of a wide table is read as a reader.
    """
    simulated = {line.reader for line in lines if line.simulated}
    found: dict[tuple[Any, ...], dict[str, str]] = {}
    for line in lines:
        key = (line.slice, line.arm, line.patient, line.modality, line.repeat)
        found.setdefault(key, {})[line.reader] = line.score
    named = [f"{reader} (simulated)" if reader in simulated else reader for reader in readers]
    columns = (
        *(Column(name, Kind.TEXT) for name in ("slice", "arm", "patient", "modality")),
        Column("repeat", Kind.INTEGER),
        *(Column(name, Kind.SCORE) for name in named),
    )
    rows = [(*key, *(scores.get(reader, "") for reader in readers)) for key, scores in found.items()]
    return Grid("scores_wide.csv", columns, rows)


def whole_score(score: str) -> int | None:
    """The score as a number, ``None`` where there is none to count."""
    return None if score in ("", CANNOT_JUDGE) else int(score)


def _kind(name: str, hint: Any) -> Kind:
    if name == "score":
        return Kind.SCORE
    plain = get_args(hint)[0] if isinstance(hint, types.UnionType) else hint
    return {str: Kind.TEXT, int: Kind.INTEGER, float: Kind.NUMBER}[plain]
