"""Parallel-beam CT: attenuation, projection, filtered back-projection and low-dose counts.

Geometry: 180 degrees, ``s = x cos(theta) + y sin(theta)`` with x to the right and y upwards, lengths in mm.
Projections integrate bilinear (Joseph) samples on a grid twice as fine as the reconstructor's, so that the
simulation does not commit the inverse crime. Noise after Zeng et al. 2015 (PMC4629802): Poisson counts and
independent Gaussian electronic noise in the transmission data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from inference.physics import ct_kernels

MU_WATER = 0.0193  # per mm, about 70 keV
PHOTONS_PER_MM = 1.2e6  # full-dose fluence per mm of detector and view
ELECTRONIC_NOISE = 10.0  # standard deviation in counts, per detector bin and view
VIEWS = 720
OVERSAMPLING = 2  # of the projected grid, and of the detector bins, against the reconstructed grid
CUTOFF = 1.0 / OVERSAMPLING  # of the filter, in units of the detector's Nyquist: the reconstructed pixels' Nyquist
ASSUMED_FIELD_OF_VIEW = 380.0  # mm across the longer side, where a source states no spacing
MINIMUM_HU, MAXIMUM_HU = -1024.0, 3071.0
FILTER = "ramp"


@dataclass(frozen=True)
class Geometry:
    """Sampling of a sinogram: view angles over 180 degrees and detector bins of ``detector_spacing`` mm."""

    views: int
    detectors: int
    detector_spacing: float

    @property
    def angles(self) -> NDArray[np.float64]:
        return np.asarray(np.arange(self.views) * (np.pi / self.views), np.float64)


def geometry_for(shape: tuple[int, int], spacing: tuple[float, float], views: int = VIEWS) -> Geometry:
    """Bins of half a pixel that cover the image's diagonal."""
    bin_width = min(spacing) / OVERSAMPLING
    diagonal = float(np.hypot(shape[0] * spacing[0], shape[1] * spacing[1]))
    return Geometry(views, int(np.ceil(diagonal / bin_width)) + 2, bin_width)


def attenuation(hu: NDArray[np.float32]) -> NDArray[np.float64]:
    """HU to linear attenuation per mm; padding of -1024 HU stays slightly negative: the map is linear."""
    return MU_WATER * (1.0 + hu.astype(np.float64) / 1000.0)


def hounsfield(mu: NDArray[np.float64]) -> NDArray[np.float32]:
    """Linear attenuation per mm to HU, clipped to the stored grid."""
    return np.clip(1000.0 * (mu / MU_WATER - 1.0), MINIMUM_HU, MAXIMUM_HU).astype(np.float32)


def project(image: NDArray[np.float64], spacing: tuple[float, float], geometry: Geometry) -> NDArray[np.float64]:
    """Line integrals of ``image`` (rows, cols; per mm): a sinogram (views, detectors), dimensionless."""
    return ct_kernels.project(
        np.ascontiguousarray(image, np.float64),
        spacing,
        geometry.angles,
        geometry.detectors,
        geometry.detector_spacing,
    )


def project_adjoint(
    sinogram: NDArray[np.float64], shape: tuple[int, int], spacing: tuple[float, float], geometry: Geometry
) -> NDArray[np.float64]:
    """The exact transpose of :func:`project`."""
    return ct_kernels.project_adjoint(
        np.ascontiguousarray(sinogram, np.float64),
        shape,
        spacing,
        geometry.angles,
        geometry.detector_spacing,
    )


def fine_projections(
    mu: NDArray[np.float64], spacing: tuple[float, float], geometry: Geometry, factor: int = OVERSAMPLING
) -> NDArray[np.float64]:
    """Projections (views, detectors) of the image interpolated to a grid ``factor`` times finer."""
    fine = ndimage.zoom(mu, factor, order=3, mode="nearest", grid_mode=True)
    return project(fine, (spacing[0] / factor, spacing[1] / factor), geometry)


def filter_response(size: int, name: str = FILTER, cutoff: float = 1.0) -> NDArray[np.float64]:
    """Real frequency response of the band-limited ramp (Kak and Slaney 1988, eq. 3.61), times a window.

    ``size`` is the padded length; the response holds ``size // 2 + 1`` values for a real FFT. The window
    ends at ``cutoff`` times the Nyquist frequency.
    """
    taps = np.zeros(size)
    taps[0] = 0.25
    odd = np.arange(1, size // 2 + 1, 2)
    taps[odd] = taps[-odd] = -1.0 / (np.pi * odd) ** 2
    ramp = 2.0 * np.real(np.asarray(fft.rfft(taps)))
    omega = np.pi * np.arange(ramp.size) / (size / 2) / cutoff
    windows = {
        "ramp": np.ones(ramp.size),
        "shepp-logan": np.sinc(omega / (2 * np.pi)),
        "hann": 0.5 * (1.0 + np.cos(omega)),
    }
    if name not in windows:
        raise ValueError(f"Unknown reconstruction filter {name!r}: choose one of {', '.join(windows)}.")
    return np.where(omega <= np.pi + 1e-9, ramp * windows[name], 0.0)


def filtered_back_projection(
    sinogram: NDArray[np.float64],
    shape: tuple[int, int],
    spacing: tuple[float, float],
    geometry: Geometry,
    filter_name: str = FILTER,
    cutoff: float = 1.0,
) -> NDArray[np.float64]:
    """Attenuation per mm (rows, cols) from line integrals (views, detectors)."""
    size = 1 << int(np.ceil(np.log2(2 * geometry.detectors)))
    spectrum = np.asarray(fft.rfft(sinogram, n=size, axis=1))
    filtered = np.asarray(fft.irfft(spectrum * filter_response(size, filter_name, cutoff), n=size, axis=1))
    return ct_kernels.back_project(
        np.ascontiguousarray(filtered[:, : geometry.detectors]),
        shape,
        spacing,
        geometry.angles,
        geometry.detector_spacing,
    ) * (np.pi / (2 * geometry.views * geometry.detector_spacing))


def low_dose(
    line_integrals: NDArray[np.float64],
    dose: float,
    photons: float,
    generator: np.random.Generator,
    *,
    already_noisy: bool,
    electronic_noise: float = ELECTRONIC_NOISE,
) -> NDArray[np.float64]:
    """Line integrals as measured with ``dose`` times ``photons`` per ray.

    A full-dose scan is thinned binomially: given its counts N, Binomial(N, dose) / dose adds exactly the
    variance (1 / dose - 1) / N to the logarithm, and thinning keeps dose^2 of the electronic variance, so
    that only 1 - dose^2 of it is added. A noise-free object gets Poisson counts and the whole electronic
    noise.
    """
    expected = photons * np.exp(-line_integrals)
    if already_noisy:
        counts = generator.binomial(np.rint(expected).astype(np.int64), dose).astype(np.float64)
        electronic = electronic_noise * np.sqrt(1.0 - dose**2)
    else:
        counts = generator.poisson(dose * expected).astype(np.float64)
        electronic = electronic_noise
    counts += electronic * generator.standard_normal(counts.shape)
    return -np.log(np.maximum(counts, 1.0) / (dose * photons))


def assumed_spacing(shape: tuple[int, int]) -> tuple[float, float]:
    """Square pixels that spread the assumed field of view over the longer side."""
    return (ASSUMED_FIELD_OF_VIEW / max(shape),) * 2
