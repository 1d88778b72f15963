"""Total variation denoising: falling energy, duality gap, and scikit-image as the oracle."""

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


def test_energy_falls_and_the_gap_closes(noisy: torch.Tensor) -> None:
    energies = [tv.energy(tv.tv_denoise(noisy, 0.2, n, 0.0).image, noisy, 0.2) for n in (5, 20, 80, 320)]
    assert energies == sorted(energies, reverse=True)
    gaps = [tv.tv_denoise(noisy, 0.2, n, 0.0).measure for n in (10, 40, 160, 640)]
    assert gaps == sorted(gaps, reverse=True) and gaps[-1] < 1e-3
    assert min(gaps) >= 0.0


def test_it_stops_at_the_gap(noisy: torch.Tensor) -> None:
    result = tv.tv_denoise(noisy, 0.2, 5000, 1e-3)
    assert result.iterations < 200 and result.measure <= 1e-3


def test_the_gap_bounds_the_distance_to_the_minimum(noisy: torch.Tensor) -> None:
    lowest = tv.energy(tv.tv_denoise(noisy, 0.2, 3000, 1e-7).image, noisy, 0.2)
    for iterations in (10, 30, 100):
        result = tv.tv_denoise(noisy, 0.2, iterations, 0.0)
        energy = tv.energy(result.image, noisy, 0.2)
        assert 0.0 <= energy - lowest <= result.measure * energy


def test_energy_is_no_higher_than_scikit_images(noisy: torch.Tensor) -> None:
    # scikit-image minimises TV + |x - b|^2 / (2 weight) with the same isotropic forward differences.
    theirs = torch.from_numpy(denoise_tv_chambolle(noisy.numpy(), weight=0.2, eps=0.0, max_num_iter=100))
    ours = tv.tv_denoise(noisy, 0.2, 100, 0.0).image
    assert tv.energy(ours, noisy, 0.2) <= tv.energy(theirs, noisy, 0.2) * (1 + 1e-6)


def test_no_weight_changes_nothing(noisy: torch.Tensor) -> None:
    assert torch.equal(tv.tv_denoise(noisy, 0.0, 100, 0.0).image, noisy)
