"""fastMRI HDF5 volumes as the public set writes them, made here so that no file need be shipped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from inference.data.fastmri import crop_image, root_sum_of_squares
from inference.physics import mri

SHAPE = (96, 72)  # readout (twice oversampled) and phase encoding
TARGET = (48, 48)
PATIENT = "0beb8905d9b7fad304389b9d4263c57d5b069257ea0fdc5bf7f2675608b47406"

HEADER = """<?xml version="1.0" encoding="utf-8"?>
<ismrmrdHeader xmlns="http://www.ismrm.org/ISMRMRD" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <studyInformation><studyTime>12:47:56</studyTime></studyInformation>
  <acquisitionSystemInformation><systemVendor>SIEMENS</systemVendor></acquisitionSystemInformation>
  <encoding>
    <encodedSpace>
      <matrixSize><x>{rows}</x><y>{cols}</y><z>1</z></matrixSize>
      <fieldOfView_mm><x>{fov_x}</x><y>{fov_y}</y><z>4.500000</z></fieldOfView_mm>
    </encodedSpace>
    <reconSpace>
      <matrixSize><x>{target[0]}</x><y>{target[1]}</y><z>1</z></matrixSize>
      <fieldOfView_mm><x>{recon_x}</x><y>{recon_y}</y><z>3.000000</z></fieldOfView_mm>
    </reconSpace>
    <trajectory>{trajectory}</trajectory>
    <encodingLimits>
      <kspace_encoding_step_1><minimum>0</minimum><maximum>{last}</maximum><center>{centre}</center></kspace_encoding_step_1>
    </encodingLimits>
    <parallelImaging>
      <accelerationFactor><kspace_encoding_step_1>1</kspace_encoding_step_1></accelerationFactor>
    </parallelImaging>
  </encoding>
</ismrmrdHeader>"""


def header(shape: tuple[int, int] = SHAPE, target: tuple[int, int] = TARGET, **changes: Any) -> str:
    """Return a header with square pixels of 0.5 mm."""
    values = {
        "rows": shape[0], "cols": shape[1], "fov_x": shape[0] / 2, "fov_y": shape[1] / 2, "target": target,
        "recon_x": target[0] / 2, "recon_y": target[1] / 2, "trajectory": "cartesian",
        "last": shape[1] - 1, "centre": shape[1] // 2,
    }  # fmt: skip
    return HEADER.format(**(values | changes))


def scene(shape: tuple[int, int] = SHAPE, number: int = 0) -> NDArray[np.complex64]:
    """Return an object with edges and a smooth phase, inside the middle of its field of view."""
    y, x = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    body = (np.hypot(y / 0.42, x / 0.6) < 1).astype(float)
    body += 0.8 * (np.hypot(y - 0.1, x + 0.2) < 0.12) - 0.5 * (np.hypot(y + 0.1, x - 0.2 - 0.02 * number) < 0.1)
    return np.asarray(1e-3 * body * np.exp(1j * (0.8 * y - 0.5 * x + 0.6 * x * y)), np.complex64)


def sensitivities(coils: int, shape: tuple[int, int] = SHAPE) -> NDArray[np.complex64]:
    """Return smooth maps of coils around the object, their sum of squared magnitudes 1 everywhere."""
    y, x = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    angles = 2 * np.pi * np.arange(coils) / coils
    maps = np.stack(
        [
            np.exp(-((y - np.sin(a)) ** 2 + (x - np.cos(a)) ** 2) / 1.5 + 1j * (0.7 * x * np.cos(a) + a / 9))
            for a in angles
        ]
    )
    return np.asarray(maps / np.sqrt((np.abs(maps) ** 2).sum(axis=0)), np.complex64)


def multi_coil(slices: int = 3, coils: int = 4, shape: tuple[int, int] = SHAPE) -> NDArray[np.complex64]:
    """Return k-space (slices, coils, rows, cols) of the scene."""
    maps = sensitivities(coils, shape)
    return np.stack([[mri.to_k_space((m * scene(shape, n)).astype(np.complex64)) for m in maps] for n in range(slices)])


def single_coil_k_space(slices: int = 3, shape: tuple[int, int] = SHAPE) -> NDArray[np.complex64]:
    """Return k-space (slices, rows, cols) of the scene."""
    return np.stack([mri.to_k_space(scene(shape, number)) for number in range(slices)])


def write(path: Path, k_space: NDArray[Any], *, test: bool = False, xml: str | None = None) -> Path:
    """Write a volume: kspace, header, attributes and the reconstructions (test files: a mask instead of them)."""
    shape = (k_space.shape[-2], k_space.shape[-1])
    with h5py.File(path, "w") as file:
        file["ismrmrd_header"] = (header(shape) if xml is None else xml).encode()
        file.attrs["acquisition"], file.attrs["patient_id"] = "CORPDFS_FBK", PATIENT
        if test:
            mask = mri.line_mask(shape[1], 4.0, np.random.default_rng(0))
            file["mask"], k_space = mask.astype(np.float32), k_space * mask
            file.attrs["acceleration"], file.attrs["num_low_frequency"] = 4, 6
        else:
            images = np.stack([root_sum_of_squares(one.reshape(-1, *shape)) for one in k_space])
            cropped = crop_image(images, TARGET)
            file["reconstruction_rss"] = cropped
            if k_space.ndim == 3:
                file["reconstruction_esc"] = cropped
            file.attrs["max"], file.attrs["norm"] = float(cropped.max()), float(np.linalg.norm(cropped))
        file["kspace"] = k_space.astype(np.complex64)
    return path
