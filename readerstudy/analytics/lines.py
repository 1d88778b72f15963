"""The lines of every table behind the numbers, written as CSV and read back to the same values.

Pure data: an export is read by these alone, without Django or a database.
"""

from __future__ import annotations

import csv
import io
import types
from collections.abc import Iterable
from dataclasses import MISSING, dataclass, fields
from typing import Any, TypeVar, get_args, get_type_hints

CANNOT_JUDGE = "NA"


class InputError(ValueError):
    """A table or export that can't be read back, in one sentence that says where."""


@dataclass(frozen=True)
class ScoreLine:
    """One planned reading; ``score`` is "1".."5", "NA" (cannot judge) or "" (not read); ``seconds`` include pauses."""

    slice: str
    arm: str
    reader: str
    score: str
    patient: str
    modality: str
    session: int
    repeat: int
    criterion: str
    position: int
    seconds: float | None
    simulated: int
    idle_s: float = 0.0


@dataclass(frozen=True)
class SetLine:
    """FID-Med and KID of an arm's images, over all (``modality`` empty) or in one modality."""

    arm: str
    modality: str
    fid_med: float | None
    fid_med_low: float | None
    fid_med_high: float | None
    kid: float | None
    n: int
    n_patients: int
    marked: str
    simulated: int


@dataclass(frozen=True)
class ImageLine:
    """One reconstruction against its reference: PSNR in dB, SSIM, NMSE, feature distance, latency in ms."""

    arm: str
    modality: str
    patient: str
    slice: str
    psnr: float | None
    ssim: float | None
    nmse: float | None
    feature_distance: float | None
    latency_ms: float | None
    device: str
    pixels: str
    weights: str
    simulated: int


@dataclass(frozen=True)
class PairLine:
    """One planned comparison of a pairwise study; ``choice`` is left, right, equal, "NA" or "" (not read)."""

    slice: str
    left: str
    right: str
    reader: str
    choice: str
    patient: str
    modality: str
    session: int
    repeat: int
    criterion: str
    position: int
    seconds: float | None
    simulated: int


@dataclass(frozen=True)
class MarkLine:
    """One annotation. ``points``: JSON list of (x, y) in pixels; ``length_mm``: of lines, where spacing is known.

    ``phase``: scores, repeat or fidelity; only in the fidelity pass are there confidence (1-5) and consequence.
    """

    slice: str
    arm: str
    reader: str
    patient: str
    modality: str
    session: int
    phase: str
    label: str
    shape: str
    points: str
    frame_offset: int
    length_mm: float | None
    confidence: int | None
    consequence: str
    comment: str
    simulated: int


@dataclass(frozen=True)
class CheckLine:
    """One image shown beside its reference in the fidelity pass; ``done``: 1 once the reader had finished it."""

    slice: str
    arm: str
    reader: str
    patient: str
    modality: str
    session: int
    done: int
    simulated: int


@dataclass(frozen=True)
class GuessLine:
    """What a reader took an image's arm for after the last session; ``guessed`` is empty for "don't know"."""

    slice: str
    arm: str
    guessed: str
    reader: str
    patient: str
    modality: str
    reason: str
    simulated: int


@dataclass(frozen=True)
class SessionLine:
    """One sitting: how much was read, on which display, and how the display check ended (empty: not asked).

    ``screen``: device pixels, width x height; ``idle_s``: pauses left out of the reading times.
    """

    reader: str
    session: int
    images: int
    read: int
    signed: int
    too_fast: int
    idle_s: float
    display_check: str
    screen: str
    pixel_ratio: float | None
    ambient_light: str
    remote_desktop: str
    simulated: int


@dataclass(frozen=True)
class RecordLine:
    """What a reader said about themselves, as far as the protocol asks; ``state``: active, withdrawn or replaced."""

    reader: str
    state: str
    years: int | None
    specialty: str
    board: str
    cases_per_year: int | None
    conflicts: str
    simulated: int


Line = TypeVar("Line", ScoreLine, PairLine, SetLine, ImageLine, MarkLine, CheckLine, GuessLine, SessionLine, RecordLine)


def to_csv(kind: type[Line], lines: Iterable[Line]) -> str:
    """CSV with a header; numbers in the shortest form that reads back to the same double."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    names = [field.name for field in fields(kind)]
    writer.writerow(names)
    for line in lines:
        writer.writerow([cell(getattr(line, name)) for name in names])
    return stream.getvalue()


def from_csv(kind: type[Line], text: str, name: str = "the table") -> list[Line]:
    """The lines back; raises ``InputError`` naming the row and the column.

    A column that has a default may be missing: older versions did not write it.
    """
    reader = csv.DictReader(io.StringIO(text))
    given = set(reader.fieldnames or ())
    needed = {field.name for field in fields(kind) if field.default is MISSING}
    hints = {name: hint for name, hint in get_type_hints(kind).items() if name in given | needed}
    missing = [column for column in hints if column not in given]
    if missing:
        raise InputError(f"{name}: the column {missing[0]} is missing; use the file as it was exported.")
    return [
        kind(**{column: _value(hints[column], row[column], name, number, column) for column in hints})
        for number, row in enumerate(reader, start=2)
    ]


def cell(value: object) -> str:
    """One value as it stands in a CSV file."""
    if value is None:
        return ""
    return repr(value) if isinstance(value, float) else str(value)


def _value(hint: Any, text: str | None, name: str, row: int, column: str) -> Any:
    optional = isinstance(hint, types.UnionType)
    if optional and not text:
        return None
    kind = get_args(hint)[0] if optional else hint
    try:
        return kind(text or "")
    except ValueError as error:
        raise InputError(f"{name}: row {row}, column {column}: '{text}' is not a number; correct it.") from error
