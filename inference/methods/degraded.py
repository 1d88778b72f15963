"""The degraded input itself, as a low anchor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from inference.data.preprocessing import clip_physical
from inference.methods.base import Measurement


class Degraded:
    """Returns the measured image unchanged."""

    key = "degraded"
    name = "Degraded input"
    version = "1"
    weights_hash = ""
    precision = "float32"
    sampler = ""
    network_calls = 0

    def __init__(self, settings: Mapping[str, object], device: str) -> None:
        del settings, device

    def reconstruct(self, measurements: Sequence[Measurement], seeds: Sequence[int]) -> list[NDArray[np.float32]]:
        return [clip_physical(m.degraded, m.modality) for m, _ in zip(measurements, seeds, strict=True)]
