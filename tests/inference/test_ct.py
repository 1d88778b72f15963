"""CT physics against analytic phantoms, theory and scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.transform import iradon, radon

from inference.physics import ct, ct_kernels

SPACING = (1.5, 1.5)


def disc(size: int, radius_mm: float, inside: float, outside: float) -> np.ndarray:
    """A disc, anti-aliased by eightfold subsampling."""
    fine = (np.arange(8 * size) + 0.5) / 8 - size / 2
    y, x = np.meshgrid(fine * SPACING[0], fine * SPACING[1], indexing="ij")
    mask = (x**2 + y**2 < radius_mm**2).reshape(size, 8, size, 8).mean(axis=(1, 3))
    return outside + (inside - outside) * mask


def analytic_disc_sinogram(radius_mm: float, mu: float, geometry: ct.Geometry) -> np.ndarray:
    s = (np.arange(geometry.detectors) - (geometry.detectors - 1) / 2) * geometry.detector_spacing
    chord = 2 * mu * np.sqrt(np.clip(radius_mm**2 - s**2, 0, None))
    return np.tile(chord, (geometry.views, 1))


def test_projection_of_a_disc_is_its_chord_length() -> None:
    geometry = ct.Geometry(30, 200, 1.0)
    image = disc(128, 60.0, 0.02, 0.0)
    measured = ct.project(image, SPACING, geometry)
    expected = analytic_disc_sinogram(60.0, 0.02, geometry)
    inner = np.abs(np.arange(200) - 99.5) < 54
    assert np.abs(measured - expected)[:, inner].max() < 0.02


def test_water_comes_back_as_zero_hounsfield() -> None:
    shape = (128, 128)
    geometry = ct.geometry_for(shape, SPACING, views=360)
    sinogram = analytic_disc_sinogram(70.0, ct.MU_WATER, geometry)
    mu = ct.filtered_back_projection(sinogram, shape, SPACING, geometry, ct.FILTER, ct.CUTOFF)
    hu = ct.hounsfield(mu)
    y, x = np.mgrid[:128, :128] - 63.5
    assert abs(float(hu[np.hypot(x, y) < 35].mean())) < 2.0
    outside = (np.hypot(x, y) > 52) & (np.hypot(x, y) < 60)
    assert abs(float(hu[outside].mean()) + 1000.0) < 5.0


@pytest.mark.parametrize("name", ["ramp", "shepp-logan", "hann"])
def test_back_projection_equals_scikit_image(name: str) -> None:
    image = disc(64, 30.0, 1.0, 0.0)
    image[20:30, 22:40] += 0.5
    angles = np.arange(90) * 2.0
    # An odd number of bins puts scikit-image's centre of rotation at ours.
    sinogram = np.pad(radon(image, theta=angles, circle=True), ((0, 1), (0, 0)))
    theirs = iradon(sinogram, theta=angles, filter_name=name, circle=True)[1:64, 1:64]
    geometry = ct.Geometry(90, 65, 1.0)
    ours = ct.filtered_back_projection(sinogram.T, (65, 65), (1.0, 1.0), geometry, name)[1:64, 1:64]
    inside = np.hypot(*(np.mgrid[:63, :63] - 31)) < 30
    assert np.abs(ours - theirs)[inside].max() < 1e-3 * np.abs(theirs).max()


def test_unknown_filter_says_what_there_is() -> None:
    with pytest.raises(ValueError, match="choose one of ramp"):
        ct.filter_response(64, "boxcar")


@pytest.mark.parametrize("shape", [(31, 40), (40, 31)])
def test_projection_and_its_adjoint(shape: tuple[int, int]) -> None:
    generator = np.random.default_rng(0)
    geometry = ct.geometry_for(shape, (1.0, 1.3), views=17)
    x, y = generator.random(shape), generator.random((geometry.views, geometry.detectors))
    forward = float((ct.project(x, (1.0, 1.3), geometry) * y).sum())
    backward = float((x * ct.project_adjoint(y, shape, (1.0, 1.3), geometry)).sum())
    assert forward == pytest.approx(backward, rel=1e-10)


def test_numpy_fallback_equals_numba() -> None:
    generator = np.random.default_rng(1)
    image = generator.random((33, 30))
    angles, width = np.arange(16) * np.pi / 16, 0.7
    fast = ct_kernels.project(image, (1.0, 1.2), angles, 71, width)
    slow = ct_kernels.project_numpy(image, (1.0, 1.2), angles, 71, width)
    assert np.abs(fast - slow).max() < 1e-9
    fast = ct_kernels.back_project(slow, (33, 30), (1.0, 1.2), angles, width)
    assert np.abs(fast - ct_kernels.back_project_numpy(slow, (33, 30), (1.0, 1.2), angles, width)).max() < 1e-9


@pytest.mark.parametrize("already_noisy", [True, False])
def test_noise_variance_matches_theory_within_five_percent(already_noisy: bool) -> None:
    generator = np.random.default_rng(2)
    line, dose, photons, electronic = 3.0, 0.25, 1e5, 10.0
    lines = np.full((400, 500), line)
    noisy = ct.low_dose(lines, dose, photons, generator, already_noisy=already_noisy)
    counts = photons * np.exp(-line)
    if already_noisy:
        expected = (1 / dose - 1) / counts + electronic**2 * (1 - dose**2) / (dose * counts) ** 2
    else:
        expected = 1 / (dose * counts) + electronic**2 / (dose * counts) ** 2
    assert noisy.var() == pytest.approx(expected, rel=0.05)
    assert noisy.mean() == pytest.approx(line, abs=0.001)


def test_full_dose_of_a_full_dose_scan_adds_nothing() -> None:
    lines = np.full((20, 30), 2.0)
    same = ct.low_dose(lines, 1.0, 1e9, np.random.default_rng(0), already_noisy=True)
    assert np.abs(same - lines).max() < 1e-7
