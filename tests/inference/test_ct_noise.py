"""Variance of the counts, of the line integrals and of the reconstructed image against theory, within 5 %.

Theory of the image: a view's filtered noise has the covariance R(n) = v * int H(f)^2 cos(2 pi f n) df with H = 2 |f|
up to the cutoff; linear interpolation leaves 2/3 R(0) + 1/3 R(1) on average over positions between two bins; the views
are independent (Kak and Slaney 1988, 5.3).
"""

from __future__ import annotations

import numpy as np
import pytest

from inference.physics import ct


def image_variance(line_variance: float, geometry: ct.Geometry, cutoff: float) -> float:
    """Variance of the attenuation per mm at a pixel that sees ``line_variance`` in every view."""
    f = np.linspace(0.0, 0.5 * cutoff, 20_001)
    power = 4.0 * f**2
    at_zero, at_one = (2.0 * np.trapezoid(power * np.cos(2 * np.pi * f * n), f) for n in (0, 1))
    one_view = line_variance * (2.0 / 3.0 * at_zero + 1.0 / 3.0 * at_one)
    return float((np.pi / (2 * geometry.views * geometry.detector_spacing)) ** 2 * geometry.views * one_view)


def line_variance(line: float, dose: float, photons: float, *, already_noisy: bool) -> float:
    counts = photons * np.exp(-line)
    if already_noisy:
        return float((1 / dose - 1) / counts + ct.ELECTRONIC_NOISE**2 * (1 - dose**2) / (dose * counts) ** 2)
    return float(1 / (dose * counts) + ct.ELECTRONIC_NOISE**2 / (dose * counts) ** 2)


@pytest.mark.parametrize("dose", [1.0, 0.25])
def test_counts_are_poisson_plus_electronic_noise(dose: float) -> None:
    line, photons = 4.0, 1e5
    lines = np.full((500, 400), line)
    noisy = ct.low_dose(lines, dose, photons, np.random.default_rng(0), already_noisy=False)
    counts = dose * photons * np.exp(-noisy)
    expected = dose * photons * np.exp(-line)
    assert counts.mean() == pytest.approx(expected, rel=0.002)
    assert counts.var() == pytest.approx(expected + ct.ELECTRONIC_NOISE**2, rel=0.05)


@pytest.mark.parametrize("already_noisy", [True, False])
@pytest.mark.parametrize("cutoff", [1.0, ct.CUTOFF])
def test_image_variance_of_uniform_line_integrals(cutoff: float, already_noisy: bool) -> None:
    shape, spacing, line, dose, photons = (96, 96), (0.75, 0.75), 3.0, 0.25, 4e5
    geometry = ct.geometry_for(shape, spacing)
    lines = np.full((geometry.views, geometry.detectors), line)
    expected = image_variance(line_variance(line, dose, photons, already_noisy=already_noisy), geometry, cutoff)
    measured = []
    for seed in range(4):
        noisy = ct.low_dose(lines, dose, photons, np.random.default_rng(seed), already_noisy=already_noisy)
        image = ct.filtered_back_projection(noisy - line, shape, spacing, geometry, ct.FILTER, cutoff)
        measured.append(float(image.var()))
    assert np.mean(measured) == pytest.approx(expected, rel=0.05)


def test_image_variance_at_the_centre_of_a_water_disc() -> None:
    shape, spacing, dose, radius = (64, 64), (3.0, 3.0), 0.25, 80.0
    geometry = ct.geometry_for(shape, spacing)
    photons = ct.PHOTONS_PER_MM * geometry.detector_spacing
    s = (np.arange(geometry.detectors) - (geometry.detectors - 1) / 2) * geometry.detector_spacing
    chord = 2 * ct.MU_WATER * np.sqrt(np.clip(radius**2 - s**2, 0, None))
    lines = np.tile(chord, (geometry.views, 1))
    expected = image_variance(line_variance(float(chord.max()), dose, photons, already_noisy=True), geometry, ct.CUTOFF)
    clean = ct.filtered_back_projection(lines, shape, spacing, geometry, ct.FILTER, ct.CUTOFF)
    measured = []
    for seed in range(60):
        noisy = ct.low_dose(lines, dose, photons, np.random.default_rng(seed), already_noisy=True)
        image = ct.filtered_back_projection(noisy, shape, spacing, geometry, ct.FILTER, ct.CUTOFF)
        measured.append(float(((image - clean)[28:36, 28:36] ** 2).mean()))
    assert np.mean(measured) == pytest.approx(expected, rel=0.05)
