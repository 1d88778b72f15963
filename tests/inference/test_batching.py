"""Batches: grouped by shape, halved where memory runs out, and each slice's result its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch

from inference.methods.base import BatchedMethod, UncertainMethod, load_method
from inference.methods.batching import batch_size_for, in_batches, is_device_lost, is_out_of_memory
from inference.methods.diffusion_unet import DiffusionConfig, DiffusionUNet, DiffusionUNetMethod
from inference.methods.image_to_image import ImageToImage
from inference.methods.pix2pix import GeneratorConfig, Pix2Pix, UNetGenerator
from inference.methods.register import validate_settings
from inference.methods.restormer import Restormer, RestormerConfig, RestormerMethod
from tests.inference.test_methods import measurement

# Two slices that share a padded shape but no shape, two alike, one apart; in 1e-4 of each modality's network units.
CASES = [
    measurement("CT", (16, 15)), measurement("US", (14, 16)), measurement("MR", (16, 16), 1),
    measurement("MR", (16, 16), 2), measurement("US", (20, 16)),
]  # fmt: skip
SEEDS = [1, 2, 3, 4, 5]
CLOSE = {"CT": 1e-4 * 1462, "MR": 1e-4 * 100, "US": 1e-4 * 127.5}


@dataclass
class Little:
    """A device with room for ``room`` items at once."""

    room: int
    batch_size: int = 8
    passes: list[int] = field(default_factory=list)

    def work(self, items: Sequence[str]) -> list[str]:
        self.passes.append(len(items))
        if len(items) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return [item.upper() for item in items]

    def run(self, items: Sequence[str]) -> list[str]:
        return in_batches(self, items, len, self.work)


def test_items_of_one_shape_pass_together_and_keep_their_order() -> None:
    device = Little(room=8, batch_size=3)
    assert device.run(["a", "bb", "c", "d", "ee", "f"]) == ["A", "BB", "C", "D", "EE", "F"]
    assert device.passes == [3, 1, 2]
    assert device.run([]) == []


def test_out_of_memory_halves_the_batch_for_good() -> None:
    device = Little(room=2)
    assert device.run(list("abcdefghi")) == list("ABCDEFGHI")
    assert device.passes == [8, 4, 2, 2, 2, 2, 1]
    device.passes.clear()
    device.run(list("abc"))
    assert (device.passes, device.batch_size) == ([2, 1], 2)


def test_a_single_item_that_does_not_fit_is_an_error() -> None:
    device = Little(room=0, batch_size=4)
    with pytest.raises(torch.OutOfMemoryError):
        device.run(list("ab"))
    assert device.passes == [2, 1]


def test_another_error_is_raised_at_once() -> None:
    device = Little(room=8)

    def fails(items: Sequence[str]) -> list[str]:
        device.passes.append(len(items))
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        in_batches(device, list("ab"), len, fails)
    assert (device.passes, device.batch_size) == ([2], 8)


def test_what_counts_as_out_of_memory() -> None:
    with pytest.raises(RuntimeError) as refused:
        torch.empty(2**50)
    assert is_out_of_memory(refused.value), "what the machine itself says"
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory."))
    assert is_out_of_memory(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"))
    with pytest.raises(MemoryError) as numpy_refused:
        np.empty(2**60, np.uint8)
    assert is_out_of_memory(numpy_refused.value)
    assert not is_out_of_memory(RuntimeError("shape mismatch")) and not is_out_of_memory(ValueError("DefaultCPU"))
    assert is_device_lost(torch.AcceleratorError("CUDA error: an illegal memory access was encountered"))
    assert not is_device_lost(torch.OutOfMemoryError("CUDA out of memory.")) and not is_device_lost(ValueError())


def test_a_cpu_takes_one_slice_at_a_time() -> None:
    assert (batch_size_for("cpu"), batch_size_for("cuda")) == (1, 8)
    for key in ("pix2pix", "restormer", "diffusion_unet"):
        method = load_method(key)
        assert isinstance(method, BatchedMethod) and method.batch_size == 1
        assert isinstance(method, UncertainMethod) == (key == "diffusion_unet")


def shaken(network: torch.nn.Module) -> Any:
    """A network without any weight at zero, the same each time, so that every part of it has its say."""
    generator = torch.Generator().manual_seed(3)
    for parameter in network.parameters():
        scale = 0.1 if parameter.ndim > 1 else 0.5
        parameter.data = scale * torch.randn(parameter.shape, generator=generator)
    return network.eval().requires_grad_(False)


def one_pass(key: str) -> ImageToImage:
    if key == "pix2pix":
        generator = shaken(UNetGenerator(GeneratorConfig(features=2)))
        return Pix2Pix.of_network(generator, {"data_consistency": True}, "cpu")
    restormer = shaken(Restormer(RestormerConfig(dim=8, blocks=(1, 1, 1, 1), refinement=1)))
    return RestormerMethod.of_network(restormer, {"data_consistency": True}, "cpu")


def diffusion(**settings: object) -> DiffusionUNetMethod:
    network = shaken(DiffusionUNet(DiffusionConfig(features=8, blocks=1)))
    return DiffusionUNetMethod.of_network(network, validate_settings("diffusion_unet", settings), "cpu")


def watched(method: Any) -> list[int]:
    """The sizes of the passes through the method's network from now on."""
    passes: list[int] = []
    method.network.register_forward_pre_hook(lambda module, inputs: passes.append(len(inputs[0])))
    return passes


def close(made: Any, wanted: Any) -> None:
    for case, one, other in zip(CASES, made, wanted, strict=True):
        assert np.abs(one - other).max() <= CLOSE[case.modality], case.modality


@pytest.mark.parametrize("key", ["pix2pix", "restormer"])
def test_a_batch_gives_the_single_results(key: str) -> None:
    method = one_pass(key)
    alone = method.reconstruct(CASES, SEEDS)
    method.batch_size, passes = 8, watched(method)
    close(method.reconstruct(CASES, SEEDS), alone)
    assert passes == ([5] if key == "pix2pix" else [4, 1])


@pytest.mark.parametrize(
    "given",
    [
        {"steps": 3},
        {"steps": 3, "sampler": "ddpm", "guidance": 2.0},
        {"steps": 2, "sampler": "ddim", "start": 500, "guidance": 2.0, "guidance_low": 400},
        {"steps": 2, "samples": 3},
    ],
)
def test_a_batch_of_the_diffusion_gives_the_single_results(given: dict[str, object]) -> None:
    """Each with its own noise, guidance and data consistency, whoever else is in the batch."""
    method = diffusion(**given)
    alone = method.reconstruct(CASES, SEEDS)
    method.batch_size, passes = 4, watched(method)
    close(method.reconstruct(CASES, SEEDS), alone)
    assert max(passes) == 4 * (2 if "guidance" in given else 1)
    again = method.reconstruct(CASES[::-1], SEEDS[::-1])[::-1]
    close(again, alone)


def test_the_deviation_is_that_of_the_draws() -> None:
    method = diffusion(steps=2, samples=3)
    method.batch_size = 4
    both = method.reconstruct_with_deviation(CASES[:2], SEEDS[:2])
    single = diffusion(steps=2)
    for case, seed, (mean, deviation) in zip(CASES, SEEDS, both, strict=False):
        draws = np.stack([single.reconstruct([case], [seed + 7919 * number])[0] for number in range(3)])
        assert mean.shape == deviation.shape == case.degraded.shape and deviation.max() > 0
        assert np.allclose(mean, draws.mean(axis=0), atol=CLOSE[case.modality])
        assert np.allclose(deviation, draws.std(axis=0, ddof=1), atol=CLOSE[case.modality])
    with pytest.raises(ValueError, match="set samples to 2 or more"):
        single.reconstruct_with_deviation(CASES[:1], SEEDS[:1])


def test_a_network_that_does_not_fit_is_tried_with_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    method = diffusion(steps=2, samples=3)
    alone = method.reconstruct(CASES, SEEDS)
    original = method.network.forward

    def forward(x: torch.Tensor, *others: torch.Tensor) -> torch.Tensor:
        if len(x) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return original(x, *others)

    monkeypatch.setattr(method.network, "forward", forward)
    method.batch_size = 8
    close(method.reconstruct(CASES, SEEDS), alone)
    assert method.batch_size == 2
