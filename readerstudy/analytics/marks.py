"""The marks of an export as JSON: points as pairs of numbers, and how their coordinates are counted."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from readerstudy.analytics.inputs import RESEARCH_USE, Inputs, as_text

COORDINATES = (
    "Points are [x, y] in pixels of the image, x from the left and y from the top edge; the pixel in column c and "
    "row r covers [c, c+1) x [r, r+1), so that its centre is [c + 0.5, r + 0.5]."
)
SHAPES = {
    "point": "one point",
    "arrow": "two points: where it begins, and where its tip is",
    "line": "two points: its ends",
    "rectangle": "two points: opposite corners, with edges along rows and columns",
    "ellipse": "two points: opposite corners of the rectangle around it, with axes along rows and columns",
    "freehand": "the vertices of the drawn line, in order",
}


def annotations_json(inputs: Inputs) -> str:
    """Every mark of ``annotations.csv``, in its order."""
    facts = inputs.facts
    marks: list[dict[str, Any]] = []
    for mark in inputs.marks:
        line = asdict(mark)
        marks.append({**line, "points": json.loads(mark.points), "simulated": bool(mark.simulated)})
    return as_text(
        {
            "notice": RESEARCH_USE,
            "study": facts.study,
            "title": facts.title,
            "protocol_sha256": facts.protocol_hash,
            "simulated": facts.simulated,
            "coordinates": COORDINATES,
            "shapes": SHAPES,
            "marks": marks,
        }
    )
