"""Total variation with masked Fourier data: a true duality gap, its fall, and a stop well before the cap."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch

from inference.methods.base import load_method
from inference.methods.total_variation import tv_denoise
from inference.methods.tv_fourier import (
    FourierData,
    fourier_gap,
    periodic_gradient_adjoint,
    to_frequencies,
    to_pixels,
    tv_fourier,
)
from inference.physics import mri
from inference.physics.degrade import degrade

WEIGHT = 0.01


def head(size: int) -> np.ndarray:
    """Ellipses with a little texture, on [0, 1]."""
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    image = 0.3 * ((x / 0.7) ** 2 + (y / 0.85) ** 2 < 1) + 0.4 * (((x - 0.2) / 0.2) ** 2 + (y / 0.3) ** 2 < 1)
    image += 0.2 * (((x + 0.3) / 0.1) ** 2 + ((y - 0.2) / 0.15) ** 2 < 1)
    return (image * (1 + 0.05 * np.sin(40 * x) * np.cos(35 * y))).astype(np.float32)


def measured(size: int = 64) -> tuple[torch.Tensor, torch.Tensor]:
    k_space, mask = mri.undersample(head(size), 3.0, np.random.default_rng(1))
    return torch.from_numpy(k_space).to(torch.complex128), torch.from_numpy(mask)


def test_gap_falls_and_is_never_negative() -> None:
    k_space, mask = measured()
    gaps = [tv_fourier(k_space, mask, WEIGHT, n, 0.0).measure for n in (10, 40, 160, 640)]
    assert gaps == sorted(gaps, reverse=True) and gaps[-1] < 1e-4
    assert min(gaps) >= 0.0


def test_the_gap_bounds_the_distance_to_the_minimum() -> None:
    k_space, mask = measured()
    problem = FourierData.centred(k_space, mask)

    def energy_of(iterations: int) -> tuple[float, float]:
        result = tv_fourier(k_space, mask, WEIGHT, iterations, 0.0)
        return problem.energy(torch.fft.ifftshift(result.image), WEIGHT), result.measure

    lowest, _ = energy_of(2000)
    for iterations in (10, 30, 100):
        energy, gap = energy_of(iterations)
        assert 0.0 <= energy - lowest <= gap * energy


def test_a_repaired_dual_obeys_both_constraints() -> None:
    problem = FourierData.centred(*measured())
    generator = torch.Generator().manual_seed(0)
    p = torch.randn(2, 64, 64, generator=generator, dtype=torch.complex128)
    repaired, frequencies = problem.feasible_dual(p, WEIGHT)
    assert float(torch.sqrt(repaired.abs().square().sum(dim=0)).max()) <= WEIGHT * (1 + 1e-12)
    outside = to_frequencies(periodic_gradient_adjoint(repaired))[~problem.measured]
    assert float(outside.abs().max()) < 1e-12
    seen = to_frequencies(periodic_gradient_adjoint(repaired)) * problem.measured
    assert torch.allclose(frequencies, seen, atol=1e-12)
    assert fourier_gap(to_pixels(problem.k_space), p, problem, WEIGHT) <= 1.0


def test_a_real_size_stops_well_before_the_cap_within_two_seconds() -> None:
    case = degrade(500 * head(256), "MR", 6.0, seed=0, data_range=500.0)
    assert case.k_space is not None and case.mask is not None
    k_space, mask = torch.from_numpy(case.k_space) / 500.0, torch.from_numpy(case.mask)
    for weight in (0.002, 0.01):
        result = tv_fourier(k_space, mask, weight, 200, 1e-3)
        assert result.iterations <= 150 and result.measure <= 1e-3
    method = load_method("tv_recon")
    method.reconstruct([case], [0])
    start = time.process_time()
    method.reconstruct([case], [0])
    assert time.process_time() - start < 2.0


def test_it_fits_the_data_and_restores_the_image() -> None:
    image = head(64)
    k_space, mask = mri.undersample(image, 2.0, np.random.default_rng(1))
    filled = np.abs(mri.to_image(k_space))
    result = tv_fourier(torch.from_numpy(k_space), torch.from_numpy(mask), 0.001, 400, 1e-4)
    restored = result.image.numpy()
    assert np.mean((np.abs(restored) - image) ** 2) < 0.5 * np.mean((filled - image) ** 2)
    misfit = (mri.to_k_space(restored) - k_space)[:, mask]
    assert np.linalg.norm(misfit) < 0.05 * np.linalg.norm(k_space)


def test_full_sampling_is_denoising() -> None:
    image = torch.zeros(32, 40, dtype=torch.float64)
    image[8:24, 10:20] = 1.0  # away from the borders, where the two differ
    noisy = torch.from_numpy(mri.to_k_space(image.numpy().astype(np.complex64)).astype(np.complex128))
    result = tv_fourier(noisy, torch.ones(40, dtype=torch.bool), 0.1, 3000, 1e-7)
    expected = tv_denoise(image, 0.1, 3000, 1e-7).image
    assert float((result.image.real - expected).abs().max()) < 2e-3


@pytest.mark.parametrize("weight", [0.0, 0.01])
def test_without_data_or_weight_the_zero_filled_image_remains(weight: float) -> None:
    k_space, mask = measured()
    if weight:
        k_space = torch.zeros_like(k_space)
    result = tv_fourier(k_space, mask, weight, 20, 0.0)
    assert np.allclose(result.image.numpy(), mri.to_image(k_space.numpy()), atol=1e-6)
    assert result.measure == 0.0
