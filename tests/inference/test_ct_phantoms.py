"""Projection and filtered back-projection against phantoms whose Radon transform is known, and scikit-image's radon.

An ellipse with half axes a, b turned by alpha has p(s, theta) = 2 mu a b sqrt(w - (s - s0)^2) / w with
w = a^2 cos^2(theta - alpha) + b^2 sin^2(theta - alpha) and s0 the centre's place on the detector (Kak and Slaney
1988, 3.1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from skimage.transform import radon

from inference.physics import ct


@dataclass(frozen=True)
class Ellipse:
    """Half axes and centre in mm, turn in radians; x to the right, y upwards."""

    a: float
    b: float
    x: float
    y: float
    turn: float = 0.0

    def sinogram(self, mu: float, geometry: ct.Geometry) -> np.ndarray:
        s = (np.arange(geometry.detectors) - (geometry.detectors - 1) / 2) * geometry.detector_spacing
        theta = geometry.angles[:, None]
        width = (self.a * np.cos(theta - self.turn)) ** 2 + (self.b * np.sin(theta - self.turn)) ** 2
        offset = s[None, :] - self.x * np.cos(theta) - self.y * np.sin(theta)
        return 2 * mu * self.a * self.b * np.sqrt(np.clip(width - offset**2, 0, None)) / width

    def radius(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """1 on the rim, 0 at the centre."""
        dx, dy = x - self.x, y - self.y
        along = dx * np.cos(self.turn) + dy * np.sin(self.turn)
        across = dy * np.cos(self.turn) - dx * np.sin(self.turn)
        return np.hypot(along / self.a, across / self.b)

    def on_grid(self, shape: tuple[int, int], spacing: tuple[float, float], fine: int = 8) -> np.ndarray:
        """Share of each pixel inside, from ``fine`` by ``fine`` samples."""
        x, y = pixel_centres((shape[0] * fine, shape[1] * fine), (spacing[0] / fine, spacing[1] / fine))
        inside = self.radius(x, y) < 1
        return inside.reshape(shape[0], fine, shape[1], fine).mean(axis=(1, 3))


def pixel_centres(shape: tuple[int, int], spacing: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    x = (np.arange(shape[1]) - (shape[1] - 1) / 2) * spacing[1]
    y = ((shape[0] - 1) / 2 - np.arange(shape[0])) * spacing[0]
    return np.meshgrid(x, y)


# As shares of half the field of view.
PHANTOMS = {
    "disc": Ellipse(0.6, 0.6, 0.0, 0.0),
    "disc off centre": Ellipse(0.4, 0.4, 0.3, -0.25),
    "ellipse": Ellipse(0.7, 0.4, 0.0, 0.0),
    "turned ellipse off centre": Ellipse(0.5, 0.25, -0.2, 0.3, 0.6),
}


def scaled(phantom: Ellipse, half: float) -> Ellipse:
    return Ellipse(phantom.a * half, phantom.b * half, phantom.x * half, phantom.y * half, phantom.turn)


@pytest.mark.parametrize("name", PHANTOMS)
@pytest.mark.parametrize("spacing", [(1.5, 1.5), (1.5, 1.2)])
def test_projection_of_an_ellipse(name: str, spacing: tuple[float, float]) -> None:
    shape = (128, 160)
    phantom = scaled(PHANTOMS[name], 0.5 * min(shape[0] * spacing[0], shape[1] * spacing[1]))
    geometry = ct.Geometry(60, 280, 1.0)
    measured = ct.project(0.02 * phantom.on_grid(shape, spacing), spacing, geometry)
    expected = phantom.sinogram(0.02, geometry)
    assert np.sqrt(np.mean((measured - expected) ** 2)) < 0.005 * expected.max()  # the pixels' rim
    assert measured.sum(axis=1) == pytest.approx(expected.sum(axis=1), rel=4e-3)


@pytest.mark.parametrize("name", PHANTOMS)
def test_back_projection_of_an_ellipse(name: str) -> None:
    shape, spacing = (160, 128), (1.5, 1.5)
    phantom = scaled(PHANTOMS[name], 0.5 * 128 * 1.5)
    geometry = ct.geometry_for(shape, spacing, views=360)
    mu = ct.filtered_back_projection(
        phantom.sinogram(ct.MU_WATER, geometry), shape, spacing, geometry, ct.FILTER, ct.CUTOFF
    )
    hu, radius = ct.hounsfield(mu), phantom.radius(*pixel_centres(shape, spacing))
    assert abs(float(hu[radius < 0.8].mean())) < 2.0
    assert abs(float(hu[(radius > 1.2) & (radius < 1.4)].mean()) + 1000.0) < 5.0
    weights, (x, y) = np.clip(mu, 0, None) * (radius < 1.3), pixel_centres(shape, spacing)
    assert (weights * x).sum() / weights.sum() == pytest.approx(phantom.x, abs=0.1)
    assert (weights * y).sum() / weights.sum() == pytest.approx(phantom.y, abs=0.1)


@pytest.mark.parametrize("name", ["disc", "turned ellipse off centre"])
def test_water_is_zero_hounsfield_at_the_real_settings(name: str) -> None:
    shape = (512, 512)
    spacing = ct.assumed_spacing(shape)
    geometry, phantom = ct.geometry_for(shape, spacing), scaled(PHANTOMS[name], 190.0)
    assert geometry.views == 720
    radius = phantom.radius(*pixel_centres(shape, spacing))
    water = (1000.0 * (phantom.on_grid(shape, spacing, 4) - 1.0)).astype(np.float32)
    simulated = ct.fine_projections(ct.attenuation(water), spacing, geometry)
    for sinogram in (phantom.sinogram(ct.MU_WATER, geometry), simulated):
        mu = ct.filtered_back_projection(sinogram, shape, spacing, geometry, ct.FILTER, ct.CUTOFF)
        hu = 1000.0 * (mu / ct.MU_WATER - 1.0)
        assert abs(float(hu[radius < 0.9].mean())) < 2.0
        for part in (radius < 0.3, (radius > 0.3) & (radius < 0.6), (radius > 0.6) & (radius < 0.9)):
            assert abs(float(hu[part].mean())) < 2.0  # neither cupping nor a dome
        assert abs(float(hu[(radius > 1.1) & (radius < 1.3)].mean()) + 1000.0) < 2.0


def test_projection_equals_scikit_image() -> None:
    # An odd size puts scikit-image's centre of rotation at ours; it turns the image, which blurs it a little more.
    size, angles = 129, np.arange(60) * 3.0
    image = scaled(PHANTOMS["turned ellipse off centre"], 64.0).on_grid((size, size), (1.0, 1.0))
    image += 0.5 * scaled(PHANTOMS["disc off centre"], 64.0).on_grid((size, size), (1.0, 1.0))
    theirs = radon(image, theta=angles, circle=True).T
    ours = ct.project(image, (1.0, 1.0), ct.Geometry(60, size, 1.0))
    assert np.sqrt(np.mean((ours - theirs) ** 2)) < 0.005 * theirs.max()
    assert np.abs(ours - theirs).max() < 0.04 * theirs.max()
