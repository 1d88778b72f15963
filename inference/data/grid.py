"""The one grid on which a case's slices are stored: value = intercept + slope * stored, stored uint16.

Every arm is rounded and clipped alike, so that no arm can be told by its number format.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

HU_RANGE = (-1024.0, 3071.0)
GREY_RANGE = (0.0, 255.0)


def from_stored(stored: NDArray[np.uint16], slope: float, intercept: float) -> NDArray[np.float32]:
    """Physical values (float32) of stored ones, same shape."""
    return (stored.astype(np.float64) * slope + intercept).astype(np.float32)


def to_stored(
    image: NDArray[np.float32], reference: NDArray[np.float32], modality: str, slope: float, intercept: float
) -> NDArray[np.uint16]:
    """``image`` (rows, cols; physical units) on its case's grid, clipped to what the modality can show.

    CT: pixels where the reference is padding (the lowest HU) stay padding in every arm. MR: from 0 to 1.25 times the
    reference's maximum. Raises ``ValueError`` for another shape or values that are not numbers.
    """
    if image.shape != reference.shape:
        raise ValueError(f"The reconstruction is {image.shape}, its slice {reference.shape}: return the same shape.")
    if not np.isfinite(image).all():
        raise ValueError("The reconstruction holds values that are not numbers.")
    values = image.astype(np.float64)
    if modality == "CT":
        values = np.where(reference <= HU_RANGE[0], HU_RANGE[0], np.clip(values, *HU_RANGE))
    elif modality == "US":
        values = np.clip(values, *GREY_RANGE)
    else:
        values = np.clip(values, 0.0, 1.25 * float(reference.max()))
    return np.clip(np.rint((values - intercept) / slope), 0, 65535).astype(np.uint16)
