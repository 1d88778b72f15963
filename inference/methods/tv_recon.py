"""TV-Recon: total variation by Chambolle-Pock after filtered back-projection (CT), in the masked Fourier
domain (MR), and on the log-compressed image (US).

The weight acts on images scaled to [0, 1]. Rule ``paper`` takes .01 everywhere; ``validation`` takes the
weight with the best mean PSNR on the first eight training patients of a modality in the pool, on a grid of
factors of 1.3 to 2 (nothing else of the method is fitted to them).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from inference.data.preprocessing import clip_physical, intensity_map
from inference.methods.base import Measurement
from inference.methods.total_variation import tv_denoise, tv_fourier

PAPER_WEIGHT = 0.01
VALIDATION_WEIGHTS = {"CT": 0.0075, "MR": 0.02, "US": 0.05}


class TVRecon:
    """Runs in single precision; no weights, no randomness."""

    key = "tv_recon"
    name = "TV-Recon"
    version = "1"
    weights_hash = ""
    precision = "float32"
    sampler = ""
    network_calls = 0

    def __init__(self, settings: Mapping[str, Any], device: str) -> None:
        self.settings, self.device = settings, device

    def weight(self, modality: str) -> float:
        """The weight of the total variation for a modality."""
        return PAPER_WEIGHT if self.settings["rule"] == "paper" else VALIDATION_WEIGHTS[modality]

    def reconstruct(self, measurements: Sequence[Measurement], seeds: Sequence[int]) -> list[NDArray[np.float32]]:
        return [self._reconstruct(m) for m, _ in zip(measurements, seeds, strict=True)]

    @torch.inference_mode()
    def _reconstruct(self, measurement: Measurement) -> NDArray[np.float32]:
        modality = measurement.modality
        scale = intensity_map(modality, measurement.degraded)
        limits = (self.weight(modality), self.settings["iterations"], self.settings["gap"])
        if measurement.k_space is not None and measurement.mask is not None:
            k_space = torch.from_numpy(measurement.k_space).to(self.device) / scale.high
            mask = torch.from_numpy(measurement.mask).to(self.device)
            unit = tv_fourier(k_space, mask, *limits).image.abs()
        else:
            noisy = 0.5 * (scale.normalise(measurement.degraded) + 1.0)
            unit = tv_denoise(torch.from_numpy(noisy).to(self.device), *limits).image
        image = scale.denormalise((2.0 * unit - 1.0).cpu().numpy())
        return clip_physical(image, modality)
