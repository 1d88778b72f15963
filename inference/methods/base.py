"""What a method gets and what it must offer. A new method is one module and one line in the register."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from inference.methods.register import METHODS, unknown_method, validate_settings

if TYPE_CHECKING:
    from inference.physics.ct import Geometry


@dataclass(frozen=True)
class Projections:
    """Noisy line integrals, float32 (views, detectors), dimensionless, as sampled by ``geometry``; ``spacing`` is
    the (row, column) mm of the image they were taken of.
    """

    line_integrals: NDArray[np.float32]
    geometry: Geometry
    spacing: tuple[float, float]


@dataclass(frozen=True)
class Measurement:
    """One degraded slice with everything a method may use.

    ``degraded``: float32 (rows, cols) in physical units (CT HU, MR magnitude, US grey 0..255).
    ``pixel_spacing``: (row, column) mm. ``level``: CT dose share, MR acceleration, US SNR in dB. ``k_space``
    (rows, cols) and ``mask`` (cols,): MR only, unmeasured lines zero. ``parameters``: what the methods text
    needs. ``reference`` is set only for methods registered with ``needs_reference``, ``projections`` (CT, about
    4 MiB at 512 x 512) only where asked for.
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
    projections: Projections | None = None


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
        """One float32 image in physical units per measurement.

        A result never depends on what its batch mates show; on a GPU its last digits may depend on how many they are.
        """
        ...


@runtime_checkable
class BatchedMethod(Method, Protocol):
    """A method that takes several slices in one pass: at most ``batch_size``, which it halves where memory runs out."""

    batch_size: int


@runtime_checkable
class UncertainMethod(Method, Protocol):
    """A method that draws ``samples`` times per slice, as its setting of that name says, and knows their spread."""

    samples: int

    def reconstruct_with_deviation(
        self, measurements: Sequence[Measurement], seeds: Sequence[int]
    ) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """What ``reconstruct`` returns, and its standard deviation (n - 1) over the draws, in physical units.

        Raises ``ValueError`` for fewer than two samples.
        """
        ...


def load_method(
    key: str, settings: Mapping[str, object] | None = None, device: str = "cpu", weights: Path | None = None
) -> Method:
    """The method of the register, its settings checked and its weights (or another file's) loaded on ``device``."""
    if key not in METHODS:
        raise unknown_method(key)
    module_name, _, class_name = METHODS[key].path.partition(":")
    factory = getattr(import_module(module_name), class_name)
    checked = validate_settings(key, settings or {})
    return cast(Method, factory(checked, device) if weights is None else factory(checked, device, weights))
