"""Inner loops of CT: compiled by numba where it is installed, the same sums in NumPy where it is not."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Spacing = tuple[float, float]
LINES = 16  # of the image that are projected together

njit: Callable[..., Any] | None
try:
    from numba import njit
except ImportError:  # pragma: no cover - exercised by calling the NumPy functions directly
    njit = None


def _crossing(
    angle: float, rows: int, cols: int, dy: float, dx: float, width: float
) -> tuple[float, float, float, float]:
    """Where a view's rays cross the grid lines along the main axis of the ray (Joseph 1982).

    The fractional index across is ``start + step * line + stride * (bin - centre)``; a step along the ray measures
    ``length`` mm. Gives (start, step, stride, length); rays within 45 degrees of the columns step over rows, the
    others over columns.
    """
    cos, sin = math.cos(angle), math.sin(angle)
    x0, y0 = (cols - 1) / 2.0, (rows - 1) / 2.0
    if abs(cos) >= abs(sin):
        return x0 - y0 * dy * sin / cos / dx, dy * sin / cos / dx, width / cos / dx, dy / abs(cos)
    return y0 - x0 * dx * cos / sin / dy, dx * cos / sin / dy, -width / sin / dy, dx / abs(sin)


def _bins_inside(first: float, stride: float, across: int, detectors: int) -> tuple[int, int]:
    """The bins whose index ``first + stride * bin`` lies strictly between -1 and ``across``."""
    low, high = (-1.0 - first) / stride, (across - first) / stride
    if low > high:
        low, high = high, low
    return max(0, math.floor(low) + 1), min(detectors, math.ceil(high))


def _columns_inside(start: float, step: float, cols: int, detectors: int) -> tuple[int, int]:
    """The columns whose position ``start + step * column`` lies from 0 to below ``detectors`` - 1."""
    begin, end = 0, cols
    if step != 0.0:
        low, high = -start / step, (detectors - 1 - start) / step
        if low > high:
            low, high = high, low
        begin, end = math.floor(min(max(low, 0.0), cols)), math.ceil(min(max(high + 1.0, 0.0), cols))
    while begin < end and not 0.0 <= start + step * begin < detectors - 1:
        begin += 1
    while begin < end and not 0.0 <= start + step * (end - 1) < detectors - 1:
        end -= 1
    return begin, end


if njit is not None:
    _crossing = njit(cache=True)(_crossing)
    _bins_inside = njit(cache=True)(_bins_inside)
    _columns_inside = njit(cache=True)(_columns_inside)


def _project(image: Array, turned: Array, dy: float, dx: float, angles: Array, detectors: int, width: float) -> Array:
    # ``image`` and ``turned`` carry a column of zeros on either side, so that the inner loop needs no branch; it runs
    # over the bins of one grid line, whose samples lie side by side in memory. A few lines at a time stay in the cache
    # for all views.
    rows, cols = image.shape[0], turned.shape[0]
    sinogram = np.zeros((angles.size, detectors))
    down, across = image[:, 1:] - image[:, :-1], turned[:, 1:] - turned[:, :-1]
    for block in range(0, max(rows, cols), LINES):
        for view in range(angles.size):
            start, step, stride, length = _crossing(angles[view], rows, cols, dy, dx, width)
            steep = abs(math.cos(angles[view])) >= abs(math.sin(angles[view]))
            grid, rises = (image, down) if steep else (turned, across)
            total = sinogram[view]
            for line in range(block, min(block + LINES, grid.shape[0])):
                first = start + step * line - stride * (detectors - 1) / 2.0
                begin, end = _bins_inside(first, stride, grid.shape[1] - 2, detectors)
                values, slopes = grid[line], rises[line]
                for bin_index in range(begin, end):
                    position = first + 1.0 + stride * bin_index
                    low = int(position)
                    total[bin_index] += length * (values[low] + (position - low) * slopes[low])
    return sinogram


def _project_adjoint(sinogram: Array, rows: int, cols: int, dy: float, dx: float, angles: Array, width: float) -> Array:
    detectors = sinogram.shape[1]
    image, turned = np.zeros((rows, cols + 2)), np.zeros((cols, rows + 2))
    for view in range(angles.size):
        start, step, stride, length = _crossing(angles[view], rows, cols, dy, dx, width)
        grid = image if abs(math.cos(angles[view])) >= abs(math.sin(angles[view])) else turned
        for line in range(grid.shape[0]):
            first = start + step * line - stride * (detectors - 1) / 2.0
            begin, end = _bins_inside(first, stride, grid.shape[1] - 2, detectors)
            values = grid[line]
            for bin_index in range(begin, end):
                position = first + 1.0 + stride * bin_index
                low = int(position)
                weight = position - low
                value = length * sinogram[view, bin_index]
                values[low] += (1.0 - weight) * value
                values[low + 1] += weight * value
    return image[:, 1:-1] + turned[:, 1:-1].T


def _back_project(sinogram: Array, rows: int, cols: int, dy: float, dx: float, angles: Array, width: float) -> Array:
    # ``sinogram`` carries a bin of zeros at its end, so that rounding at the last bin reads nothing beyond it.
    detectors = sinogram.shape[1] - 1
    image, slopes = np.zeros((rows, cols)), np.zeros(detectors + 1)
    for view in range(angles.size):
        step = dx * math.cos(angles[view]) / width
        values = sinogram[view]
        for low in range(detectors):
            slopes[low] = values[low + 1] - values[low]
        for row in range(rows):
            y = ((rows - 1) / 2.0 - row) * dy
            start = y * math.sin(angles[view]) / width - step * (cols - 1) / 2.0 + (detectors - 1) / 2.0
            begin, end = _columns_inside(start, step, cols, detectors)
            line = image[row]
            for col in range(begin, end):
                position = start + step * col
                low = int(position)
                line[col] += values[low] + (position - low) * slopes[low]
    return image


if njit is not None:
    _project = njit(cache=True, fastmath=True)(_project)
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
    padded, turned = (np.pad(grid, ((0, 0), (1, 1))) for grid in (image, image.T))
    return _project(padded, turned, spacing[0], spacing[1], angles, detectors, width)


def project_adjoint(sinogram: Array, shape: tuple[int, int], spacing: Spacing, angles: Array, width: float) -> Array:
    """Transpose of :func:`project`."""
    return _project_adjoint(sinogram, shape[0], shape[1], spacing[0], spacing[1], angles, width)


def back_project(sinogram: Array, shape: tuple[int, int], spacing: Spacing, angles: Array, width: float) -> Array:
    """Sum over views of the linearly interpolated sinogram at every pixel."""
    if njit is None:
        return back_project_numpy(sinogram, shape, spacing, angles, width)
    padded = np.pad(sinogram, ((0, 0), (0, 1)))
    return _back_project(padded, shape[0], shape[1], spacing[0], spacing[1], angles, width)
