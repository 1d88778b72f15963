"""TV-Recon: total variation by Chambolle-Pock after filtered back-projection (CT), in the masked Fourier
domain (MR), and on the log-compressed image (US); each stopped at its relative duality gap.

The weight acts on images scaled to [0, 1]. Rule ``paper`` takes .01 everywhere; ``validation`` takes the
weight with the best mean PSNR on the first eight training patients of a modality in the pool, on a grid of
factors of 1.3 to 2 (nothing else of the method is fitted to them). ``data_term`` ``projections`` compares CT
with the measured line integrals instead of their filtered back-projection: an option that takes minutes a
slice and so stands outside the timing table; its best weight, on four of these patients at 160 x 160, is the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inference.data.preprocessing import IntensityMap, clip_physical, intensity_map
from inference.methods.base import Measurement
from inference.methods.total_variation import tv_denoise
from inference.methods.tv_fourier import tv_fourier
from inference.methods.tv_projections import system_of, tv_projections, unit_data

PAPER_WEIGHT = 0.01
VALIDATION_WEIGHTS = {"CT": 0.0075, "MR": 0.002, "US": 0.05}


class TVRecon:
    """Single precision, CT on projections double; no weights, no randomness."""

    key = "tv_recon"
    name = "TV-Recon"
    version = "2"
    weights_hash = ""
    precision = "float32"
    sampler = ""
    network_calls = 0

    def __init__(self, settings: Mapping[str, Any], device: str) -> None:
        self.settings, self.device = settings, device
        if settings["data_term"] == "projections":
            self.precision = "float32, CT float64"

    def weight(self, modality: str) -> float:
        """The weight of the total variation for a modality."""
        return PAPER_WEIGHT if self.settings["rule"] == "paper" else VALIDATION_WEIGHTS[modality]

    def _on_projections(self, modality: str) -> bool:
        return modality == "CT" and self.settings["data_term"] == "projections"

    def reconstruct(self, measurements: Sequence[Measurement], seeds: Sequence[int]) -> list[NDArray[np.float32]]:
        return [self._reconstruct(m) for m, _ in zip(measurements, seeds, strict=True)]

    @torch.inference_mode()
    def _reconstruct(self, measurement: Measurement) -> NDArray[np.float32]:
        scale = intensity_map(measurement.modality, measurement.degraded)
        unit = self._unit_image(measurement, scale)
        return clip_physical(scale.denormalise((2.0 * unit - 1.0).cpu().numpy()), measurement.modality)

    def _unit_image(self, measurement: Measurement, scale: IntensityMap) -> Tensor:
        modality = measurement.modality
        limits = (self.weight(modality), self.settings["iterations"], self.settings["gap"])
        if measurement.k_space is not None and measurement.mask is not None:
            k_space = torch.from_numpy(measurement.k_space).to(self.device) / scale.high
            mask = torch.from_numpy(measurement.mask).to(self.device)
            return tv_fourier(k_space, mask, *limits).image.abs()
        noisy = torch.from_numpy(0.5 * (scale.normalise(measurement.degraded) + 1.0))
        if not self._on_projections(modality):
            return tv_denoise(noisy.to(self.device), *limits).image
        if measurement.projections is None:
            raise ValueError(
                "This slice carries no projections: degrade it with keep_projections, or set data_term to image."
            )
        shape = (noisy.shape[0], noisy.shape[1])
        system = system_of(shape, measurement.projections.spacing, measurement.projections.geometry)
        data = unit_data(system, measurement.projections, scale.low, scale.high)
        return tv_projections(data, system, noisy, *limits).image.float()
