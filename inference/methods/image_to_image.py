"""What the one-pass networks (Pix2Pix, Restormer) share: from measurement to network input and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from inference.data.preprocessing import clip_physical
from inference.methods.acceleration import Accelerated, precision_on, prepared
from inference.methods.base import Measurement
from inference.methods.batching import (
    NetworkSlice,
    batch_size_for,
    in_batches,
    network_slice,
    normalised,
    physical,
    stacked,
)
from inference.methods.checkpoints import load_into, read_weights
from inference.methods.data_consistency import data_consistency_of
from inference.methods.register import file_sha256, weights_path


def network_input(image: Tensor, modality: Tensor) -> Tensor:
    """(B, 1, rows, cols) images and (B, 3) one-hot modalities to (B, 4, rows, cols)."""
    planes = modality[:, :, None, None].expand(-1, -1, image.shape[2], image.shape[3])
    return torch.cat([image, planes], dim=1)


def _usual_residual(x: Tensor, spread: Tensor) -> Tensor:
    """``spread`` (3,) of the modality in the planes of ``x`` (B, 4, rows, cols), as a plane."""
    return (x[:, 1:4] * spread[None, :, None, None]).sum(dim=1, keepdim=True)


def added_residual(x: Tensor, output: Tensor, spread: Tensor) -> Tensor:
    """The input image plus ``output`` in units of the usual residual of its modality: an output of the same size then
    means the same effort in every modality."""
    return x[:, :1] + _usual_residual(x, spread) * output


def with_detail(x: Tensor, spread: Tensor) -> Tensor:
    """``x`` and what a mean over 3 x 3 pixels leaves of its image, in units of the usual residual: (B, 5, rows, cols).

    CT's noise is a fiftieth of the range that the image spans, and a network would have to learn large weights first.
    """
    mean = F.avg_pool2d(F.pad(x[:, :1], (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    return torch.cat([x, (x[:, :1] - mean) / _usual_residual(x, spread)], dim=1)


class ImageToImage:
    """A network that maps the degraded image to its reconstruction in one pass."""

    key: str
    name: str
    version = "1"
    precision: str
    sampler = ""
    network_calls = 1
    network: nn.Module
    weights_hash: str
    multiple: int  # rows and columns must be multiples of this
    batch_size: int

    def __init__(self, settings: Mapping[str, object], device: str, weights: Path | None = None) -> None:
        """``weights``: another file than the register's, as in the evaluation of a training."""
        path = weights or weights_path(self.key)
        if path is None:
            raise ValueError(f"{self.name} has no weights in the register: give its entry a weights file.")
        config, state = read_weights(path)
        self.network = self.build(config)
        load_into(self.network, state, device)
        prepared(self.network, device)
        self._configure(settings, device, precision_on(device))
        self.weights_hash = file_sha256(path)

    @classmethod
    def of_network(cls, network: nn.Module, settings: Mapping[str, object], device: str) -> ImageToImage:
        """The method around a network in memory, as it is (validation during training)."""
        method = cls.__new__(cls)
        method.network, method.weights_hash = network, ""
        method._configure(settings, device, "float32", in_training=True)
        return method

    def _configure(
        self, settings: Mapping[str, object], device: str, precision: str, in_training: bool = False
    ) -> None:
        self.device, self.batch_size, self.precision = device, batch_size_for(device), precision
        self._pass = Accelerated(self._made, device, as_written=in_training)
        self.data_consistency = bool(settings["data_consistency"])

    def build(self, config: Mapping[str, object]) -> nn.Module:
        """The network of a checkpoint's configuration."""
        raise NotImplementedError

    def reconstruct(self, measurements: Sequence[Measurement], seeds: Sequence[int]) -> list[NDArray[np.float32]]:
        slices = [network_slice(m, self.multiple) for m, _ in zip(measurements, seeds, strict=True)]
        return in_batches(self, slices, lambda one: one.padded.shape, self._reconstruct)

    @torch.inference_mode()
    def _reconstruct(self, slices: Sequence[NetworkSlice]) -> list[NDArray[np.float32]]:
        stack = stacked(slices, self.device)
        outputs = self._pass(stack.images, stack.scales, stack.modalities)[0].cpu().numpy()
        return [self._consistent(one.measurement, out[one.inside]) for one, out in zip(slices, outputs, strict=True)]

    def _made(self, images: Tensor, scales: Tensor, modalities: Tensor) -> tuple[Tensor]:
        """Reconstructions (B, rows, cols) in physical units of a :class:`Stack`'s tensors."""
        outputs = self.network(network_input(normalised(images, scales), modalities))
        return (physical(outputs, scales, modalities)[:, 0],)

    def _consistent(self, measurement: Measurement, restored: NDArray[np.float32]) -> NDArray[np.float32]:
        consistency = data_consistency_of(measurement, self.device) if self.data_consistency else None
        if consistency is None:
            return np.ascontiguousarray(restored)
        mixed = consistency(torch.from_numpy(restored).to(self.device)).cpu().numpy()
        return clip_physical(mixed, measurement.modality)
