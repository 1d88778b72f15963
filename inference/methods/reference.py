"""The reference itself, as a hidden reference among the arms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from inference.data.preprocessing import clip_physical
from inference.methods.base import Measurement


class Reference:
    """Returns the reference that the measurement was made from."""

    key = "reference"
    name = "Reference"
    version = "1"
    weights_hash = ""
    precision = "float32"
    sampler = ""
    network_calls = 0

    def __init__(self, settings: Mapping[str, object], device: str) -> None:
        del settings, device

    def reconstruct(self, measurements: Sequence[Measurement], seeds: Sequence[int]) -> list[NDArray[np.float32]]:
        images = []
        for measurement, _ in zip(measurements, seeds, strict=True):
            if measurement.reference is None:
                raise ValueError("The measurement carries no reference: set Measurement.reference for this method.")
            images.append(clip_physical(measurement.reference, measurement.modality))
        return images
