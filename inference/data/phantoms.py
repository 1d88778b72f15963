"""Procedural phantoms with real structure: chest (CT), knee (MR) and carotid (US), one person per seed."""

import numpy as np
from numpy.typing import NDArray

from inference.data.dicom_types import (
    CT_INTERCEPT,
    CT_MAX_HU,
    CT_MIN_HU,
    Modality,
    SeriesImage,
    patient_source_id,
    slice_source_id,
)
from inference.data.phantoms_carotid import carotid_frames
from inference.data.phantoms_chest import chest_slices
from inference.data.phantoms_knee import knee_slices

NOTE = "procedural phantom"
_STREAMS = {"CT": 1, "MR": 2, "US": 3}
_ANATOMY = {"CT": "chest", "MR": "knee", "US": "carotid"}
_PLANE = {"CT": "axial", "MR": "sagittal", "US": ""}


def phantom(modality: Modality, seed: int, size: int = 256, n_slices: int = 4) -> SeriesImage:
    """Return the case of one invented person: CT chest in HU, MR knee magnitude, or US carotid 8-bit grey.

    The same modality, seed, size and n_slices give the same bytes. size: rows and columns, at least 64.
    Raises ValueError for an unknown modality or a size or number of slices that cannot be drawn.
    """
    if modality not in _STREAMS:
        raise ValueError(f"Unknown modality {modality!r}: choose CT, MR or US.")
    if size < 64 or n_slices < 1:
        raise ValueError("A phantom needs at least 64 pixels on a side and one slice: raise size or n_slices.")
    rng = np.random.Generator(np.random.PCG64([_STREAMS[modality], seed]))
    step: float | None
    if modality == "CT":
        values, pixel, step = chest_slices(rng, size, n_slices)
        stored = np.rint(np.clip(values, CT_MIN_HU, CT_MAX_HU) - CT_INTERCEPT)
    elif modality == "MR":
        values, pixel, step = knee_slices(rng, size, n_slices)
        stored = np.rint(np.clip(values, 0, 4095))
    else:
        values, pixel = carotid_frames(rng, size, n_slices)
        step = None
        stored = np.rint(np.clip(values, 0, 255))
    return _series(modality, seed, np.asarray(stored, np.uint16), pixel, step)


def _series(modality: Modality, seed: int, pixels: NDArray[np.uint16], pixel: float, step: float | None) -> SeriesImage:
    key = f"phantom-{modality}-{seed}"
    return SeriesImage(
        modality=modality,
        pixels=pixels,
        slope=1.0,
        intercept=CT_INTERCEPT if modality == "CT" else 0.0,
        pixel_spacing=(pixel, pixel),
        slice_spacing=step,
        positions=tuple(number * (step or 1.0) for number in range(len(pixels))),
        patient_key=key,
        study_key=key,
        series_key=key,
        source_ids=(patient_source_id(key), *dict.fromkeys(slice_source_id(part) for part in pixels)),
        anatomy=_ANATOMY[modality],
        plane=_PLANE[modality],
        notes=(NOTE,),
        age_band="",
        sex="",
        device={},
        burned_in_risk=False,
        face_risk=False,
    )
