"""FID-Med's feature network: Inception-V3 trained on training patients, and its PCA."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from inference.data.preprocessing import CT_HIGH, CT_LOW
from inference.methods.checkpoints import load_into, read_weights
from inference.methods.register import WEIGHTS
from inference.metrics.inception import InceptionV3

BACKBONE_FILE = "fid_med.safetensors"
INPUT_SIZE = 160


@dataclass(frozen=True)
class BackboneConfig:
    """``labels``: number of modality-and-anatomy classes; ``dimensions``: of the shipped PCA."""

    multiplier: float = 0.25
    labels: int = 8
    dimensions: int = 32


class Backbone(nn.Module):
    """Features, a head for modality and anatomy, a head for reference against degraded, and a PCA."""

    pca_mean: Tensor
    pca_components: Tensor

    def __init__(self, config: BackboneConfig) -> None:
        super().__init__()
        self.config = config
        self.trunk = InceptionV3(1, config.multiplier)
        self.labels = nn.Linear(self.trunk.width, config.labels)
        self.quality = nn.Linear(self.trunk.width, 2)
        self.register_buffer("pca_mean", torch.zeros(self.trunk.width))
        self.register_buffer("pca_components", torch.zeros(config.dimensions, self.trunk.width))

    def forward(self, x: Tensor) -> Tensor:
        return self.trunk(x)  # type: ignore[no-any-return]


def network_image(image: NDArray[np.float32], modality: str, data_range: float) -> Tensor:
    """(1, size, size) in [-1, 1]: fixed range per modality, mirrored to a square, antialiased resize."""
    low, high = {"CT": (CT_LOW, CT_HIGH), "US": (0.0, 255.0)}.get(modality, (0.0, data_range))
    scaled = 2.0 * np.clip((image - low) / (high - low), 0.0, 1.0) - 1.0
    return resized(torch.from_numpy(squared(scaled.astype(np.float32)))[None, None])[0]


def squared(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """The image mirrored at its shorter sides to a square, so that resizing keeps its proportions."""
    side = max(image.shape)
    widths = [((side - n) // 2, side - n - (side - n) // 2) for n in image.shape]
    return np.pad(image, widths, mode="symmetric")


def resized(images: Tensor) -> Tensor:
    """(B, 1, rows, cols) to the network's input size, antialiased."""
    return F.interpolate(images, size=(INPUT_SIZE, INPUT_SIZE), mode="bilinear", antialias=True)


@lru_cache(maxsize=2)
def load_backbone(device: str = "cpu") -> Backbone:
    """The shipped backbone, loaded once per process."""
    config, state = read_weights(WEIGHTS / BACKBONE_FILE)
    values: dict[str, Any] = config
    backbone = Backbone(BackboneConfig(**values))
    load_into(backbone, state, device)
    return backbone


@torch.inference_mode()
def features(
    images: Sequence[NDArray[np.float32]],
    modality: str,
    data_range: float,
    backbone: Backbone | None = None,
) -> NDArray[np.float32]:
    """(n, width) features of images (rows, cols) in physical units."""
    network = backbone or load_backbone()
    device = next(network.parameters()).device
    rows = [network(network_image(i, modality, data_range)[None].to(device))[0].cpu().numpy() for i in images]
    width = network.trunk.width
    return np.stack(rows).astype(np.float32) if rows else np.zeros((0, width), np.float32)


def project(values: NDArray[np.float32], backbone: Backbone | None = None) -> NDArray[np.float32]:
    """(n, width) features to the (n, 32) coordinates of the shipped PCA."""
    network = backbone or load_backbone()
    mean, components = network.pca_mean.cpu().numpy(), network.pca_components.cpu().numpy()
    return np.asarray((values - mean) @ components.T, np.float32)


def principal_components(
    values: NDArray[np.float32], dimensions: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and components (dimensions, width), scaled so that the whole projection has total variance 1."""
    mean = values.mean(axis=0, dtype=np.float64)
    _, singular, components = np.linalg.svd(values - mean, full_matrices=False)
    kept = components[:dimensions]
    scale = math.sqrt(float((singular[:dimensions] ** 2).sum()) / max(1, len(values) - 1))
    return mean.astype(np.float32), (kept / max(scale, 1e-12)).astype(np.float32)


def feature_distance(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Per-slice Euclidean distance between projected features of a reconstruction and its reference."""
    return np.asarray(np.linalg.norm(project(a) - project(b), axis=1), np.float32)
