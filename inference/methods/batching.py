"""Batches for the networks: slices of one padded shape pass together, fewer at once where memory runs out.

A result never depends on what its mates show: noise, padding, intensities and data consistency are each slice's own.
On a CPU a pass has one slice unless somebody asks for more, and a result is the same to the bit in any company. In a
larger pass the order of sums may be another, so that the last digits of a result may depend on the number of its mates
(by less than 1e-4 in network units, tested on a CPU).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inference.data.preprocessing import (
    MODALITIES,
    PHYSICAL_LIMITS,
    IntensityMap,
    intensity_map,
    one_hot,
    pad_to_multiple,
)
from inference.methods.base import Measurement

ON_A_GPU = 8
_OUT_OF_MEMORY = ("DefaultCPUAllocator: ", "CUDNN_STATUS_ALLOC_FAILED", "CUBLAS_STATUS_ALLOC_FAILED")

Item = TypeVar("Item")
Result = TypeVar("Result")


class Owner(Protocol):
    """Whoever runs batches and keeps their size."""

    batch_size: int


@dataclass(frozen=True)
class NetworkSlice:
    """A measurement as a network takes it: ``padded`` (rows, cols) in physical units, ``inside`` it the slice."""

    measurement: Measurement
    scale: IntensityMap
    padded: NDArray[np.float32]
    inside: tuple[slice, slice]


@dataclass(frozen=True)
class Stack:
    """Slices of one padded shape on a device.

    ``images`` (B, 1, rows, cols) in physical units, ``scales`` (B, 2) what -1 and 1 of the network stand for,
    ``modalities`` (B, 3) one-hot.
    """

    images: Tensor
    scales: Tensor
    modalities: Tensor


def network_slice(measurement: Measurement, multiple: int) -> NetworkSlice:
    """The degraded image mirrored to rows and columns that are multiples of ``multiple``."""
    scale = intensity_map(measurement.modality, measurement.degraded)
    padded, inside = pad_to_multiple(measurement.degraded, multiple)
    return NetworkSlice(measurement, scale, padded, inside)


def stacked(slices: Sequence[NetworkSlice], device: str) -> Stack:
    images = slices[0].padded[None] if len(slices) == 1 else np.stack([one.padded for one in slices])
    scales = np.array([(one.scale.low, one.scale.high) for one in slices], np.float32)
    modalities = np.stack([one_hot(one.measurement.modality) for one in slices])
    arrays = (np.ascontiguousarray(images[:, None], np.float32), scales, modalities)
    return Stack(*(torch.from_numpy(array).to(device) for array in arrays))


def normalised(images: Tensor, scales: Tensor) -> Tensor:
    """From physical to network units, as ``IntensityMap.normalise`` does."""
    low, high = scales[:, :, None, None, None].unbind(1)
    return 2.0 * (images - low) / (high - low) - 1.0


def physical(outputs: Tensor, scales: Tensor, modalities: Tensor) -> Tensor:
    """From network to physical units, clipped to what a slice's modality can hold."""
    low, high = scales[:, :, None, None, None].unbind(1)
    ends = (
        torch.stack([modalities[:, i] * PHYSICAL_LIMITS[name][end] for i, name in enumerate(MODALITIES)]).sum(dim=0)
        for end in (0, 1)
    )
    lowest, highest = (end[:, None, None, None] for end in ends)
    return torch.clamp(low + 0.5 * (outputs + 1.0) * (high - low), lowest, highest)


def batch_size_for(device: str) -> int:
    """Slices in a pass to begin with: one on a CPU, where more are no faster."""
    return 1 if device == "cpu" else ON_A_GPU


def in_batches(
    owner: Owner,
    items: Sequence[Item],
    shape: Callable[[Item], Hashable],
    work: Callable[[Sequence[Item]], Sequence[Result]],
) -> list[Result]:
    """``work`` on items of one shape, at most ``owner.batch_size`` at once; their results in the order of the items.

    Where memory runs out the owner's size is halved, for good, and the pass is tried again; the error of a single item,
    like any other error, is raised.
    """
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for place, item in enumerate(items):
        groups[shape(item)].append(place)
    found: dict[int, Result] = {}
    for places in groups.values():
        start = 0
        while start < len(places):
            part = places[start : start + owner.batch_size]
            results = _tried(owner, [items[place] for place in part], work)
            if results is not None:
                found.update(zip(part, results, strict=True))
                start += len(part)
    return [found[place] for place in range(len(items))]


def _tried(
    owner: Owner, part: list[Item], work: Callable[[Sequence[Item]], Sequence[Result]]
) -> Sequence[Result] | None:
    """None where memory ran out and fewer items are to be tried."""
    try:
        return work(part)
    except Exception as error:
        if len(part) == 1 or not is_out_of_memory(error):
            raise
    # Not inside the clause: there the error's traceback still holds the tensors of the failed pass.
    owner.batch_size = len(part) // 2
    free_memory()
    return None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device or the machine had too little memory, so that a smaller batch may pass."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(mark in str(error) for mark in _OUT_OF_MEMORY)


def is_device_lost(error: BaseException) -> bool:
    """Whether the GPU's context is gone, so that this process can compute nothing on it any more."""
    return isinstance(error, torch.AcceleratorError) and not is_out_of_memory(error)


def free_memory() -> None:
    """Give cached memory back to the GPU, if there is one."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
