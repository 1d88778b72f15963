"""Parity of the networks with the published ones, and their shapes on small tensors."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from inference.methods.diffusion_unet import DiffusionConfig, DiffusionUNet
from inference.methods.pix2pix import GeneratorConfig, PatchDiscriminator, UNetGenerator
from inference.methods.restormer import MDTA, Restormer, RestormerConfig


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_published_sizes() -> None:
    with torch.device("meta"):
        assert parameters(Restormer(RestormerConfig(3, 3, align=False))) == 26_111_668
        assert parameters(Restormer(RestormerConfig(3, 3))) != 26_111_668
        assert parameters(UNetGenerator(GeneratorConfig(3, 3, 64))) == 54_413_955
        assert parameters(PatchDiscriminator(2)) == 2_764_609


def test_generator_has_eight_levels_and_no_norm_at_both_ends() -> None:
    generator = UNetGenerator(GeneratorConfig(features=2))
    norms = [any(isinstance(m, nn.BatchNorm2d) for m in down) for down in generator.downs]  # type: ignore[attr-defined]
    assert norms == [False, True, True, True, True, True, True, False]
    assert generator.eval()(torch.randn(1, 4, 256, 512)).shape == (1, 1, 256, 512)


def test_patch_discriminator_sees_seventy_pixels() -> None:
    discriminator = PatchDiscriminator(2, features=4).eval()
    image = torch.zeros(1, 1, 142, 142, requires_grad=True)
    score = discriminator(image, torch.zeros(1, 1, 142, 142))
    score[0, 0, score.shape[2] // 2, score.shape[3] // 2].backward()
    assert image.grad is not None
    rows = image.grad[0, 0].abs().sum(dim=1).nonzero()
    assert int(rows.max() - rows.min()) + 1 == 70


@pytest.mark.parametrize("shape", [(8, 16), (24, 8)])
def test_restormer_keeps_the_shape(shape: tuple[int, int]) -> None:
    network = Restormer(RestormerConfig(dim=8, blocks=(1, 1, 1, 1), refinement=1))
    assert network(torch.randn(2, 4, *shape)).shape == (2, 1, *shape)


def test_restormer_attends_over_channels() -> None:
    """A permutation of the pixels passes through the attention's product unchanged."""
    attention = MDTA(8, 2)
    nn.init.dirac_(attention.qkv_dconv.weight, groups=24)  # no mixing of neighbours
    x = torch.randn(1, 8, 4, 6)
    order = torch.randperm(24)
    permuted = x.flatten(2)[:, :, order].reshape(x.shape)
    expected = attention(x).flatten(2)[:, :, order]
    assert torch.allclose(attention(permuted).flatten(2), expected, atol=1e-5)


def small_diffusion(**changes: object) -> DiffusionUNet:
    return DiffusionUNet(DiffusionConfig(features=8, blocks=1, **changes))  # type: ignore[arg-type]


def run(network: DiffusionUNet, x: torch.Tensor, t: int, condition: torch.Tensor, present: float) -> torch.Tensor:
    batch = len(x)
    modality = torch.eye(3)[:1].expand(batch, 3)
    return network(x, torch.full((batch,), t), condition, torch.full((batch,), present), modality)


def test_untrained_network_gives_the_gaussian_posterior() -> None:
    network = small_diffusion(spread=(0.2, 0.5))
    x, condition = torch.randn(1, 1, 16, 16), torch.randn(1, 1, 16, 16)
    t = 300
    bar = float(network.alpha_bar[t])
    epsilon = run(network, x, t, condition, 1.0)
    estimate = (x - (1 - bar) ** 0.5 * epsilon) / bar**0.5
    gain = bar**0.5 * 0.04 / (bar * 0.04 + 1 - bar)
    assert torch.allclose(estimate, condition + gain * (x - bar**0.5 * condition), atol=1e-4)


def test_without_the_skip_an_untrained_network_predicts_zero_noise() -> None:
    network = small_diffusion(linear_skip=False)
    x = torch.randn(2, 1, 32, 16)
    assert torch.equal(run(network, x, 10, x, 1.0), torch.zeros_like(x))


def test_no_condition_hides_the_condition() -> None:
    network = small_diffusion()
    for parameter in network.parameters():
        nn.init.normal_(parameter, 0.0, 0.1)
    x = torch.randn(1, 1, 16, 16)
    first, second = (run(network, x, 500, torch.randn(1, 1, 16, 16), 0.0) for _ in range(2))
    assert torch.equal(first, second)
    given, zeros = run(network, x, 500, torch.randn(1, 1, 16, 16), 1.0), run(network, x, 500, 0 * x, 1.0)
    assert not torch.allclose(given, first) and not torch.allclose(zeros, first)


def test_attention_stands_at_sixteen() -> None:
    network = small_diffusion()
    seen: list[tuple[int, int]] = []
    network.attention.register_forward_hook(lambda m, i, o: seen.append((o.shape[2], o.shape[3])))
    run(network, torch.randn(1, 1, 64, 32), 5, torch.randn(1, 1, 64, 32), 1.0)
    assert seen == [(4, 2)]
