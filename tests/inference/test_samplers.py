"""The samplers against problems whose answer is known in closed form."""

from __future__ import annotations

import math

import pytest
import torch

from inference.methods.samplers import SAMPLERS, ddim, ddpm, dpm_solver, seeded_noise
from inference.methods.schedule import Schedule

SCHEDULE = Schedule()
SPREAD = 0.5  # the data are N(0, SPREAD^2): the best estimate of x_0 is linear in x_t


def gaussian_denoiser(x: torch.Tensor, t: int) -> torch.Tensor:
    alpha, sigma = SCHEDULE.alpha(t), SCHEDULE.sigma(t)
    return alpha * SPREAD**2 / (alpha**2 * SPREAD**2 + sigma**2) * x


def test_table_runs_from_clean_to_noise() -> None:
    assert SCHEDULE.alpha(-1) == 1.0 and SCHEDULE.sigma(-1) == 0.0
    assert SCHEDULE.alpha_bar[0] == pytest.approx(1 - 1e-4)
    assert SCHEDULE.alpha_bar[999] == pytest.approx(4.04e-5, rel=0.01)


def test_trailing_spacing() -> None:
    assert SCHEDULE.trailing(10) == [999, 899, 799, 699, 599, 499, 399, 299, 199, 99]
    assert SCHEDULE.trailing(1000) == list(range(999, -1, -1))
    assert SCHEDULE.trailing(4, start=400) == [399, 299, 199, 99]
    with pytest.raises(ValueError, match="between 1 and 100"):
        SCHEDULE.trailing(200, start=100)


@pytest.mark.parametrize("name", sorted(SAMPLERS))
def test_a_perfect_denoiser_is_returned(name: str) -> None:
    target = torch.randn(1, 1, 8, 8)
    noise = seeded_noise((1, 1, 8, 8), 0, "cpu")
    sample = SAMPLERS[name](noise(), SCHEDULE.trailing(7), SCHEDULE, lambda x, t: target, noise)
    assert torch.allclose(sample, target)


def flow_solution(x: torch.Tensor) -> torch.Tensor:
    """Exact end of the probability flow for Gaussian data: x scales with its marginal deviation."""
    start = math.sqrt(SCHEDULE.alpha(999) ** 2 * SPREAD**2 + SCHEDULE.sigma(999) ** 2)
    return x * SPREAD / start


def flow_error(sampler, steps: int) -> float:  # type: ignore[no-untyped-def]
    noise = seeded_noise((1, 1, 16, 16), 1, "cpu")
    x = noise().double()
    sample = sampler(x, SCHEDULE.trailing(steps), SCHEDULE, gaussian_denoiser, noise)
    return float((sample - flow_solution(x)).abs().max())


def test_solvers_converge_to_the_flow_and_second_order_is_better() -> None:
    assert flow_error(ddim, 200) < flow_error(ddim, 20)
    assert flow_error(dpm_solver, 40) < 0.05
    assert flow_error(dpm_solver, 20) < flow_error(ddim, 20)


def test_ddpm_draws_the_right_variance() -> None:
    noise = seeded_noise((1, 1, 64, 64), 2, "cpu")
    sample = ddpm(noise(), SCHEDULE.trailing(1000), SCHEDULE, gaussian_denoiser, noise)
    assert float(sample.std()) == pytest.approx(SPREAD, rel=0.05)


def test_noise_follows_the_seed() -> None:
    first, same, other = (seeded_noise((3,), s, "cpu")() for s in (5, 5, 6))
    assert torch.equal(first, same) and not torch.equal(first, other)
