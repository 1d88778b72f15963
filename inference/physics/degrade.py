"""One entry point that turns a reference slice into a measurement at a stated level."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from inference.methods.base import Measurement
from inference.physics import ct, mri, ultrasound
from inference.physics.levels import validate_level

physics_version = "1"

PHYSICS_PARAMETERS: Mapping[str, Mapping[str, object]] = {
    "CT": {
        "geometry": "parallel beam, 180 degrees",
        "views": ct.VIEWS,
        "detector_bin": "half a pixel",
        "photons_per_mm": ct.PHOTONS_PER_MM,
        "electronic_noise_counts": ct.ELECTRONIC_NOISE,
        "mu_water_per_mm": ct.MU_WATER,
        "oversampling": ct.OVERSAMPLING,
        "filter": ct.FILTER,
        "filter_cutoff_detector_nyquist": ct.CUTOFF,
        "assumed_field_of_view_mm": ct.ASSUMED_FIELD_OF_VIEW,
    },
    "MR": {
        "k_space": "retrospective from magnitude, emulated single coil",
        "acs_share": mri.ACS_SHARE,
        "phase_order": mri.PHASE_ORDER,
        "phase_scale_rad": mri.PHASE_SCALE,
        "phase_encoding": "columns",
        "sampling": "random lines outside the centre",
    },
    "US": {
        "dynamic_range_db": ultrasound.DYNAMIC_RANGE,
        "resolution_cell_px": list(ultrasound.RESOLUTION_CELL),
        "snr_region": ultrasound.SNR_REGION,
        "noise": "circular complex Gaussian before envelope detection",
    },
}


def degrade(
    reference: NDArray[np.float32],
    modality: str,
    level: float,
    *,
    seed: int,
    pixel_spacing: tuple[float, float] | None = None,
    data_range: float,
    already_noisy: bool = True,
) -> Measurement:
    """A measurement of ``reference`` (rows, cols; physical units) at ``level``, the same for the same seed.

    ``already_noisy``: the CT reference is a full-dose scan, so only the missing variance is added.
    """
    level = validate_level(modality, level)
    if reference.ndim != 2:
        raise ValueError(f"A slice has rows and columns, not {reference.ndim} axes: pass one slice at a time.")
    generator = np.random.default_rng(seed)
    image = reference.astype(np.float32)
    k_space: NDArray[np.complex64] | None = None
    mask: NDArray[np.bool_] | None = None
    parameters: dict[str, object] = {"physics_version": physics_version, **PHYSICS_PARAMETERS[modality]}
    if modality == "CT":
        degraded, extra = _degrade_ct(image, level, pixel_spacing, generator, already_noisy)
        parameters |= extra
    elif modality == "MR":
        k_space, mask = mri.undersample(image, level, generator)
        degraded = np.abs(mri.to_image(k_space)).astype(np.float32)
        centre = mri.acs_slice(mask)
        parameters |= {
            "acs_lines": centre.stop - centre.start,
            "measured_lines": int(mask.sum()),
            "lines": int(mask.size),
            "real_acceleration": mask.size / float(mask.sum()),
        }
    else:
        degraded = ultrasound.add_noise(image, level, generator)
        parameters |= {"signal_power": ultrasound.signal_power(image)}
    return Measurement(degraded, modality, pixel_spacing, level, data_range, seed, k_space, mask, parameters)


def _degrade_ct(
    image: NDArray[np.float32],
    dose: float,
    pixel_spacing: tuple[float, float] | None,
    generator: np.random.Generator,
    already_noisy: bool,
) -> tuple[NDArray[np.float32], dict[str, object]]:
    shape = (image.shape[0], image.shape[1])
    spacing = pixel_spacing or ct.assumed_spacing(shape)
    geometry = ct.geometry_for(shape, spacing)
    photons = ct.PHOTONS_PER_MM * geometry.detector_spacing
    lines = ct.fine_projections(ct.attenuation(image), spacing, geometry)
    noisy = ct.low_dose(lines, dose, photons, generator, already_noisy=already_noisy)
    degraded = ct.hounsfield(ct.filtered_back_projection(noisy, shape, spacing, geometry, ct.FILTER, ct.CUTOFF))
    return degraded, {
        "photons_per_ray": photons,
        "detectors": geometry.detectors,
        "detector_spacing_mm": geometry.detector_spacing,
        "pixel_spacing_assumed": pixel_spacing is None,
        "already_noisy": already_noisy,
    }
