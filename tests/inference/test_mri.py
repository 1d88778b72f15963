"""MRI physics: transforms, masks, phase and data consistency."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from inference.methods.data_consistency import data_consistency_of
from inference.physics import mri
from inference.physics.degrade import degrade


def complex_noise(shape: tuple[int, int], seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return (generator.standard_normal(shape) + 1j * generator.standard_normal(shape)).astype(np.complex64)


@pytest.mark.parametrize("shape", [(32, 32), (33, 40), (31, 27)])
def test_transform_is_unitary_and_adjoint_to_its_inverse(shape: tuple[int, int]) -> None:
    x, y = complex_noise(shape, 0), complex_noise(shape, 1)
    assert np.abs(mri.to_image(mri.to_k_space(x)) - x).max() < 1e-5
    left, right = np.vdot(mri.to_k_space(x), y), np.vdot(x, mri.to_image(y))
    assert abs(left - right) < 1e-5 * abs(left) + 1e-4


def test_zero_frequency_stands_at_the_centre() -> None:
    spectrum = np.abs(mri.to_k_space(np.ones((8, 9), np.complex64)))
    assert np.unravel_index(spectrum.argmax(), spectrum.shape) == (4, 4)


@pytest.mark.parametrize(("lines", "acceleration"), [(256, 6.0), (183, 6.0), (64, 4.0), (97, 8.0)])
def test_measured_lines_are_counted_with_the_centre(lines: int, acceleration: float) -> None:
    mask = mri.line_mask(lines, acceleration, np.random.default_rng(0))
    assert mask.sum() == round(lines / acceleration)
    centre = mri.acs_slice(mask)
    assert centre.stop - centre.start >= round(mri.ACS_SHARE * lines)
    assert mask[lines // 2]


def test_mask_follows_the_seed() -> None:
    first, same, other = (mri.line_mask(128, 6.0, np.random.default_rng(s)) for s in (3, 3, 4))
    assert (first == same).all()
    assert (first != other).any()


def test_real_acceleration_is_stated() -> None:
    image = np.random.default_rng(0).random((64, 256)).astype(np.float32)
    measured = degrade(image, "MR", 6.0, seed=1, data_range=1.0)
    assert measured.mask is not None and measured.k_space is not None
    assert measured.parameters["real_acceleration"] == pytest.approx(256 / int(measured.mask.sum()))
    assert not measured.k_space[:, ~measured.mask].any()


def test_full_sampling_returns_the_magnitude() -> None:
    image = np.random.default_rng(0).random((40, 41)).astype(np.float32)
    assert np.abs(degrade(image, "MR", 1.0, seed=1, data_range=1.0).degraded - image).max() < 1e-5


def smooth_object() -> np.ndarray:
    y, x = np.mgrid[-1:1:128j, -1:1:128j]
    return (100 * np.exp(-3 * (x**2 + y**2)) * (1.2 + np.sin(9 * x) * np.cos(7 * y))).astype(np.float32)


def test_data_consistency_helps_and_hardly_moves_the_truth() -> None:
    image = smooth_object()
    measured = degrade(image, "MR", 4.0, seed=5, data_range=100.0)
    operator = data_consistency_of(measured, "cpu")
    assert operator is not None
    rough = (image + np.random.default_rng(0).normal(0, 8, image.shape)).astype(np.float32)
    restored = operator(torch.from_numpy(rough)).numpy()
    assert np.mean((restored - image) ** 2) < 0.85 * np.mean((rough - image) ** 2)
    assert np.mean((operator(torch.from_numpy(image)).numpy() - image) ** 2) < 0.2


def test_no_k_space_means_no_data_consistency() -> None:
    measured = degrade(np.full((32, 32), 80, np.float32), "US", -6.0, seed=0, data_range=255.0)
    assert data_consistency_of(measured, "cpu") is None
