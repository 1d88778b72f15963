"""Parity of the networks with the published ones, and their shapes on small tensors."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from inference.methods.diffusion_unet import RESIDUAL_RMS, DiffusionConfig, DiffusionUNet
from inference.methods.image_to_image import network_input, with_detail
from inference.methods.pix2pix import GeneratorConfig, PatchDiscriminator, UNetGenerator
from inference.methods.restormer import MDTA, Restormer, RestormerConfig
from inference.training import losses
from inference.training.losses import drawn_timesteps, epsilon_loss, l1


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_published_sizes() -> None:
    with torch.device("meta"):
        assert parameters(Restormer(RestormerConfig(3, 3, align=False))) == 26_111_668
        assert parameters(Restormer(RestormerConfig(3, 3))) == 26_160_772  # widths rounded up to multiples of 8
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


def run(
    network: DiffusionUNet, x: torch.Tensor, t: int, condition: torch.Tensor, present: float, modality: int = 0
) -> torch.Tensor:
    batch = len(x)
    one_hot = torch.eye(3)[modality : modality + 1].expand(batch, 3)
    return network(x, torch.full((batch,), t), condition, torch.full((batch,), present), one_hot)


@pytest.mark.parametrize("modality", [0, 1, 2])
def test_untrained_network_gives_the_gaussian_posterior(modality: int) -> None:
    network = small_diffusion(spread=(0.05, 0.2, 0.3))
    x, condition = torch.randn(1, 1, 16, 16), torch.randn(1, 1, 16, 16)
    t = 300
    bar, variance = float(network.alpha_bar[t]), (0.05, 0.2, 0.3)[modality] ** 2
    epsilon = run(network, x, t, condition, 1.0, modality)
    estimate = (x - (1 - bar) ** 0.5 * epsilon) / bar**0.5
    gain = bar**0.5 * variance / (bar * variance + 1 - bar)
    assert torch.allclose(estimate, condition + gain * (x - bar**0.5 * condition), atol=1e-4)


@pytest.mark.parametrize("t", [0, 500, 999])
def test_loss_of_an_untrained_network_is_one_at_every_noise_level(t: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The output is in units of the posterior deviation, also where the smallest spread meets the most noise."""
    network = small_diffusion()
    monkeypatch.setattr(losses, "drawn_timesteps", lambda batch, *_: torch.full((batch,), t))
    torch.manual_seed(t)
    for index, spread in enumerate(network.config.spread):
        condition = 2 * torch.rand(8, 1, 32, 32) - 1
        reference = condition + spread * torch.randn_like(condition)
        modality = torch.eye(3)[index : index + 1].expand(8, 3)
        loss = epsilon_loss(network, reference, condition, modality, dropout=0.1, unit_weight=True)
        assert float(loss.detach()) == pytest.approx(1.0, abs=0.08)


def test_a_higher_power_draws_low_noise_more_often() -> None:
    torch.manual_seed(0)
    uniform, squared = (drawn_timesteps(20_000, 1000, power, torch.device("cpu")) for power in (1.0, 2.0))
    for drawn in (uniform, squared):
        assert int(drawn.min()) >= 0 and int(drawn.max()) < 1000
    assert float((uniform < 100).float().mean()) == pytest.approx(0.1, abs=0.01)
    assert float((squared < 100).float().mean()) == pytest.approx(0.1**0.5, abs=0.01)


@pytest.mark.parametrize("key", ["pix2pix", "restormer"])
def test_a_spread_scales_the_added_residual_by_modality(key: str) -> None:
    """Ten times the spread of one modality: ten times its residual, the others as before."""
    torch.manual_seed(0)
    made = []
    for spread in ((0.1, 0.2, 0.3), (1.0, 0.2, 0.3)):
        network = (
            UNetGenerator(GeneratorConfig(features=2, dropout=0.0, spread=spread))
            if key == "pix2pix"
            else Restormer(RestormerConfig(dim=8, blocks=(1, 1, 1, 1), refinement=1, spread=spread))
        ).eval()
        generator = torch.Generator().manual_seed(1)
        for parameter in network.parameters():
            parameter.data = 0.1 * torch.randn(parameter.shape, generator=generator)
        image = torch.rand(2, 1, 256, 256, generator=generator)
        planes = torch.eye(3)[:2, :, None, None].expand(2, 3, 256, 256)
        with torch.inference_mode():
            made.append(network(torch.cat([image, planes], dim=1)) - image)
    assert torch.allclose(made[1][0], 10 * made[0][0], rtol=1e-3, atol=1e-5)
    assert torch.allclose(made[1][1], made[0][1], atol=1e-6) and made[0][1].abs().max() > 0


def test_without_the_skip_an_untrained_network_predicts_zero_noise() -> None:
    network = small_diffusion(linear_skip=False)
    x = torch.randn(2, 1, 32, 16)
    assert torch.equal(run(network, x, 10, x, 1.0), torch.zeros_like(x))


@pytest.mark.parametrize("linear_skip", [True, False])
def test_no_condition_hides_the_condition(linear_skip: bool) -> None:
    """With the skip, only the residual is seen: moving image and measurement together changes nothing."""
    network = small_diffusion(linear_skip=linear_skip, spread=(0.5, 0.5, 0.5))
    torch.manual_seed(0)
    for parameter in network.parameters():
        nn.init.normal_(parameter, 0.0, 0.3)
    x, shift = torch.randn(1, 1, 16, 16), torch.randn(1, 1, 16, 16)
    moved = x + network.alpha_bar[500].sqrt() * shift if linear_skip else x
    zeros = torch.zeros_like(x)
    assert torch.allclose(run(network, x, 500, zeros, 0.0), run(network, moved, 500, shift, 0.0), atol=1e-4)
    assert not torch.allclose(run(network, x, 500, zeros, 1.0), run(network, moved, 500, shift, 1.0), atol=1e-3)
    assert not torch.allclose(run(network, x, 500, zeros, 1.0), run(network, x, 500, zeros, 0.0), atol=1e-3)


def test_attention_stands_at_sixteen() -> None:
    network = small_diffusion()
    seen: list[tuple[int, int]] = []
    network.attention.register_forward_hook(lambda m, i, o: seen.append((o.shape[2], o.shape[3])))
    run(network, torch.randn(1, 1, 64, 32), 5, torch.randn(1, 1, 64, 32), 1.0)
    assert seen == [(4, 2)]


def test_balanced_l1_weighs_a_usual_residual_of_every_modality_alike() -> None:
    target = torch.zeros(3, 1, 4, 4)
    made = torch.tensor(RESIDUAL_RMS)[:, None, None, None].expand_as(target)
    alone = [float(l1(made[i : i + 1], target[i : i + 1], torch.eye(3)[i : i + 1], True)) for i in range(3)]
    assert alone == pytest.approx([sum(RESIDUAL_RMS) / 3] * 3)
    assert float(l1(made, target, torch.eye(3), False)) == pytest.approx(sum(RESIDUAL_RMS) / 3)
    assert float(l1(2 * made, target, torch.eye(3), True)) == pytest.approx(2 * sum(RESIDUAL_RMS) / 3)


def test_detail_is_what_a_mean_leaves_in_units_of_the_usual_residual() -> None:
    image = torch.zeros(1, 1, 8, 8)
    image[0, 0, 4, 4] = 0.09
    x = network_input(image, torch.tensor([[0.0, 1.0, 0.0]]))
    seen = with_detail(x, torch.tensor([0.1, 0.5, 0.2]))
    assert seen.shape == (1, 5, 8, 8) and torch.equal(seen[:, :4], x)
    assert seen[0, 4, 4, 4].item() == pytest.approx(0.08 / 0.5, rel=1e-5)
    assert seen[0, 4, 3, 3].item() == pytest.approx(-0.01 / 0.5, rel=1e-5)
    assert float(seen[0, 4, 0].abs().max()) == 0.0, "a flat region has none, up to the border"
