"""Losses of the training protocol."""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from inference.data.preprocessing import RESIDUAL_RMS
from inference.methods.diffusion_unet import DiffusionUNet
from inference.metrics.features import Backbone


def adversarial(scores: Tensor, real: bool) -> Tensor:
    """Binary cross-entropy of patch scores against one verdict."""
    return F.binary_cross_entropy_with_logits(scores, torch.full_like(scores, 1.0 if real else 0.0))


def l1(made: Tensor, target: Tensor, modality: Tensor, balanced: bool) -> Tensor:
    """Mean absolute error; ``balanced`` weighs each modality (B, 3) by the inverse of its usual residual.

    Residuals of CT are a tenth of the others' in network units, so a plain mean hardly trains CT.
    """
    return _balanced((made - target).abs(), modality, 1 if balanced else 0)


def squared(made: Tensor, target: Tensor, modality: Tensor, balanced: bool) -> Tensor:
    """Mean squared error, ``balanced`` alike. Its minimiser is the conditional mean, which no image beats in PSNR."""
    return _balanced((made - target) ** 2, modality, 2 if balanced else 0)


def _balanced(error: Tensor, modality: Tensor, power: int) -> Tensor:
    rms = _usual_residuals(modality.device)
    result: Tensor = (error.mean(dim=(1, 2, 3)) * (modality @ (rms.mean() / rms) ** power)).mean()
    return result


@lru_cache(maxsize=4)
def _usual_residuals(device: torch.device) -> Tensor:
    return torch.tensor(RESIDUAL_RMS, device=device)


def perceptual_l1(backbone: Backbone, estimate: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Mean L1 distance of features, weighted per image (B,)."""
    distance = (backbone(estimate) - backbone(target)).abs().mean(dim=1)
    result: Tensor = (weight * distance).mean()
    return result


def drawn_timesteps(batch: int, steps: int, power: float, device: torch.device) -> Tensor:
    """(B,) timesteps, steps * u^power with u uniform.

    1 is the paper's uniform draw; 2 visits low noise more often, the only place where a residual as small as CT's
    can be told from the noise.
    """
    return (steps * torch.rand(batch, device=device) ** power).long().clamp(max=steps - 1)


def epsilon_loss(
    network: DiffusionUNet,
    reference: Tensor,
    condition: Tensor,
    modality: Tensor,
    *,
    dropout: float,
    unit_weight: bool,
    time_power: float = 1.0,
    backbone: Backbone | None = None,
    perceptual: float = 0.0,
) -> Tensor:
    """Mean squared error of the predicted noise at drawn timesteps, the condition dropped with ``dropout``.


    ``unit_weight`` divides by the squared coefficient of the network's output (linear skip only), which
    trains all noise levels alike. The perceptual term acts on the predicted x_0 and fades with the noise
    level.
    """
    batch = reference.shape[0]
    t = drawn_timesteps(batch, len(network.alpha_bar), time_power, reference.device)
    noise = torch.randn_like(reference)
    present = (torch.rand(batch, device=reference.device) >= dropout).float()
    bar = network.alpha_bar[t][:, None, None, None]
    x = bar.sqrt() * reference + (1.0 - bar).sqrt() * noise
    predicted = network(x, t, condition, present, modality)
    error = (predicted - noise) ** 2
    if unit_weight and network.config.linear_skip:
        _, signal, sigma = network.skip_coefficients(t, modality)
        error = error * (1.0 + (sigma / signal) ** 2)
    loss: Tensor = error.mean()
    if backbone is not None and perceptual > 0.0:
        estimate = ((x - (1.0 - bar).sqrt() * predicted) / bar.sqrt()).clamp(-1.0, 1.0)
        loss = loss + perceptual * perceptual_l1(backbone, estimate, reference, bar.flatten())
    return loss
