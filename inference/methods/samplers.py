"""DDPM, DDIM and DPM-Solver++ 2M written over one table and one function: x_t and t give an estimate of x_0.

Sources: Ho et al. 2020 (DDPM, respaced posterior from alpha_bar), Song et al. 2021 (DDIM, eta 0), Lu et al.
2022 (DPM-Solver++ 2M, data prediction, last step of first order to the clean image).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from inference.methods.schedule import Schedule

Denoise = Callable[[Tensor, int], Tensor]
Noise = Callable[[], Tensor]


def ddpm(x: Tensor, timesteps: Sequence[int], schedule: Schedule, denoise: Denoise, noise: Noise) -> Tensor:
    """Ancestral sampling with the posterior variance between neighbouring timesteps."""
    for t, following in _pairs(timesteps):
        x0 = denoise(x, t)
        bar, bar_next = schedule.alpha(t) ** 2, schedule.alpha(following) ** 2
        step = bar / bar_next
        mean = (math.sqrt(bar_next) * (1.0 - step) * x0 + math.sqrt(step) * (1.0 - bar_next) * x) / (1.0 - bar)
        variance = (1.0 - step) * (1.0 - bar_next) / (1.0 - bar)
        x = mean + math.sqrt(variance) * noise() if following >= 0 else x0
    return x


def ddim(x: Tensor, timesteps: Sequence[int], schedule: Schedule, denoise: Denoise, noise: Noise) -> Tensor:
    """The deterministic implicit sampler."""
    for t, following in _pairs(timesteps):
        x0 = denoise(x, t)
        epsilon = (x - schedule.alpha(t) * x0) / schedule.sigma(t)
        x = schedule.alpha(following) * x0 + schedule.sigma(following) * epsilon
    return x


def dpm_solver(x: Tensor, timesteps: Sequence[int], schedule: Schedule, denoise: Denoise, noise: Noise) -> Tensor:
    """Second-order multistep solver of the probability-flow equation in half-log-SNR."""
    previous: Tensor | None = None
    previous_h = 0.0
    for t, following in _pairs(timesteps):
        x0 = denoise(x, t)
        if following < 0:
            return x0
        h = schedule.log_snr(following) - schedule.log_snr(t)
        estimate = x0
        if previous is not None:
            ratio = previous_h / h
            estimate = x0 + (x0 - previous) / (2.0 * ratio)
        scale = schedule.sigma(following) / schedule.sigma(t)
        x = scale * x - schedule.alpha(following) * math.expm1(-h) * estimate
        previous, previous_h = x0, h
    return x


def _pairs(timesteps: Sequence[int]) -> list[tuple[int, int]]:
    return list(zip(timesteps, [*timesteps[1:], -1], strict=True))


SAMPLERS: dict[str, Callable[[Tensor, Sequence[int], Schedule, Denoise, Noise], Tensor]] = {
    "ddpm": ddpm,
    "ddim": ddim,
    "dpm-solver++": dpm_solver,
}


def seeded_noise(shape: tuple[int, ...], seed: int, device: str) -> Noise:
    """Standard normal draws on the CPU from one seed, so that every device starts from the same noise."""
    generator = torch.Generator("cpu").manual_seed(seed % 2**63)
    return lambda: torch.randn(shape, generator=generator).to(device)


def batched_noise(shape: tuple[int, ...], seeds: Sequence[int], device: str) -> Noise:
    """``seeded_noise`` of one slice (1, ...) per seed, stacked: a slice draws the same noise in any batch."""
    draws = [seeded_noise(shape, seed, "cpu") for seed in seeds]
    return lambda: torch.cat([draw() for draw in draws]).to(device)
