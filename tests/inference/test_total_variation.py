"""Total variation: adjoint gradients, falling energy, duality gap, and scikit-image as the oracle."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.restoration import denoise_tv_chambolle

from inference.methods import total_variation as tv


@pytest.fixture
def noisy() -> torch.Tensor:
    generator = np.random.default_rng(0)
    image = np.zeros((48, 61))
    image[10:30, 15:40] = 1.0
    return torch.from_numpy(image + generator.normal(0, 0.15, image.shape))


@pytest.mark.parametrize(
    ("forward", "adjoint"),
    [(tv.gradient, tv.gradient_adjoint), (tv.periodic_gradient, tv.periodic_gradient_adjoint)],
)
def test_gradients_and_their_adjoints(forward, adjoint) -> None:  # type: ignore[no-untyped-def]
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(9, 14, generator=generator, dtype=torch.float64)
    p = torch.randn(2, 9, 14, generator=generator, dtype=torch.float64)
    assert float((forward(x) * p).sum()) == pytest.approx(float((x * adjoint(p)).sum()), rel=1e-10)


def test_energy_falls_and_the_gap_closes(noisy: torch.Tensor) -> None:
    energies = [float(tv.energy(tv.tv_denoise(noisy, 0.2, n, 0.0).image, noisy, 0.2)) for n in (5, 20, 80, 320)]
    assert energies == sorted(energies, reverse=True)
    gaps = [tv.tv_denoise(noisy, 0.2, n, 0.0).measure for n in (10, 40, 160, 640)]
    assert gaps == sorted(gaps, reverse=True) and gaps[-1] < 1e-3
    assert min(gaps) >= 0.0


def test_it_stops_at_the_gap(noisy: torch.Tensor) -> None:
    result = tv.tv_denoise(noisy, 0.2, 5000, 1e-3)
    assert result.iterations < 5000 and result.measure <= 1e-3


def test_energy_is_no_higher_than_scikit_images(noisy: torch.Tensor) -> None:
    # scikit-image minimises TV + |x - b|^2 / (2 weight) with the same isotropic forward differences.
    theirs = torch.from_numpy(denoise_tv_chambolle(noisy.numpy(), weight=0.2, eps=0.0, max_num_iter=100))
    ours = tv.tv_denoise(noisy, 0.2, 100, 0.0).image
    assert float(tv.energy(ours, noisy, 0.2)) <= float(tv.energy(theirs, noisy, 0.2)) * (1 + 1e-6)


def test_no_weight_changes_nothing(noisy: torch.Tensor) -> None:
    assert torch.equal(tv.tv_denoise(noisy, 0.0, 100, 0.0).image, noisy)


def test_fourier_problem_fits_the_data_and_lowers_variation() -> None:
    generator = torch.Generator().manual_seed(1)
    image = torch.zeros(32, 32)
    image[8:24, 10:20] = 1.0
    spectrum = torch.fft.fftshift(torch.fft.fft2(torch.fft.ifftshift(image), norm="ortho"))
    mask = torch.rand(32, generator=generator) < 0.5
    mask[14:18] = True
    filled = torch.fft.fftshift(torch.fft.ifft2(torch.fft.ifftshift(spectrum * mask), norm="ortho"))
    result = tv.tv_fourier(spectrum * mask, mask, 0.002, 400, 1e-6)
    assert float(tv.total_variation(result.image)) < float(tv.total_variation(filled))
    assert float((result.image.abs() - image).square().mean()) < 0.3 * float((filled.abs() - image).square().mean())
