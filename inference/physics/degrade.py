"""One entry point that turns a reference slice into a measurement at a stated level."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from inference.methods.base import Measurement, Projections
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
    keep_projections: bool = False,
) -> Measurement:
    """A measurement of ``reference`` (rows, cols; physical units) at ``level``, the same for the same seed.

    ``already_noisy``: the CT reference is a full-dose scan, so only the missing variance is added.
    ``keep_projections``: CT keeps its noisy line integrals, for methods that start from them.
    """
    level = validate_level(modality, level)
    if reference.ndim != 2:
        raise ValueError(f"A slice has rows and columns, not {reference.ndim} axes: pass one slice at a time.")
    generator = np.random.default_rng(seed)
    image = reference.astype(np.float32)
    k_space: NDArray[np.complex64] | None = None
    mask: NDArray[np.bool_] | None = None
    projections: Projections | None = None
    parameters: dict[str, object] = {"physics_version": physics_version, **PHYSICS_PARAMETERS[modality]}
    if modality == "CT":
        degraded, lines, extra = _degrade_ct(image, level, pixel_spacing, generator, already_noisy)
        projections = lines if keep_projections else None
        parameters |= extra
    elif modality == "MR":
        k_space, mask = mri.undersample(image, level, generator)
        degraded = np.abs(mri.to_image(k_space)).astype(np.float32)
        parameters |= _sampling(mask)
    else:
        degraded = ultrasound.add_noise(image, level, generator)
        parameters |= {"signal_power": ultrasound.signal_power(image)}
    return Measurement(
        degraded, modality, pixel_spacing, level, data_range, seed, k_space, mask, parameters, projections=projections
    )


def _sampling(mask: NDArray[np.bool_]) -> dict[str, object]:
    centre = mri.acs_slice(mask)
    return {
        "acs_lines": centre.stop - centre.start,
        "measured_lines": int(mask.sum()),
        "lines": int(mask.size),
        "real_acceleration": mask.size / float(mask.sum()),
    }


def _degrade_ct(
    image: NDArray[np.float32],
    dose: float,
    pixel_spacing: tuple[float, float] | None,
    generator: np.random.Generator,
    already_noisy: bool,
) -> tuple[NDArray[np.float32], Projections, dict[str, object]]:
    shape = (image.shape[0], image.shape[1])
    spacing = pixel_spacing or ct.assumed_spacing(shape)
    geometry = ct.geometry_for(shape, spacing)
    photons = ct.PHOTONS_PER_MM * geometry.detector_spacing
    lines = ct.fine_projections(ct.attenuation(image), spacing, geometry)
    noisy = ct.low_dose(lines, dose, photons, generator, already_noisy=already_noisy)
    degraded = ct.hounsfield(ct.filtered_back_projection(noisy, shape, spacing, geometry, ct.FILTER, ct.CUTOFF))
    extra: dict[str, object] = {
        "photons_per_ray": photons,
        "detectors": geometry.detectors,
        "detector_spacing_mm": geometry.detector_spacing,
        "pixel_spacing_assumed": pixel_spacing is None,
        "already_noisy": already_noisy,
    }
    return degraded, Projections(noisy.astype(np.float32), geometry, spacing), extra


def degrade_k_space(
    k_space: NDArray[np.complex64],
    acceleration: float,
    *,
    seed: int,
    pixel_spacing: tuple[float, float] | None = None,
    data_range: float,
    lines: tuple[int, int] | None = None,
    emulated_coil: bool = False,
) -> Measurement:
    """A measurement from fully sampled *measured* k-space (rows, cols) of one coil, the same for the same seed.

    The zero frequency stands at rows // 2, cols // 2; its reference is the magnitude of ``mri.to_image(k_space)``.
    ``lines``: first measured column and the one after the last, where the scanner padded with zeros (by default the
    columns that are not zero); only these are drawn from and counted. ``emulated_coil``: combined from several coils.
    Raises ValueError for a wrong level or shape, values that are not numbers, and k-space with lines missing.
    """
    level = validate_level("MR", acceleration)
    start, stop = _measured_band(k_space, lines)
    inner = mri.line_mask(stop - start, level, np.random.default_rng(seed))
    mask = np.zeros(k_space.shape[1], dtype=bool)
    # line_mask centres on the middle of the lines it is given, which need not be the zero frequency of padded data.
    mask[start:stop] = np.roll(inner, k_space.shape[1] // 2 - start - (stop - start) // 2)
    measured = (k_space * mask).astype(np.complex64)
    centre = mri.acs_slice(mask)
    parameters: dict[str, object] = {
        "physics_version": physics_version,
        "k_space": f"measured, {'emulated single coil of several' if emulated_coil else 'single coil'}",
        **{name: PHYSICS_PARAMETERS["MR"][name] for name in ("acs_share", "phase_encoding", "sampling")},
        "acs_lines": centre.stop - centre.start,
        "measured_lines": int(mask.sum()),
        "lines": stop - start,
        "zero_padded_lines": int(mask.size) - (stop - start),
        "real_acceleration": (stop - start) / float(mask.sum()),
    }
    degraded = np.abs(mri.to_image(measured)).astype(np.float32)
    return Measurement(degraded, "MR", pixel_spacing, level, data_range, seed, measured, mask, parameters)


def _measured_band(k_space: NDArray[np.complex64], lines: tuple[int, int] | None) -> tuple[int, int]:
    """First measured column and the one after the last; ValueError where undersampling them would be no measurement."""
    if k_space.ndim != 2:
        raise ValueError(f"The k-space of a slice is (rows, cols), not {k_space.ndim} axes: combine its coils first.")
    if not np.isfinite(k_space).all():
        raise ValueError("The k-space holds values that are not numbers: leave this slice out.")
    filled = np.flatnonzero(k_space.any(axis=0))
    if lines is None and filled.size:
        lines = int(filled[0]), int(filled[-1]) + 1
    if lines is None or not 0 <= lines[0] <= k_space.shape[1] // 2 < lines[1] <= k_space.shape[1]:
        raise ValueError("The measured lines do not hold the zero frequency: pass k-space centred on its columns.")
    if not k_space[:, lines[0] : lines[1]].any(axis=0).all():
        raise ValueError("Lines are missing from this k-space: pass fully sampled k-space, it is undersampled here.")
    return lines
