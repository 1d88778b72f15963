"""What the rules of eligibility and the first view of a slice need to know: body, window, data range."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.data.grid import from_stored
from readerstudy.cases.models import Modality

CT_DATA_RANGE = 2924.0
US_DATA_RANGE = 255.0
AIR_HU = -400.0
US_BACKGROUND_GREY = 6.0
CT_WINDOWS = {"chest": (-600.0, 1500.0), "abdomen": (50.0, 400.0), "head": (40.0, 80.0)}
CT_SOFT_TISSUE = (40.0, 400.0)
US_WINDOW = (127.5, 255.0)
PERCENTILES = (1.0, 99.5)


@dataclass(frozen=True)
class Window:
    """Centre and width of the displayed values, in physical units."""

    center: float
    width: float


@dataclass(frozen=True)
class SliceDescription:
    """Share of the field of view that shows the body, and the slice's starting window."""

    body_share: float
    window: Window


@dataclass(frozen=True)
class Description:
    """A case's data range for PSNR and SSIM (physical units), its window, and its slices in order."""

    data_range: float
    window: Window
    slices: tuple[SliceDescription, ...]


def describe(stored: NDArray[np.uint16], slope: float, intercept: float, modality: str, anatomy: str) -> Description:
    """Describe a case from its stored numbers (slices, rows, columns); value = intercept + slope * stored.

    Raises ValueError where all numbers are equal, since neither window nor metric is defined for such a case.
    """
    highest = int(stored.max())
    if highest == int(stored.min()):
        raise ValueError("Every pixel of the series has the same value: send a series that shows something.")
    total = np.zeros(65536, dtype=np.int64)
    slices = []
    for plane in stored:
        body = body_mask(from_stored(plane, slope, intercept), modality)
        counts = np.bincount(plane[body] if body.any() else plane.ravel(), minlength=65536)
        total += counts
        slices.append(
            SliceDescription(round(float(body.mean()), 4), _window(counts, slope, intercept, modality, anatomy))
        )
    ranges = {
        Modality.CT: CT_DATA_RANGE,
        Modality.US: US_DATA_RANGE,
        Modality.MR: intercept + slope * highest,
    }
    return Description(ranges[Modality(modality)], _window(total, slope, intercept, modality, anatomy), tuple(slices))


def body_mask(plane: NDArray[np.float32], modality: str) -> NDArray[np.bool_]:
    """Where one slice shows the body: its largest connected part, air inside (lungs, vessels) included."""
    if modality == Modality.CT:
        bright = plane > AIR_HU
    elif modality == Modality.US:
        bright = ndimage.uniform_filter(plane, 9) > US_BACKGROUND_GREY
    else:
        smooth = ndimage.gaussian_filter(plane, 2.0)
        bright = smooth > _otsu(smooth) * 0.5
    opened = ndimage.binary_opening(bright, iterations=2)
    labels, count = ndimage.label(opened if opened.any() else bright)
    if not count:
        return np.zeros(plane.shape, dtype=bool)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    # Two legs, or two halves of a chest wall, are one body: keep what is not small beside the largest part.
    kept = np.flatnonzero(sizes >= 0.1 * sizes.max())
    filled: NDArray[np.bool_] = ndimage.binary_fill_holes(np.isin(labels, kept))
    return filled


def usual_window(modality: str, anatomy: str) -> Window | None:
    """The starting window that needs no pixels: CT by anatomy, ultrasound its whole range; MR has none."""
    if modality == Modality.CT:
        return Window(*CT_WINDOWS.get(anatomy, CT_SOFT_TISSUE))
    return Window(*US_WINDOW) if modality == Modality.US else None


def _window(counts: NDArray[np.int64], slope: float, intercept: float, modality: str, anatomy: str) -> Window:
    """The starting window; for MR from percentiles of the body's stored numbers, given as a histogram."""
    if usual := usual_window(modality, anatomy):
        return usual
    cumulative = np.cumsum(counts)
    low, high = (int(np.searchsorted(cumulative, cumulative[-1] * p / 100)) for p in PERCENTILES)
    high = max(high, low + 1)
    return Window(intercept + slope * (low + high) / 2, slope * (high - low))


def _otsu(plane: NDArray[np.float32]) -> float:
    """The threshold that separates two classes best (Otsu 1979, maximal variance between them)."""
    counts, edges = np.histogram(plane, bins=128)
    centers = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts).astype(np.float64)
    above = below[-1] - below
    total = np.cumsum(counts * centers)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (total / below - (total[-1] - total) / above) ** 2
    return float(centers[int(np.argmax(np.nan_to_num(between)))])
