"""A slice degraded to a grade of the scale, kept in the pixel store: what readers practise on."""

from __future__ import annotations

from inference.data.grades import graded
from inference.data.grid import to_stored
from readerstudy.cases import store
from readerstudy.cases.models import Slice
from readerstudy.cases.queries import values


def keep_graded(row: Slice, grade: int, seed: int) -> str:
    """Make and keep the slice at ``grade`` (1-5, on its case's grid); returns the name of its pixels."""
    case, image = row.case, values(row)
    made = graded(image, row.window_width, grade, seed)
    return store.put_slice(to_stored(made, image, case.modality, case.slope, case.intercept))
