"""The table of scores that every statistic starts from: one row per slice, arm, reader and repeat."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from readerstudy.statistics.estimate import BoolArray, FloatArray, IntArray
from readerstudy.statistics.intervals import MINIMUM_PATIENTS, Clusters

QUOTED = 40
MOST_CATEGORIES = 100
MOST_CELLS = 10_000_000


class TableError(ValueError):
    """A table that can't be analysed; the message names the row and the column and says what to do."""


@dataclass(frozen=True)
class ScoreRow:
    """One cell of the study: ``score`` None is not read, or, with ``cannot_judge``, a refusal to judge."""

    slice: str
    arm: str
    reader: str
    score: float | None
    cannot_judge: bool = False
    patient: str = ""
    modality: str = ""
    session: str = ""
    repeat: int = 0
    line: int = 0


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """Scores by row, with the names of slices, arms and readers in order of first appearance.

    ``score`` (rows,) is NaN where the slice was not read or could not be judged. ``patients`` and
    ``modalities`` belong to the slices and are empty where the column is absent.
    """

    slices: tuple[str, ...]
    arms: tuple[str, ...]
    readers: tuple[str, ...]
    patients: tuple[str, ...]
    modalities: tuple[str, ...]
    slice_index: IntArray
    arm_index: IntArray
    reader_index: IntArray
    score: FloatArray
    cannot_judge: BoolArray
    repeat: IntArray
    session: tuple[str, ...]
    line: IntArray
    wide: bool = False

    @classmethod
    def from_rows(cls, rows: Iterable[ScoreRow], wide: bool = False) -> ScoreTable:
        """Build the table; raises TableError for a cell given twice or a slice with two patients.

        ``wide``: the rows come from a table with one column per reader, which errors then name.
        """
        kept = list(rows)
        if not kept:
            raise TableError("The table of scores has no rows; give at least one row below the header.")
        slices = _numbered(row.slice for row in kept)
        arms = _numbered(row.arm for row in kept)
        readers = _numbered(row.reader for row in kept)
        _refuse_duplicates(kept, wide)
        _refuse_sparse(len(slices), len(arms), len(readers), len(kept))
        table = cls(
            slices=tuple(slices),
            arms=tuple(arms),
            readers=tuple(readers),
            patients=_of_slices(kept, slices, "patient"),
            modalities=_of_slices(kept, slices, "modality"),
            slice_index=np.array([slices[row.slice] for row in kept], dtype=np.int64),
            arm_index=np.array([arms[row.arm] for row in kept], dtype=np.int64),
            reader_index=np.array([readers[row.reader] for row in kept], dtype=np.int64),
            score=np.array([np.nan if row.score is None else row.score for row in kept], dtype=np.float64),
            cannot_judge=np.array([row.cannot_judge for row in kept], dtype=np.bool_),
            repeat=np.array([row.repeat for row in kept], dtype=np.int64),
            session=tuple(row.session for row in kept),
            line=np.array([row.line for row in kept], dtype=np.int64),
            wide=wide,
        )
        return table

    def cube(self, repeat: int = 0) -> FloatArray:
        """Scores as (slices, arms, readers), NaN where there is none."""
        cube = np.full((len(self.slices), len(self.arms), len(self.readers)), np.nan)
        kept = self.repeat == repeat
        cube[self.slice_index[kept], self.arm_index[kept], self.reader_index[kept]] = self.score[kept]
        return cube

    def cannot_judge_cube(self) -> BoolArray:
        """Where a first reading ended in "cannot judge": (slices, arms, readers)."""
        cube = np.zeros((len(self.slices), len(self.arms), len(self.readers)), dtype=np.bool_)
        kept = (self.repeat == 0) & self.cannot_judge
        cube[self.slice_index[kept], self.arm_index[kept], self.reader_index[kept]] = True
        return cube

    def clusters(self) -> Clusters:
        """The independent units among the slices: patients where known, else the slices themselves."""
        if self.patients:
            return Clusters.of_labels(self.patients, "patients", MINIMUM_PATIENTS)
        return Clusters.of_units(len(self.slices), "slices")

    def slices_of(self, modality: str) -> BoolArray:
        """Which slices (slices,) belong to the modality."""
        return np.array([name == modality for name in self.modalities], dtype=np.bool_)

    def categories(self) -> tuple[int, ...]:
        """All whole numbers from the smallest to the largest score."""
        defined = np.isfinite(self.score)
        if not defined.any():
            raise TableError("The column score holds no score at all; name the form's categories.")
        broken = defined & (self.score != np.round(self.score))
        if broken.any():
            row = int(np.argmax(broken))
            raise TableError(f"{self._place(row)}: {self.score[row]:g} is not a whole number; correct it.")
        low, high = int(np.nanmin(self.score)), int(np.nanmax(self.score))
        if high - low >= MOST_CATEGORIES:
            row = int(np.nanargmax(np.abs(self.score)))
            raise TableError(
                f"{self._place(row)}: {self.score[row]:g} would make a form of more than "
                f"{MOST_CATEGORIES} categories; correct the score or name the form's categories."
            )
        return tuple(range(low, high + 1))

    def _place(self, row: int) -> str:
        """Row and column of a score as the table on disk has them."""
        return f"Row {self.line[row]}, column {shown(self.readers[self.reader_index[row]]) if self.wide else 'score'}"

    def check(self, categories: Sequence[int]) -> None:
        """Raise TableError for the first score that is not one of the form's categories."""
        wrong = np.isfinite(self.score) & ~np.isin(self.score, np.asarray(categories, dtype=np.float64))
        if wrong.any():
            row = int(np.argmax(wrong))
            form = ", ".join(str(category) for category in categories)
            raise TableError(
                f"{self._place(row)}: {self.score[row]:g} is not one of the categories "
                f"{form}; correct the score or name all categories of the form."
            )

    def where(
        self,
        modalities: Collection[str] | None = None,
        readers: Collection[str] | None = None,
        arms: Collection[str] | None = None,
        sessions: Collection[str] | None = None,
    ) -> ScoreTable:
        """The rows that match every given filter; raises TableError where none does."""
        return ScoreTable.from_rows(
            row
            for row in self.rows()
            if (modalities is None or row.modality in modalities)
            and (readers is None or row.reader in readers)
            and (arms is None or row.arm in arms)
            and (sessions is None or row.session in sessions)
        )

    def rows(self) -> list[ScoreRow]:
        """The rows back as records, in their order."""
        return [
            ScoreRow(
                slice=self.slices[s],
                arm=self.arms[a],
                reader=self.readers[r],
                score=None if np.isnan(score) else float(score),
                cannot_judge=bool(refused),
                patient=self.patients[s] if self.patients else "",
                modality=self.modalities[s] if self.modalities else "",
                session=session,
                repeat=int(repeat),
                line=int(line),
            )
            for s, a, r, score, refused, session, repeat, line in zip(
                self.slice_index.tolist(),
                self.arm_index.tolist(),
                self.reader_index.tolist(),
                self.score,
                self.cannot_judge,
                self.session,
                self.repeat,
                self.line,
                strict=True,
            )
        ]


def shown(text: str) -> str:
    """A cell as an error message quotes it: on one line, and not longer than one can read."""
    line = " ".join(text.split())
    return line if len(line) <= QUOTED else line[:QUOTED] + "..."


def _numbered(names: Iterable[str]) -> dict[str, int]:
    numbers: dict[str, int] = {}
    for name in names:
        numbers.setdefault(name, len(numbers))
    return numbers


def _refuse_sparse(slices: int, arms: int, readers: int, rows: int) -> None:
    """A column of unique values by mistake would ask for a table larger than memory."""
    if slices * arms * readers > max(MOST_CELLS, 100 * rows):
        raise TableError(
            f"Row 1: {rows} rows name {slices} slices, {arms} arms and {readers} readers; one of these columns "
            "holds something else: put a name that comes again in each."
        )


def _refuse_duplicates(rows: Sequence[ScoreRow], wide: bool) -> None:
    seen: dict[tuple[str, str, str, int], int] = {}
    for row in rows:
        key = (row.slice, row.arm, row.reader, row.repeat)
        if key in seen:
            column = shown(row.reader) if wide else "score"
            raise TableError(
                f"Row {row.line}, column {column}: slice {shown(row.slice)}, arm {shown(row.arm)}, reader "
                f"{shown(row.reader)} (repeat {row.repeat}) already stands in row {seen[key]}; keep one of the two."
            )
        seen[key] = row.line


def _of_slices(rows: Sequence[ScoreRow], slices: Mapping[str, int], column: str) -> tuple[str, ...]:
    """The value of ``column`` for each slice, empty where no row has one."""
    values: dict[str, str] = {}
    for row in rows:
        value: str = getattr(row, column)
        first = values.setdefault(row.slice, value)
        if first != value:
            raise TableError(
                f"Row {row.line}, column {column}: slice {shown(row.slice)} has '{shown(value)}' here and "
                f"'{shown(first)}' above; "
                "give each slice one value or two names."
            )
    if not any(values.values()):
        return ()
    for row in rows:
        if not values[row.slice]:
            raise TableError(
                f"Row {row.line}, column {column}: it is empty here and filled elsewhere; fill it in every row."
            )
    return tuple(values[name] for name in slices)
