"""Ultrasound: receiver noise added to the complex echo before envelope detection, then log compression.

A stored B-mode image is read as a log-compressed envelope of ``DYNAMIC_RANGE`` dB; its phase is lost and
redrawn as that of fully developed speckle. The target keeps its own speckle: only receiver noise is added.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

DYNAMIC_RANGE = 60.0  # dB, grey 255 is 0 dB and grey 0 is -60 dB
RESOLUTION_CELL = (0.6, 0.9)  # Gaussian sigma of the point spread in pixels, axial and lateral
SNR_REGION = "pixels above grey 0 whose grey lies between the quartiles of those pixels (mid-echogenic tissue)"


def envelope(grey: NDArray[np.float32]) -> NDArray[np.float64]:
    """Grey 0..255 to linear amplitude, 1.0 at grey 255."""
    return np.asarray(10.0 ** ((grey.astype(np.float64) / 255.0 - 1.0) * DYNAMIC_RANGE / 20.0))


def log_compress(amplitude: NDArray[np.float64]) -> NDArray[np.float32]:
    """Linear amplitude to grey 0..255, clipped."""
    decibel = 20.0 * np.log10(np.maximum(amplitude, 1e-12))
    return np.clip(255.0 * (1.0 + decibel / DYNAMIC_RANGE), 0.0, 255.0).astype(np.float32)


def circular_noise(shape: tuple[int, int], generator: np.random.Generator) -> NDArray[np.complex128]:
    """Circular complex Gaussian noise of unit power, shaped by the resolution cell."""
    field = np.empty(shape, np.complex128)
    field.real = ndimage.gaussian_filter(generator.standard_normal(shape), RESOLUTION_CELL, mode="wrap")
    field.imag = ndimage.gaussian_filter(generator.standard_normal(shape), RESOLUTION_CELL, mode="wrap")
    power = _filter_power(shape)
    return np.asarray(field / np.sqrt(2.0 * power), np.complex128)


def _filter_power(shape: tuple[int, int]) -> float:
    """Variance that the resolution cell leaves of white noise of variance one."""
    impulse = np.zeros(shape)
    impulse[shape[0] // 2, shape[1] // 2] = 1.0
    return float((ndimage.gaussian_filter(impulse, RESOLUTION_CELL, mode="wrap") ** 2).sum())


def signal_power(grey: NDArray[np.float32]) -> float:
    """Mean squared amplitude over ``SNR_REGION``; over all pixels where the region is empty."""
    inside = grey[grey > 0]
    if inside.size == 0:
        return float((envelope(grey) ** 2).mean())
    low, high = np.percentile(inside, [25.0, 75.0])
    return float((envelope(inside[(inside >= low) & (inside <= high)]) ** 2).mean())


def add_noise(grey: NDArray[np.float32], snr_db: float, generator: np.random.Generator) -> NDArray[np.float32]:
    """The B-mode image at ``snr_db`` dB (power ratio over ``SNR_REGION``), grey 0..255."""
    shape = (grey.shape[0], grey.shape[1])
    phase = np.angle(circular_noise(shape, generator))
    echo = envelope(grey) * np.exp(1j * phase)
    noise_power = signal_power(grey) / 10.0 ** (snr_db / 10.0)
    return log_compress(np.abs(echo + np.sqrt(noise_power) * circular_noise(shape, generator)))
