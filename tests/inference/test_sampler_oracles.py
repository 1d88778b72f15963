"""The samplers against another implementation of the same papers, step by step and end to end.

Both get the same x_0 predictions, written as noise. The oracle's coefficient table is replaced by ours in double
precision: its own is single, whose signal coefficient .006 at the first step would hide a difference of 1e-5.
Conventions: trailing spacing (Lin et al. 2024, Table 2); DDPM with the lower variance bound (Ho et al. 2020, eq. 7)
between respaced steps (Nichol and Dhariwal 2021); the last step of every sampler ends on the clean image, alpha = 1,
and is of first order (Lu et al. 2022).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler
from torch import Tensor

from inference.methods.samplers import SAMPLERS, ddpm
from inference.methods.schedule import Schedule

SCHEDULE = Schedule()
SHAPE = (1, 1, 8, 8)
STEPS = (5, 10, 20, 50, 1000)
TABLE: dict[str, Any] = {
    "num_train_timesteps": 1000,
    "beta_start": 1e-4,
    "beta_end": 0.02,
    "beta_schedule": "linear",
    "prediction_type": "epsilon",
    "timestep_spacing": "trailing",
}
ORACLES: dict[str, Callable[[], Any]] = {
    "ddpm": lambda: DDPMScheduler(**TABLE, variance_type="fixed_small", clip_sample=False),
    "ddim": lambda: DDIMScheduler(**TABLE, clip_sample=False, set_alpha_to_one=True),
    "dpm-solver++": lambda: DPMSolverMultistepScheduler(
        **TABLE,
        algorithm_type="dpmsolver++",
        solver_order=2,
        solver_type="midpoint",
        final_sigmas_type="zero",
        lower_order_final=True,
    ),
}


def oracle_of(name: str, steps: int) -> Any:
    """The other implementation on our table."""
    oracle = ORACLES[name]()
    assert np.allclose(oracle.alphas_cumprod.numpy(), SCHEDULE.alpha_bar, rtol=1e-4)
    oracle.alphas_cumprod = torch.from_numpy(SCHEDULE.alpha_bar)
    oracle.set_timesteps(steps)
    if name == "dpm-solver++":
        bars = SCHEDULE.alpha_bar[oracle.timesteps.numpy()]
        oracle.sigmas = torch.tensor([*np.sqrt((1.0 - bars) / bars), 0.0], dtype=torch.float64)
    return oracle


def network(x: Tensor, t: int) -> Tensor:
    """A smooth prediction of x_0 that is neither exact nor linear."""
    return torch.tanh(0.8 * x + 0.3 * torch.roll(x, 1, -1)) * (1.2 - t / 1000.0)


def as_noise(x: Tensor, t: int, x0: Tensor) -> Tensor:
    return (x - SCHEDULE.alpha(t) * x0) / SCHEDULE.sigma(t)


def draws(seed: int) -> Callable[[], Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return lambda: torch.randn(SHAPE, generator=generator, dtype=torch.float64)


def trajectory(name: str, timesteps: list[int], noise: Callable[[], Tensor]) -> list[Tensor]:
    """Every x that our sampler shows the network, and what it returns."""
    seen: list[Tensor] = []

    def denoise(x: Tensor, t: int) -> Tensor:
        seen.append(x)
        return network(x, t)

    end = SAMPLERS[name](draws(0)(), timesteps, SCHEDULE, denoise, noise)
    return [*seen, end]


def oracle_step(oracle: Any, name: str, x: Tensor, t: int, generator: torch.Generator) -> Tensor:
    extra = {"generator": generator} if name == "ddpm" else {}
    result: Tensor = oracle.step(as_noise(x, t, network(x, t)), t, x, **extra).prev_sample
    return result


@pytest.mark.parametrize("steps", STEPS)
def test_the_same_timesteps(steps: int) -> None:
    for name in ORACLES:
        assert oracle_of(name, steps).timesteps.tolist() == SCHEDULE.trailing(steps)


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("name", sorted(ORACLES))
def test_every_step_from_the_same_state(name: str, steps: int) -> None:
    oracle, timesteps = oracle_of(name, steps), SCHEDULE.trailing(steps)
    ours = trajectory(name, timesteps, draws(1))
    assert len(ours) == steps + 1
    generator = torch.Generator().manual_seed(1)
    errors = [
        float((oracle_step(oracle, name, x, t, generator) - following).abs().max())
        for x, t, following in zip(ours, timesteps, ours[1:], strict=False)
    ]
    assert max(errors) <= 1e-5


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("name", sorted(ORACLES))
def test_the_whole_sampling(name: str, steps: int) -> None:
    oracle, timesteps = oracle_of(name, steps), SCHEDULE.trailing(steps)
    x, generator = draws(0)(), torch.Generator().manual_seed(1)
    for t in timesteps:
        x = oracle_step(oracle, name, x, t, generator)
    assert float((x - trajectory(name, timesteps, draws(1))[-1]).abs().max()) <= 1e-5


@pytest.mark.parametrize("steps", STEPS)
def test_posterior_mean_and_variance(steps: int) -> None:
    oracle, timesteps = oracle_of("ddpm", steps), SCHEDULE.trailing(steps)
    x, zero, one = draws(2)(), torch.zeros(SHAPE, dtype=torch.float64), torch.ones(SHAPE, dtype=torch.float64)

    def after(t: int, following: int, noise: Tensor) -> Tensor:
        states: list[Tensor] = []

        def denoise(state: Tensor, at: int) -> Tensor:
            states.append(state)
            return network(state, at)

        ddpm(x, [t, following], SCHEDULE, denoise, lambda: noise)
        return states[1]

    pairs = list(pairwise(timesteps))
    for t, following in pairs[:: max(1, len(pairs) // 20)]:
        mean, shifted = after(t, following, zero), after(t, following, one)
        variance = float(oracle._get_variance(t))
        assert torch.allclose((shifted - mean).square(), one * variance, atol=1e-9, rtol=1e-6)
        drawn = torch.randn(SHAPE, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
        theirs = oracle_step(oracle, "ddpm", x, t, torch.Generator().manual_seed(3)) - variance**0.5 * drawn
        assert float((theirs - mean).abs().max()) <= 1e-5
