"""PSNR, SSIM and NMSE against scikit-image and torchmetrics."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torchmetrics.functional.image import peak_signal_noise_ratio as torch_psnr

from inference.metrics.fidelity import fidelity, nmse, psnr, ssim


@pytest.fixture
def pair() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    reference = generator.uniform(0, 255, (41, 52)).astype(np.float32)
    return reference, (reference + generator.normal(0, 12, reference.shape)).astype(np.float32)


def test_psnr_equals_both_libraries(pair: tuple[np.ndarray, np.ndarray]) -> None:
    a, b = pair
    assert psnr(a, b, 255.0) == pytest.approx(peak_signal_noise_ratio(a, b, data_range=255.0), abs=1e-4)
    theirs = torch_psnr(torch.from_numpy(b), torch.from_numpy(a), data_range=255.0)
    assert psnr(a, b, 255.0) == pytest.approx(float(theirs), abs=1e-4)


def test_ssim_equals_scikit_image(pair: tuple[np.ndarray, np.ndarray]) -> None:
    a, b = (x.astype(np.float64) for x in pair)
    assert ssim(a, b, 255.0) == pytest.approx(structural_similarity(a, b, data_range=255.0, win_size=7), abs=1e-9)


def test_identical_images(pair: tuple[np.ndarray, np.ndarray]) -> None:
    a, _ = pair
    result = fidelity(a, a, "US", 255.0)
    assert result.psnr == float("inf") and result.ssim == pytest.approx(1.0) and result.nmse == 0.0


def test_nmse_of_ct_takes_air_as_zero() -> None:
    reference, image = np.full((8, 8), -24.0), np.full((8, 8), 76.0)
    assert nmse(reference, image, "CT") == pytest.approx(100.0**2 / 1000.0**2)
    assert nmse(np.full((8, 8), 2.0), np.full((8, 8), 3.0), "MR") == pytest.approx(0.25)


def test_ct_is_clipped_before_it_is_measured() -> None:
    reference = np.full((9, 9), 2500.0, np.float32)
    assert fidelity(reference, reference + 400, "CT", 2924.0).psnr == float("inf")


def test_psnr_and_nmse_tell_the_same_error(pair: tuple[np.ndarray, np.ndarray]) -> None:
    a, b = pair
    result = fidelity(a, b, "US", 255.0)
    error = 255.0**2 / 10 ** (result.psnr / 10)
    assert result.nmse == pytest.approx(error / float(np.mean(a.astype(np.float64) ** 2)), rel=1e-6)


def test_errors_say_what_to_do() -> None:
    with pytest.raises(ValueError, match="compare the same slice"):
        psnr(np.zeros((4, 4)), np.zeros((4, 5)), 1.0)
    with pytest.raises(ValueError, match="use a larger slice"):
        ssim(np.zeros((5, 9)), np.zeros((5, 9)), 1.0)
    with pytest.raises(ValueError, match="leave this slice out"):
        nmse(np.zeros((4, 4)), np.ones((4, 4)), "MR")
