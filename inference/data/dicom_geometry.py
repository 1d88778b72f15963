"""Where the slices of a DICOM series lie in the patient, from their headers."""

from __future__ import annotations

from collections.abc import Sequence

from inference.data.dicom_grouping import Item
from inference.data.dicom_headers import Frame
from inference.data.geometry import Affine, SliceGeometry


def affines_of(items: Sequence[Item], factor: int) -> tuple[Affine, ...]:
    """Of each slice after its area mean by ``factor``; its third column is the step to the next slice.

    Empty where any header lacks position, orientation or spacing, or says what describes no slice.
    """
    frames = [item.frame for item in items]
    found = []
    for number, (item, frame) in enumerate(zip(items, frames, strict=True)):
        if frame.position is None or frame.orientation is None or frame.spacing is None:
            return ()
        shape = (item.header.rows, item.header.cols)
        try:
            place = SliceGeometry.from_dicom(
                frame.position, frame.orientation, frame.spacing, shape, _step(frames, number)
            )
        except ValueError:
            return ()
        found.append(place.reduced(factor).affine)
    return tuple(found)


def _step(frames: Sequence[Frame], number: int) -> Sequence[float] | float:
    """From a slice to the next, in mm: the last one's as that before it, a lonely one's of 1 mm along the normal."""
    here = min(number, len(frames) - 2)
    if here < 0:
        return 1.0
    first, second = frames[here].position, frames[here + 1].position
    return 1.0 if first is None or second is None else [b - a for a, b in zip(first, second, strict=True)]
