"""Data consistency with measured k-space lines, the same for every method that estimates a magnitude."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inference.methods.base import Measurement
from inference.physics.mri import low_resolution_phase


class DataConsistency:
    """Puts the measured lines back into the k-space of a magnitude estimate.

    The estimate gets the phase of the measured centre lines, its k-space is taken, the measured lines
    replace their estimates (the data are taken as noise-free), and the magnitude of the inverse transform is
    returned.
    """

    def __init__(self, k_space: NDArray[np.complex64], mask: NDArray[np.bool_], device: str) -> None:
        self.k_space = torch.from_numpy(k_space).to(device)
        self.mask = torch.from_numpy(mask).to(device)
        self.phase = torch.from_numpy(low_resolution_phase(k_space, mask)).to(device)

    def __call__(self, magnitude: Tensor) -> Tensor:
        """(rows, cols) magnitude in physical units to the same, consistent with the data."""
        axes = (-2, -1)
        spectrum = torch.fft.fft2(torch.fft.ifftshift(magnitude * self.phase, dim=axes), norm="ortho")
        mixed = torch.where(self.mask, self.k_space, torch.fft.fftshift(spectrum, dim=axes))
        image = torch.fft.ifft2(torch.fft.ifftshift(mixed, dim=axes), norm="ortho")
        result: Tensor = torch.fft.fftshift(image, dim=axes).abs()
        return result


def data_consistency_of(measurement: Measurement, device: str) -> DataConsistency | None:
    """The operator of a measurement, None where it carries no k-space."""
    if measurement.k_space is None or measurement.mask is None:
        return None
    return DataConsistency(measurement.k_space, measurement.mask, device)
