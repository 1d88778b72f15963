"""Where the pixels of a slice lie in the patient, kept as one affine through resampling, crops, flips and rotations.

Index (row, column, slice) counts pixel centres from 0: pixel i covers i - 0.5 to i + 0.5, and index (0, 0, 0) is
ImagePositionPatient, the centre of the first pixel (DICOM PS3.3 C.7.6.2.1.1). Patient coordinates are mm along x to
the left, y to the back and z to the head. Every change of an image has its twin here: `resampled` for
`preprocessing.resample`, `rotated` for `preprocessing.rotate`, `reduced` for the area mean of the DICOM reader.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

ORTHOGONAL = 1e-3  # how far directions may be from unit length and from a right angle, as headers round them
Affine = tuple[tuple[float, float, float, float], ...]


@dataclass(frozen=True)
class SliceGeometry:
    """affine: 4 x 4, voxel index (row, column, slice, 1) to patient mm (x, y, z, 1). shape: rows and columns."""

    affine: Affine
    shape: tuple[int, int]

    def __post_init__(self) -> None:
        matrix = np.array(self.affine, np.float64)
        if matrix.shape != (4, 4) or not np.isfinite(matrix).all() or (matrix[3] != (0, 0, 0, 1)).any():
            raise ValueError("An affine has four rows of four finite numbers, the last 0, 0, 0, 1: pass such a one.")
        if abs(np.linalg.det(matrix[:3, :3])) < 1e-12:
            raise ValueError("The affine maps the slice onto a line or point: check the spacing and the orientation.")
        if min(self.shape) < 1:
            raise ValueError("A slice has at least one row and one column: pass the shape of its image.")

    @classmethod
    def from_dicom(
        cls,
        position: Sequence[float],
        orientation: Sequence[float],
        spacing: Sequence[float],
        shape: tuple[int, int],
        step: Sequence[float] | float = 1.0,
    ) -> SliceGeometry:
        """The geometry of ImagePositionPatient, ImageOrientationPatient and PixelSpacing (row, column distance in mm).

        step: from this slice to the next, in mm along the normal or, for sheared stacks (gantry tilt), as a vector.
        Raises ValueError for numbers that describe no slice.
        """
        if (len(position), len(orientation), len(spacing)) != (3, 6, 2):
            raise ValueError("A slice has a position of 3, an orientation of 6 and a spacing of 2 numbers: pass these.")
        along_row, along_column = np.array(orientation[:3], np.float64), np.array(orientation[3:], np.float64)
        lengths = float(np.linalg.norm(along_row)), float(np.linalg.norm(along_column))
        if not (max(abs(length - 1) for length in lengths) < ORTHOGONAL and abs(along_row @ along_column) < ORTHOGONAL):
            raise ValueError("The image orientation is not two unit vectors at a right angle: check the header.")
        if not min(spacing) > 0:
            raise ValueError("The pixel spacing is not two lengths above 0 mm: check the header.")
        matrix = np.eye(4)
        matrix[:3, 0] = along_column / lengths[1] * spacing[0]
        matrix[:3, 1] = along_row / lengths[0] * spacing[1]
        normal = np.cross(along_row, along_column)
        vector = np.array(step, np.float64)
        matrix[:3, 2] = vector if vector.shape == (3,) else vector * normal / np.linalg.norm(normal)
        matrix[:3, 3] = position
        return cls(_rows(matrix), shape)

    @property
    def matrix(self) -> NDArray[np.float64]:
        """The affine as float64 (4, 4)."""
        return np.array(self.affine, np.float64)

    @property
    def pixel_spacing(self) -> tuple[float, float]:
        """Distance in mm between neighbouring rows and between neighbouring columns."""
        rows, cols = (float(np.linalg.norm(self.matrix[:3, axis])) for axis in (0, 1))
        return rows, cols

    @property
    def position(self) -> tuple[float, float, float]:
        """ImagePositionPatient: the centre of the first pixel in mm."""
        x, y, z = (float(value) for value in self.matrix[:3, 3])
        return x, y, z

    @property
    def orientation(self) -> tuple[float, ...]:
        """ImageOrientationPatient; ValueError where a rotation of oblong pixels has left no right angle."""
        columns = self.matrix[:3, :2] / np.array(self.pixel_spacing)
        if abs(columns[:, 0] @ columns[:, 1]) > ORTHOGONAL:
            raise ValueError("This geometry is sheared, which DICOM cannot say: resample to square pixels first.")
        return tuple(float(value) for value in (*columns[:, 1], *columns[:, 0]))

    def to_patient(self, indices: ArrayLike) -> NDArray[np.float64]:
        """Patient mm (..., 3) of indices (..., 3), or (..., 2) in this slice."""
        points = np.asarray(indices, np.float64)
        if points.shape[-1:] == (2,):
            points = np.concatenate([points, np.zeros((*points.shape[:-1], 1))], axis=-1)
        return _apply(self.matrix, points)

    def to_index(self, points: ArrayLike) -> NDArray[np.float64]:
        """Indices (..., 3) of patient mm (..., 3); the third is 0 for points in this slice."""
        inverse = np.asarray(np.linalg.inv(self.matrix), np.float64)
        return _apply(inverse, np.asarray(points, np.float64))

    def index_map(self, target: SliceGeometry) -> NDArray[np.float64]:
        """float64 (4, 4): index of this image to index of another image of the same patient space."""
        return np.asarray(np.linalg.solve(target.matrix, self.matrix), np.float64)

    def resampled(self, shape: tuple[int, int]) -> SliceGeometry:
        """After `preprocessing.resample` to ``shape``: the same field of view, each axis with a spacing of its own."""
        if min(shape) < 1:
            raise ValueError("A slice has at least one row and one column: resample to a larger shape.")
        factors = [old / new for old, new in zip(self.shape, shape, strict=True)]
        return self._after(np.diag(factors), [0.5 * f - 0.5 for f in factors], shape)

    def reduced(self, factor: int) -> SliceGeometry:
        """After the DICOM reader's area mean: blocks of factor x factor pixels, the remainder cut off all round."""
        rows, cols = (size // factor for size in self.shape)
        offsets = [(old - new * factor) // 2 for old, new in zip(self.shape, (rows, cols), strict=True)]
        return self._after(np.diag([factor, factor]), [o + (factor - 1) / 2 for o in offsets], (rows, cols))

    def cropped(self, top: int, left: int, shape: tuple[int, int]) -> SliceGeometry:
        """After cutting ``shape`` out from row ``top`` and column ``left``; negative ones stand for padding."""
        return self._after(np.eye(2), [top, left], shape)

    def flipped(self, axis: int) -> SliceGeometry:
        """After ``numpy.flip`` along axis 0 (rows) or 1 (columns)."""
        if axis not in (0, 1):
            raise ValueError("A slice is flipped along axis 0 (rows) or 1 (columns): choose one of them.")
        signs = [-1.0 if which == axis else 1.0 for which in (0, 1)]
        return self._after(
            np.diag(signs), [size - 1 if s < 0 else 0 for s, size in zip(signs, self.shape, strict=True)]
        )

    def rotated(self, degrees: float) -> SliceGeometry:
        """After `preprocessing.rotate`: about the centre of the image, counter-clockwise as displayed, same shape."""
        cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        turn = np.array([[cosine, sine], [-sine, cosine]])
        centre = (np.array(self.shape) - 1) / 2
        return self._after(turn, list(centre - turn @ centre))

    def _after(
        self, linear: NDArray[np.float64], offset: Sequence[float], shape: tuple[int, int] | None = None
    ) -> SliceGeometry:
        """The geometry of an image whose pixel i shows what lay at linear @ i + offset of this one."""
        change = np.eye(4)
        change[:2, :2], change[:2, 3] = linear, offset
        return SliceGeometry(_rows(self.matrix @ change), shape or self.shape)


def _rows(matrix: NDArray[np.float64]) -> Affine:
    return tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in matrix)


def _apply(matrix: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    if points.shape[-1:] != (3,):
        raise ValueError("A point has three coordinates: pass an array whose last axis is 3.")
    return np.asarray(points @ matrix[:3, :3].T + matrix[:3, 3], np.float64)
