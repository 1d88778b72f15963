"""Invertible intensity maps, padding and resampling shared by training and inference. No torch.

Networks see about [-1, 1]. CT: [-1024, 1900] HU, a fixed affine map. US: [0, 255], a fixed affine map. MR:
zero to ``MR_HEADROOM`` times the 99.5th percentile of the *measured* image, since a reference is not known
beforehand.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

CT_LOW, CT_HIGH = -1024.0, 1900.0
MR_HEADROOM = 1.3
SMALLEST_SIDE = 32  # pixels of an image that is measured or trained on
MODALITIES = ("CT", "MR", "US")
# What the stored grid of a modality can hold, in physical units.
PHYSICAL_LIMITS = {"CT": (-1024.0, 3071.0), "MR": (0.0, float(np.finfo(np.float32).max)), "US": (0.0, 255.0)}
# RMS of reference - measurement over the training pairs, network units: CT, MR, US at their default levels.
RESIDUAL_RMS = (0.022, 0.194, 0.38)


@dataclass(frozen=True)
class IntensityMap:
    """The affine map between physical units and network units, exactly invertible up to rounding."""

    low: float
    high: float

    def normalise(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        return (2.0 * (image - self.low) / (self.high - self.low) - 1.0).astype(np.float32)

    def denormalise(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        return (self.low + 0.5 * (image + 1.0) * (self.high - self.low)).astype(np.float32)


def intensity_map(modality: str, degraded: NDArray[np.float32]) -> IntensityMap:
    """The map of one slice, from its modality and (MR only) its measured image."""
    if modality == "CT":
        return IntensityMap(CT_LOW, CT_HIGH)
    if modality == "US":
        return IntensityMap(0.0, 255.0)
    if modality == "MR":
        top = MR_HEADROOM * float(np.percentile(degraded, 99.5))
        return IntensityMap(0.0, top if top > 0 else 1.0)
    raise ValueError(f"Modality {modality!r} has no intensity map: choose one of {', '.join(MODALITIES)}.")


def clip_physical(image: NDArray[np.float32], modality: str) -> NDArray[np.float32]:
    """Clip to what the stored grid of the modality can hold, the same for every method."""
    return np.asarray(np.clip(image, *PHYSICAL_LIMITS[modality]), np.float32)


def pad_to_multiple(image: NDArray[np.float32], multiple: int) -> tuple[NDArray[np.float32], tuple[slice, slice]]:
    """Mirror-pad rows and columns to multiples; the slices cut the original out again."""
    extra = [(-size) % multiple for size in image.shape]
    before = [e // 2 for e in extra]
    widths = [(b, e - b) for b, e in zip(before, extra, strict=True)]
    padded = np.pad(image, widths, mode="symmetric") if any(extra) else image
    rows, cols = (slice(b, b + size) for b, size in zip(before, image.shape, strict=True))
    return padded, (rows, cols)


def one_hot(modality: str) -> NDArray[np.float32]:
    """The modality as a vector of zeros and a one, in the order of ``MODALITIES``."""
    if modality not in MODALITIES:
        raise ValueError(f"Modality {modality!r} is unknown: choose one of {', '.join(MODALITIES)}.")
    return np.array([name == modality for name in MODALITIES], np.float32)


def resample(image: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Linear resampling to ``size`` with a Gaussian against aliasing where it shrinks."""
    factors = [new / old for new, old in zip(size, image.shape, strict=True)]
    sigma = [max(0.0, 0.5 * (1.0 / f - 1.0)) for f in factors]
    smooth = ndimage.gaussian_filter(image, sigma, mode="nearest")
    return np.asarray(ndimage.zoom(smooth, factors, order=1, mode="nearest", grid_mode=True), np.float32)


def to_side(image: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Resampled, in its proportions, so that its longer side has ``side`` pixels; as it is where ``side`` is 0."""
    if not side or max(image.shape) == side:
        return image
    rows, cols = (max(SMALLEST_SIDE, round(n * side / max(image.shape))) for n in image.shape)
    return resample(image, (rows, cols))


def rotate(image: NDArray[np.float32], degrees: float, fill: float) -> NDArray[np.float32]:
    """Rotate about the centre without changing the shape (augmentation of references, before degradation)."""
    return np.asarray(ndimage.rotate(image, degrees, reshape=False, order=1, mode="constant", cval=fill), np.float32)
