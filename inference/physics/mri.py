"""Cartesian MRI, emulated single coil: synthetic smooth phase, centred k-space, undersampling masks.

Where the source is a magnitude image the k-space is "retrospective from magnitude": the phase is synthetic
and every text that names the level says so (Shimron et al. 2022, doi 10.1073/pnas.2117203119, on why that
matters).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft

ACS_SHARE = 0.06  # of all phase-encoding lines, always measured at the centre
PHASE_ORDER = 3  # the synthetic phase is a random polynomial of this degree
PHASE_SCALE = 1.5  # radians, standard deviation over the image


def to_k_space(image: NDArray[np.complex64]) -> NDArray[np.complex64]:
    """Centred orthonormal 2-D Fourier transform, (rows, cols) to (rows, cols)."""
    spectrum = fft.fft2(fft.ifftshift(image), norm="ortho")
    return np.asarray(fft.fftshift(spectrum)).astype(np.complex64)


def to_image(k_space: NDArray[np.complex64]) -> NDArray[np.complex64]:
    """Inverse (and adjoint) of :func:`to_k_space`."""
    image = fft.ifft2(fft.ifftshift(k_space), norm="ortho")
    return np.asarray(fft.fftshift(image)).astype(np.complex64)


def smooth_phase(shape: tuple[int, int], generator: np.random.Generator) -> NDArray[np.float32]:
    """A random polynomial phase in radians, as left by field inhomogeneity and coil phase."""
    y = np.linspace(-1.0, 1.0, shape[0])[:, None]
    x = np.linspace(-1.0, 1.0, shape[1])[None, :]
    phase = np.zeros(shape)
    for i in range(PHASE_ORDER + 1):
        for j in range(PHASE_ORDER + 1 - i):
            phase += generator.standard_normal() * y**i * x**j
    spread = float(phase.std())
    return (PHASE_SCALE * phase / spread if spread > 0 else phase).astype(np.float32)


def line_mask(lines: int, acceleration: float, generator: np.random.Generator) -> NDArray[np.bool_]:
    """Which phase-encoding lines are measured: round(lines / acceleration), the centre counted."""
    kept = min(lines, max(1, round(lines / acceleration)))
    acs = min(kept, max(1, round(ACS_SHARE * lines)))
    mask = np.zeros(lines, dtype=bool)
    start = lines // 2 - acs // 2  # the zero frequency of a centred FFT stands at lines // 2
    mask[start : start + acs] = True
    rest = np.flatnonzero(~mask)
    mask[generator.choice(rest, kept - acs, replace=False)] = True
    return mask


def acs_slice(mask: NDArray[np.bool_]) -> slice:
    """The contiguous measured lines around the zero frequency."""
    centre = mask.size // 2
    start, stop = centre, centre
    while start > 0 and mask[start - 1]:
        start -= 1
    while stop < mask.size and mask[stop]:
        stop += 1
    return slice(start, stop)


def low_resolution_phase(k_space: NDArray[np.complex64], mask: NDArray[np.bool_]) -> NDArray[np.complex64]:
    """exp(i phase) of the image from the centre lines alone, Hann-windowed: the phase a method may assume."""
    window = np.zeros(mask.size, dtype=np.float32)
    centre = acs_slice(mask)
    width = centre.stop - centre.start
    window[centre] = np.hanning(width + 2)[1:-1]
    low = to_image((k_space * window).astype(np.complex64))
    return np.asarray(np.exp(1j * np.angle(low)), np.complex64)


def undersample(
    magnitude: NDArray[np.float32], acceleration: float, generator: np.random.Generator
) -> tuple[NDArray[np.complex64], NDArray[np.bool_]]:
    """Measured k-space (zeros elsewhere) and the mask over columns, the phase-encoding axis."""
    phase = smooth_phase((magnitude.shape[0], magnitude.shape[1]), generator)
    mask = line_mask(magnitude.shape[1], acceleration, generator)
    k_space = to_k_space((magnitude * np.exp(1j * phase)).astype(np.complex64))
    return (k_space * mask).astype(np.complex64), mask
