"""Chambolle-Pock for total variation (Chambolle and Pock 2011), images on [0, 1], isotropic.

Denoising takes Neumann borders; the Fourier problem periodic ones, as its operator does.

The step sizes obey tau * sigma * 8 <= 1, since the squared norm of the discrete gradient is at most 8.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

CHECK_EVERY = 10


@dataclass(frozen=True)
class TVResult:
    """``measure``: the relative duality gap (denoising) or the relative change (Fourier) at the end."""

    image: Tensor
    iterations: int
    measure: float


def gradient(x: Tensor) -> Tensor:
    """Forward differences (2, rows, cols) of (rows, cols); zero at the last row and column."""
    result = x.new_zeros((2, *x.shape))
    result[0, :-1] = x[1:] - x[:-1]
    result[1, :, :-1] = x[:, 1:] - x[:, :-1]
    return result


def gradient_adjoint(p: Tensor) -> Tensor:
    """Transpose of :func:`gradient` (minus the divergence)."""
    result = torch.zeros_like(p[0])
    result[:-1] -= p[0, :-1]
    result[1:] += p[0, :-1]
    result[:, :-1] -= p[1, :, :-1]
    result[:, 1:] += p[1, :, :-1]
    return result


def total_variation(x: Tensor) -> Tensor:
    """Sum over pixels of the gradient's length; complex images count both parts."""
    return torch.sqrt(gradient(x).abs().square().sum(dim=0)).sum()


def _project_dual(p: Tensor, weight: float) -> Tensor:
    """Each pixel's dual vector back into the disc of radius ``weight``."""
    length = torch.sqrt(p.abs().square().sum(dim=0, keepdim=True))
    return p / (length / weight).clamp(min=1.0)


def energy(x: Tensor, noisy: Tensor, weight: float) -> Tensor:
    """1/2 |x - noisy|^2 + weight * TV(x)."""
    return 0.5 * (x - noisy).square().sum() + weight * total_variation(x)


def duality_gap(p: Tensor, noisy: Tensor, weight: float) -> tuple[float, float]:
    """Primal energy at noisy - gradient^T p, and its distance (>= 0) to the dual energy of ``p``."""
    back = gradient_adjoint(p)
    primal = float(energy(noisy - back, noisy, weight))
    dual = float((noisy * back).sum() - 0.5 * back.square().sum())
    return primal, primal - dual


def tv_denoise(noisy: Tensor, weight: float, iterations: int, gap: float) -> TVResult:
    """Minimiser of :func:`energy` (strongly convex: accelerated), stopped at a relative duality gap."""
    if weight <= 0.0:
        return TVResult(noisy, 0, 0.0)
    x, extrapolated, p = noisy.clone(), noisy.clone(), noisy.new_zeros((2, *noisy.shape))
    tau, sigma = 0.25, 0.5
    relative = math.inf
    for iteration in range(1, iterations + 1):
        p = _project_dual(p + sigma * gradient(extrapolated), weight)
        updated = (x - tau * gradient_adjoint(p) + tau * noisy) / (1.0 + tau)
        theta = 1.0 / math.sqrt(1.0 + 2.0 * tau)
        tau, sigma = theta * tau, sigma / theta
        extrapolated = updated + theta * (updated - x)
        x = updated
        if iteration % CHECK_EVERY == 0 or iteration == iterations:
            primal, distance = duality_gap(p, noisy, weight)
            relative = distance / max(primal, 1e-12)
            if relative <= gap:
                break
    return TVResult(x, iteration, relative)


def tv_fourier(k_space: Tensor, mask: Tensor, weight: float, iterations: int, change: float) -> TVResult:
    """Complex minimiser of 1/2 |M F x - k|^2 + weight * TV(x) with the centred orthonormal F.

    The data term is not strongly convex and has no finite dual away from the optimum, so the stop is the
    relative change of x over ten iterations.
    """
    axes = (-2, -1)
    data = torch.fft.ifftshift(k_space, dim=axes)
    kept = torch.fft.ifftshift(mask.expand_as(k_space), dim=axes)
    tau = sigma = 1.0 / math.sqrt(8.0)

    def proximal(v: Tensor) -> Tensor:
        spectrum = torch.fft.fft2(v, norm="ortho")
        mixed = torch.where(kept, (spectrum + tau * data) / (1.0 + tau), spectrum)
        image: Tensor = torch.fft.ifft2(mixed, norm="ortho")
        return image

    # The image stays shifted by half its size throughout, which periodic differences do not notice.
    x = torch.fft.ifft2(data, norm="ortho")
    extrapolated, p = x.clone(), x.new_zeros((2, *x.shape))
    last, relative = x, math.inf
    for iteration in range(1, iterations + 1):
        p = _project_dual(p + sigma * periodic_gradient(extrapolated), weight)
        updated = proximal(x - tau * periodic_gradient_adjoint(p))
        extrapolated = 2.0 * updated - x
        x = updated
        if iteration % CHECK_EVERY == 0:
            relative = float((x - last).abs().square().sum().sqrt() / x.abs().square().sum().sqrt().clamp(min=1e-12))
            if relative <= change:
                break
            last = x
    return TVResult(torch.fft.fftshift(x, dim=axes), iteration, relative)


def periodic_gradient(x: Tensor) -> Tensor:
    """Differences with wrap-around, indifferent to a periodic shift of the image."""
    return torch.stack([x.roll(-1, 0) - x, x.roll(-1, 1) - x])


def periodic_gradient_adjoint(p: Tensor) -> Tensor:
    """Transpose of :func:`periodic_gradient`."""
    return p[0].roll(1, 0) - p[0] + p[1].roll(1, 1) - p[1]
