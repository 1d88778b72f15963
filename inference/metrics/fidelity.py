"""PSNR, SSIM and NMSE with a stated data range, for one slice. NumPy and SciPy only.

SSIM: 7x7 uniform window, unbiased covariance, K1 = .01, K2 = .03 (Wang et al. 2004 as in fastMRI and
scikit-image). CT is clipped to [-1024, 1900] HU and its NMSE is taken on HU + 1024, so that air is zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

WINDOW = 7
SSIM_WINDOW = "7x7 uniform"
CT_CLIP = (-1024.0, 1900.0)
FIXED_RANGE = {"CT": 2924.0, "US": 255.0}

Image = NDArray[np.floating]


@dataclass(frozen=True)
class Fidelity:
    """PSNR in dB (infinite for identical images), SSIM in [-1, 1], NMSE >= 0."""

    psnr: float
    ssim: float
    nmse: float


def _checked(reference: Image, image: Image) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if reference.shape != image.shape:
        raise ValueError(
            f"The image has shape {image.shape} but its reference {reference.shape}: compare the same slice."
        )
    return np.asarray(reference, np.float64), np.asarray(image, np.float64)


def psnr(reference: Image, image: Image, data_range: float) -> float:
    """10 log10(range^2 / mean squared error) in dB."""
    a, b = _checked(reference, image)
    error = float(np.mean((a - b) ** 2))
    return float("inf") if error == 0.0 else float(10.0 * np.log10(data_range**2 / error))


def ssim(reference: Image, image: Image, data_range: float) -> float:
    """Mean structural similarity over all windows that lie inside the image."""
    a, b = _checked(reference, image)
    if min(a.shape) < WINDOW:
        raise ValueError(f"SSIM needs at least {WINDOW} pixels a side, not {a.shape}: use a larger slice.")
    count = WINDOW**2
    unbiased = count / (count - 1)
    mean_a, mean_b = (ndimage.uniform_filter(x, WINDOW) for x in (a, b))
    var_a = unbiased * (ndimage.uniform_filter(a * a, WINDOW) - mean_a**2)
    var_b = unbiased * (ndimage.uniform_filter(b * b, WINDOW) - mean_b**2)
    covariance = unbiased * (ndimage.uniform_filter(a * b, WINDOW) - mean_a * mean_b)
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    values = ((2 * mean_a * mean_b + c1) * (2 * covariance + c2)) / (
        (mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)
    )
    edge = WINDOW // 2
    return float(values[edge:-edge, edge:-edge].mean())


def nmse(reference: Image, image: Image, modality: str) -> float:
    """Sum of squared error over sum of squared reference; CT on HU + 1024."""
    a, b = _checked(reference, image)
    offset = 1024.0 if modality == "CT" else 0.0
    power = float(np.sum((a + offset) ** 2))
    if power == 0.0:
        raise ValueError("NMSE is undefined because the reference is zero everywhere: leave this slice out.")
    return float(np.sum((a - b) ** 2) / power)


def clipped(image: Image, modality: str) -> Image:
    """The image as it enters every metric: CT in [-1024, 1900] HU, others unchanged."""
    return np.clip(image, *CT_CLIP) if modality == "CT" else image


def fidelity(reference: Image, image: Image, modality: str, data_range: float) -> Fidelity:
    """All three metrics of one slice."""
    a, b = clipped(reference, modality), clipped(image, modality)
    return Fidelity(psnr(a, b, data_range), ssim(a, b, data_range), nmse(a, b, modality))
