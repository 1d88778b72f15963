"""On a GPU: recorded networks give what the same networks give launch by launch, and about what a CPU gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from inference.methods.acceleration import Accelerated, forced
from inference.methods.base import Measurement, load_method
from inference.methods.checkpoints import save_weights
from inference.methods.diffusion_unet import DiffusionConfig, DiffusionUNet
from inference.methods.pix2pix import GeneratorConfig, UNetGenerator
from inference.methods.restormer import Restormer, RestormerConfig
from inference.metrics.fidelity import psnr
from inference.physics.degrade import degrade

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")

SPREAD = (0.02, 0.2, 0.2)
NETWORKS: dict[str, tuple[torch.nn.Module, dict[str, object]]] = {
    "pix2pix": (
        UNetGenerator(GeneratorConfig(features=4, norm="instance", spread=SPREAD, detail=True)),
        {"features": 4, "norm": "instance", "spread": SPREAD, "detail": True},
    ),
    "restormer": (
        Restormer(RestormerConfig(dim=16, blocks=(1, 1, 1, 1), refinement=1, spread=SPREAD, detail=True)),
        {"dim": 16, "blocks": [1, 1, 1, 1], "refinement": 1, "spread": SPREAD, "detail": True},
    ),
    "diffusion_unet": (DiffusionUNet(DiffusionConfig(features=16, blocks=1)), {"features": 16, "blocks": 1}),
}
SETTINGS: dict[str, dict[str, object]] = {"diffusion_unet": {"steps": 4, "guidance": 2.0, "samples": 2}}
KEYS = [*NETWORKS, "tv_recon"]


def cases() -> list[Measurement]:
    """Slices of two shapes and all modalities."""
    y, x = np.mgrid[-1:1:96j, -1:1:80j]
    disc = (x**2 + y**2 < 0.5).astype(np.float32)
    ct = degrade(1000.0 * disc - 1000.0, "CT", 0.25, seed=1, data_range=2924.0)
    mr = degrade(disc[:64] + 0.2, "MR", 4.0, seed=2, data_range=1.2)
    us = degrade(150.0 * disc + 30.0, "US", -6.0, seed=3, data_range=255.0)
    return [ct, mr, us, ct]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path | None]:
    folder, generator = tmp_path_factory.mktemp("weights"), torch.Generator().manual_seed(1)
    paths: dict[str, Path | None] = {"tv_recon": None}
    for key, (network, config) in NETWORKS.items():
        for parameter in network.parameters():
            parameter.data += 0.05 * torch.randn(parameter.shape, generator=generator)
        paths[key] = folder / f"{key}.safetensors"
        save_weights(folder / f"{key}.safetensors", network.state_dict(), config)
    return paths


def made(key: str, path: Path | None, device: str, mode: str) -> list[np.ndarray]:
    with forced(mode):
        return list(load_method(key, SETTINGS.get(key, {}), device, path).reconstruct(cases(), [1, 2, 3, 1]))


@pytest.mark.parametrize("key", KEYS)
def test_a_recording_gives_what_its_launches_give(key: str, weights: dict[str, Path | None]) -> None:
    recorded, launched = (made(key, weights[key], "cuda", mode) for mode in ("graph", "eager"))
    for case, one, other in zip(cases(), recorded, launched, strict=True):
        assert np.abs(one - other).max() <= 2e-3 * case.data_range, case.modality


@pytest.mark.parametrize("key", KEYS)
def test_a_gpu_gives_about_what_a_cpu_gives(key: str, weights: dict[str, Path | None]) -> None:
    there, here = (made(key, weights[key], device, "graph") for device in ("cuda", "cpu"))
    for case, one, other in zip(cases(), there, here, strict=True):
        assert one.shape == case.degraded.shape and psnr(other, one, case.data_range) > 35.0, case.modality


@pytest.mark.parametrize("key", KEYS)
def test_what_was_returned_is_never_written_over(key: str, weights: dict[str, Path | None]) -> None:
    method = load_method(key, SETTINGS.get(key, {}), "cuda", weights[key])
    first = [method.reconstruct([case], [7])[0] for case in cases()]
    kept = [image.copy() for image in first]
    again = [method.reconstruct([case], [7])[0] for case in cases()]
    assert all(np.array_equal(a, b) for a, b in zip(first, kept, strict=True))
    for case, one, other in zip(cases(), again, kept, strict=True):
        assert np.abs(one - other).max() <= 1e-3 * case.data_range


def test_old_recordings_are_dropped() -> None:
    double = Accelerated(lambda x: (2.0 * x,), "cuda")
    for size in range(1, 12):
        x = torch.full((size,), float(size), device="cuda")
        assert double(x)[0].tolist() == [2.0 * size] * size
    assert len(double._recordings) == 6
