"""Total variation denoising by Chambolle-Pock (Chambolle and Pock 2011), images on [0, 1], isotropic, Neumann borders.

The step sizes obey tau * sigma * 8 <= 1, since the squared norm of the discrete gradient is at most 8.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from inference.methods.acceleration import Accelerated, mode, on_gpu

CHECK_EVERY = 10


@dataclass(frozen=True)
class TVResult:
    """``measure``: the duality gap at the end over the energy of ``image``, >= 0."""

    image: Tensor
    iterations: int
    measure: float


def gradient(x: Tensor) -> Tensor:
    """Forward differences (2, rows, cols) of (rows, cols); zero at the last row and column."""
    result = x.new_empty((2, *x.shape))
    result[0, -1], result[1, :, -1] = 0.0, 0.0
    torch.sub(x[1:], x[:-1], out=result[0, :-1])
    torch.sub(x[:, 1:], x[:, :-1], out=result[1, :, :-1])
    return result


def gradient_adjoint(p: Tensor) -> Tensor:
    """Transpose of :func:`gradient` (minus the divergence)."""
    result = torch.zeros_like(p[0])
    result[:-1] -= p[0, :-1]
    result[1:] += p[0, :-1]
    result[:, :-1] -= p[1, :, :-1]
    result[:, 1:] += p[1, :, :-1]
    return result


def total_variation(x: Tensor) -> float:
    """Sum over pixels of the gradient's length."""
    return field_length(gradient(x))


def field_length(field: Tensor) -> float:
    """Sum over pixels of the length of a field (2, rows, cols); complex ones count both parts."""
    return float(_lengths(field).sum(dtype=torch.float64))


def _lengths(field: Tensor) -> Tensor:
    return torch.sqrt(field[0].abs().square() + field[1].abs().square())


def project_dual(p: Tensor, weight: float) -> Tensor:
    """Each pixel's dual vector back into the disc of radius ``weight``."""
    return p / (_lengths(p) / weight).clamp_(min=1.0)


def best_multiple(p: Tensor, weight: float, linear: float, quadratic: float) -> float:
    """The s >= 0 with s |p| <= ``weight`` everywhere that maximises s ``linear`` - s^2 / 2 ``quadratic``."""
    largest = float(_lengths(p).max())
    if largest <= 0.0 or quadratic <= 0.0:
        return 0.0
    return max(0.0, min(weight / largest, linear / quadratic))


def energy(x: Tensor, noisy: Tensor, weight: float) -> float:
    """1/2 |x - noisy|^2 + weight * TV(x)."""
    return 0.5 * float((x - noisy).square().sum(dtype=torch.float64)) + weight * total_variation(x)


def denoising_gap(x: Tensor, p: Tensor, noisy: Tensor, weight: float) -> float:
    """Relative duality gap (>= 0): energy of ``x`` minus the dual energy of ``p`` (|p| <= weight), over the former."""
    back = gradient_adjoint(p)
    primal = energy(x, noisy, weight)
    dual = float((noisy * back - 0.5 * back.square()).sum(dtype=torch.float64))
    return max(0.0, primal - dual) / max(primal, 1e-12)


def tv_denoise(noisy: Tensor, weight: float, iterations: int, gap: float) -> TVResult:
    """Minimiser of :func:`energy` (strongly convex: accelerated), stopped at a relative duality gap."""
    if weight <= 0.0:
        return TVResult(noisy, 0, 0.0)
    state: Any = (noisy, noisy, noisy.new_zeros((2, *noisy.shape)), 0.25, 0.5)
    if on_gpu(str(noisy.device)):  # a recording takes tensors only
        state = (*state[:3], *noisy.new_tensor([0.25, 0.5]))
    done, relative = 0, math.inf
    while done < iterations and relative > gap:
        count = min(CHECK_EVERY, iterations - done)
        state = _iterations(weight, count, str(noisy.device), mode())(*state, noisy)
        done += count
        x, _, p = state[:3]
        relative = denoising_gap(x, p, noisy, weight)
    return TVResult(x, done, relative)


@lru_cache(maxsize=8)
def _iterations(weight: float, count: int, device: str, mode_then: str) -> Accelerated:
    """``count`` iterations on x, its extrapolation, the dual p and both step sizes, and the noisy image."""

    def iterate(x: Tensor, extrapolated: Tensor, p: Tensor, tau: Any, sigma: Any, noisy: Tensor) -> tuple[Any, ...]:
        for _ in range(count):
            p = project_dual(p + sigma * gradient(extrapolated), weight)
            updated = torch.lerp(x, noisy - gradient_adjoint(p), tau / (1.0 + tau))
            theta = (1.0 + 2.0 * tau) ** -0.5
            tau, sigma = theta * tau, sigma / theta
            x, extrapolated = updated, torch.lerp(x, updated, 1.0 + theta)
        return x, extrapolated, p, tau, sigma

    return Accelerated(iterate, device)
