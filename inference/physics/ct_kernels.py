"""Inner loops of CT: compiled by numba where it is installed, the same sums in NumPy where it is not."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Spacing = tuple[float, float]

njit: Callable[..., Any] | None
try:
    from numba import njit
except ImportError:  # pragma: no cover - exercised by calling the NumPy functions directly
    njit = None


def _samples(
    angle: float, s: float, rows: int, cols: int, dy: float, dx: float, along_rows: bool
) -> tuple[float, float, float]:
    """First fractional index across the ray, its increment per step, and the step's length in mm."""
    cos, sin = math.cos(angle), math.sin(angle)
    x0, y0 = (cols - 1) / 2.0, (rows - 1) / 2.0
    if along_rows:
        return (s - y0 * dy * sin) / cos / dx + x0, dy * sin / cos / dx, dy / abs(cos)
    return y0 - (s + x0 * dx * cos) / sin / dy, dx * cos / sin / dy, dx / abs(sin)


def _line_sum(image: Array, start: float, slope: float, steps: int, across: int) -> float:
    """Sum of linear interpolations along axis 0; samples outside the grid count as zero."""
    total = 0.0
    for k in range(steps):
        position = start + slope * k
        if position > -1.0 and position < across:
            low = math.floor(position)
            weight = position - low
            if low >= 0:
                total += (1.0 - weight) * image[k, low]
            if low + 1 < across:
                total += weight * image[k, low + 1]
    return total


def _line_spread(image: Array, start: float, slope: float, steps: int, across: int, value: float) -> None:
    """Transpose of ``_line_sum``."""
    for k in range(steps):
        position = start + slope * k
        if position > -1.0 and position < across:
            low = math.floor(position)
            weight = position - low
            if low >= 0:
                image[k, low] += (1.0 - weight) * value
            if low + 1 < across:
                image[k, low + 1] += weight * value


if njit is not None:
    _samples = njit(cache=True)(_samples)
    _line_sum = njit(cache=True, fastmath=True)(_line_sum)
    _line_spread = njit(cache=True)(_line_spread)


def _project(image: Array, turned: Array, dy: float, dx: float, angles: Array, detectors: int, width: float) -> Array:
    rows, cols = image.shape
    sinogram = np.zeros((angles.size, detectors))
    for view in range(angles.size):
        along_rows = abs(math.cos(angles[view])) >= abs(math.sin(angles[view]))
        for bin_index in range(detectors):
            s = (bin_index - (detectors - 1) / 2.0) * width
            start, slope, length = _samples(angles[view], s, rows, cols, dy, dx, along_rows)
            if along_rows:
                sinogram[view, bin_index] = length * _line_sum(image, start, slope, rows, cols)
            else:
                sinogram[view, bin_index] = length * _line_sum(turned, start, slope, cols, rows)
    return sinogram


def _project_adjoint(sinogram: Array, rows: int, cols: int, dy: float, dx: float, angles: Array, width: float) -> Array:
    detectors = sinogram.shape[1]
    image, turned = np.zeros((rows, cols)), np.zeros((cols, rows))
    for view in range(angles.size):
        along_rows = abs(math.cos(angles[view])) >= abs(math.sin(angles[view]))
        for bin_index in range(detectors):
            s = (bin_index - (detectors - 1) / 2.0) * width
            start, slope, length = _samples(angles[view], s, rows, cols, dy, dx, along_rows)
            if along_rows:
                _line_spread(image, start, slope, rows, cols, length * sinogram[view, bin_index])
            else:
                _line_spread(turned, start, slope, cols, rows, length * sinogram[view, bin_index])
    return image + turned.T


def _back_project(sinogram: Array, rows: int, cols: int, dy: float, dx: float, angles: Array, width: float) -> Array:
    detectors = sinogram.shape[1]
    image = np.zeros((rows, cols))
    for view in range(angles.size):
        step = dx * math.cos(angles[view]) / width
        for row in range(rows):
            y = ((rows - 1) / 2.0 - row) * dy
            start = y * math.sin(angles[view]) / width - step * (cols - 1) / 2.0 + (detectors - 1) / 2.0
            for col in range(cols):
                position = start + step * col
                low = int(position)
                if position >= 0.0 and low < detectors - 1:
                    weight = position - low
                    image[row, col] += (1.0 - weight) * sinogram[view, low] + weight * sinogram[view, low + 1]
    return image


if njit is not None:
    _project = njit(cache=True)(_project)
    _project_adjoint = njit(cache=True)(_project_adjoint)
    _back_project = njit(cache=True, fastmath=True)(_back_project)


def project_numpy(image: Array, spacing: Spacing, angles: Array, detectors: int, width: float) -> Array:
    """Line integrals (views, detectors) of an image (rows, cols), one view at a time."""
    rows, cols = image.shape
    dy, dx = spacing
    s = (np.arange(detectors) - (detectors - 1) / 2.0) * width
    sinogram = np.zeros((angles.size, detectors))
    for view, angle in enumerate(angles):
        cos, sin = math.cos(angle), math.sin(angle)
        if abs(cos) >= abs(sin):
            grid, length = image, dy / abs(cos)
            y = ((rows - 1) / 2.0 - np.arange(rows)) * dy
            position = (s[None, :] - y[:, None] * sin) / cos / dx + (cols - 1) / 2.0
        else:
            grid, length = image.T, dx / abs(sin)
            x = (np.arange(cols) - (cols - 1) / 2.0) * dx
            position = (rows - 1) / 2.0 - (s[None, :] - x[:, None] * cos) / sin / dy
        padded = np.pad(grid, ((0, 0), (1, 2)))
        low = np.clip(np.floor(position), -1, grid.shape[1]).astype(np.int64)
        weight = np.clip(position - low, 0.0, 1.0)
        lines = np.arange(grid.shape[0])[:, None]
        sinogram[view] = length * ((1.0 - weight) * padded[lines, low + 1] + weight * padded[lines, low + 2]).sum(
            axis=0
        )
    return sinogram


def back_project_numpy(sinogram: Array, shape: tuple[int, int], spacing: Spacing, angles: Array, width: float) -> Array:
    """Unfiltered, unscaled back-projection by linear interpolation, one view at a time."""
    rows, cols = shape
    x = (np.arange(cols) - (cols - 1) / 2.0) * spacing[1]
    y = ((rows - 1) / 2.0 - np.arange(rows)) * spacing[0]
    bins = np.arange(sinogram.shape[1], dtype=np.float64)
    image = np.zeros(shape)
    for view, angle in enumerate(angles):
        s = x[None, :] * math.cos(angle) + y[:, None] * math.sin(angle)
        position = s / width + (bins.size - 1) / 2.0
        image += np.interp(position.ravel(), bins, sinogram[view], 0.0, 0.0).reshape(shape)
    return image


def project(image: Array, spacing: Spacing, angles: Array, detectors: int, width: float) -> Array:
    """Line integrals (views, detectors) of an image (rows, cols) with (row, column) ``spacing`` in mm."""
    if njit is None:
        return project_numpy(image, spacing, angles, detectors, width)
    turned = np.ascontiguousarray(image.T)
    return _project(image, turned, spacing[0], spacing[1], angles, detectors, width)


def project_adjoint(sinogram: Array, shape: tuple[int, int], spacing: Spacing, angles: Array, width: float) -> Array:
    """Transpose of :func:`project`."""
    return _project_adjoint(sinogram, shape[0], shape[1], spacing[0], spacing[1], angles, width)


def back_project(sinogram: Array, shape: tuple[int, int], spacing: Spacing, angles: Array, width: float) -> Array:
    """Sum over views of the linearly interpolated sinogram at every pixel."""
    if njit is None:
        return back_project_numpy(sinogram, shape, spacing, angles, width)
    return _back_project(sinogram, shape[0], shape[1], spacing[0], spacing[1], angles, width)
