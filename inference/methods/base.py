"""What a method gets and what it must offer. A new method is one module and one line in the register."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from inference.methods.register import METHODS, unknown_method, validate_settings


@dataclass(frozen=True)
class Measurement:
    """One degraded slice with everything a method may use.

    ``degraded``: float32 (rows, cols) in physical units (CT HU, MR magnitude, US grey 0..255).
    ``pixel_spacing``: (row, column) mm. ``level``: CT dose share, MR acceleration, US SNR in dB. ``k_space``
    (rows, cols) and ``mask`` (cols,): MR only, unmeasured lines zero. ``parameters``: what the methods text
    needs. ``reference`` is set only for methods registered with ``needs_reference``.
    """

    degraded: NDArray[np.float32]
    modality: str
    pixel_spacing: tuple[float, float] | None
    level: float
    data_range: float
    seed: int
    k_space: NDArray[np.complex64] | None
    mask: NDArray[np.bool_] | None
    parameters: Mapping[str, object]
    reference: NDArray[np.float32] | None = None


class Method(Protocol):
    """A reconstruction method, loaded once and used for many slices."""

    key: str
    name: str
    version: str
    weights_hash: str
    precision: str
    sampler: str
    network_calls: int

    def reconstruct(self, measurements: Sequence[Measurement], seeds: Sequence[int]) -> list[NDArray[np.float32]]:
        """One float32 image in physical units per measurement; a result never depends on its batch mates."""
        ...


def load_method(key: str, settings: Mapping[str, object] | None = None, device: str = "cpu") -> Method:
    """The method of the register, its settings checked and its weights loaded on ``device``."""
    if key not in METHODS:
        raise unknown_method(key)
    module_name, _, class_name = METHODS[key].path.partition(":")
    factory = getattr(import_module(module_name), class_name)
    return cast(Method, factory(validate_settings(key, settings or {}), device))
