"""Phantoms: reproducible, in their units, with the tissues that they promise, coherent slice by slice."""

import time

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.data.phantoms import phantom
from inference.data.phantoms_shapes import Canvas, Field, blend, grow_tree

MODALITIES = ("CT", "MR", "US")


def values(modality: str, seed: int, **options: int) -> NDArray[np.float64]:
    case = phantom(modality, seed, **options)  # type: ignore[arg-type]
    return case.intercept + case.slope * case.pixels.astype(np.float64)


@pytest.mark.parametrize("modality", MODALITIES)
def test_a_seed_is_a_person(modality: str) -> None:
    first = phantom(modality, 3, size=128, n_slices=2)  # type: ignore[arg-type]
    again = phantom(modality, 3, size=128, n_slices=2)  # type: ignore[arg-type]
    other = phantom(modality, 4, size=128, n_slices=2)  # type: ignore[arg-type]
    assert first.pixels.tobytes() == again.pixels.tobytes()
    assert first.source_ids == again.source_ids
    assert not set(first.source_ids) & set(other.source_ids)
    assert first.pixels.shape == (2, 128, 128)
    assert first.pixels.dtype == np.uint16
    assert first.patient_key == f"phantom-{modality}-3"
    assert first.notes == ("procedural phantom",)
    assert not first.burned_in_risk
    difference = np.abs(first.pixels.astype(float) - other.pixels.astype(float)).mean()
    assert difference > 0.05 * first.pixels.max() / 4


@pytest.mark.parametrize("modality", MODALITIES)
def test_neighbouring_slices_belong_together(modality: str) -> None:
    volume = values(modality, 5, size=128, n_slices=3)
    stranger = values(modality, 6, size=128, n_slices=1)[0]
    near = np.corrcoef(volume[0].ravel(), volume[1].ravel())[0, 1]
    far = np.corrcoef(volume[0].ravel(), stranger.ravel())[0, 1]
    assert near > 0.8
    assert near > far
    assert not np.array_equal(volume[0], volume[1])


@pytest.mark.parametrize("seed", range(3))
def test_the_chest_holds_air_lung_fat_muscle_and_bone(seed: int) -> None:
    image = values("CT", seed, n_slices=1)[0]
    assert image.min() >= -1024
    assert image.max() <= 3071
    shares = {
        "lung": ((image > -950) & (image < -700)).mean(),
        "fat": ((image > -140) & (image < -60)).mean(),
        "muscle": ((image > 10) & (image < 110)).mean(),
        "bone": (image > 350).mean(),
    }
    assert shares["lung"] > 0.08, shares
    assert shares["fat"] > 0.05, shares
    assert shares["muscle"] > 0.05, shares
    assert 0.002 < shares["bone"] < 0.08, shares
    corner = image[:20, :20]
    assert abs(corner.mean() + 1000) < 15
    assert 4 < corner.std() < 20


@pytest.mark.parametrize("seed", range(3))
def test_the_knee_is_a_magnitude_with_dark_tendons_and_bright_marrow(seed: int) -> None:
    image = values("MR", seed, n_slices=1)[0]
    background = image[:, :12]
    assert image.min() >= 0
    # The mean of a Rayleigh background is 1.25 times its component's SD.
    assert background.mean() / background.std() == pytest.approx(1.91, abs=0.15)
    middle = image[90:170, 100:160]
    assert np.percentile(middle, 90) > 0.5 * image.max()
    assert np.percentile(image[60:200, 60:190], 2) < 0.2 * image.max()


@pytest.mark.parametrize("seed", range(4))
def test_the_carotid_is_8_bit_speckle_around_an_empty_lumen(seed: int) -> None:
    image = values("US", seed, n_slices=1)[0]
    assert image.min() == 0
    assert 200 < image.max() <= 255
    middle = image[90:170, 108:148]
    assert (middle < 25).mean() > 0.1
    tissue = image[60:80, 110:146]
    assert tissue.std() > 12


def test_the_field_of_view_does_not_depend_on_the_size() -> None:
    small, large = phantom("CT", 1, size=64, n_slices=1), phantom("CT", 1, size=128, n_slices=1)
    assert small.pixel_spacing is not None
    assert large.pixel_spacing is not None
    assert small.pixel_spacing[0] == pytest.approx(2 * large.pixel_spacing[0])
    coarse = large.pixels[0].astype(float).reshape(64, 2, 64, 2).mean(axis=(1, 3))
    assert np.corrcoef(coarse.ravel(), small.pixels[0].ravel())[0, 1] > 0.97


@pytest.mark.parametrize("modality", MODALITIES)
def test_a_slice_takes_about_a_second(modality: str) -> None:
    started = time.process_time()
    phantom(modality, 2, n_slices=2)  # type: ignore[arg-type]
    assert (time.process_time() - started) / 2 < 2.0


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(ValueError, match="choose CT, MR or US"):
        phantom("PET", 1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="raise size or n_slices"):
        phantom("CT", 1, size=16)


def test_fields_are_smooth_unit_noise() -> None:
    canvas = Canvas.square(256, 200.0)
    field = Field(np.random.Generator(np.random.PCG64(1)), 10.0, 10.0)(canvas.x, canvas.y, 3.3)
    assert 0.5 < field.std() < 1.5
    assert np.abs(np.diff(field, axis=1)).max() < 0.8
    assert np.abs(np.diff(field, 2, axis=1)).max() < 0.15


def test_shapes_measure_distance() -> None:
    canvas = Canvas.square(200, 100.0)
    circle = canvas.ellipse(0, 0, 20, 20)
    np.testing.assert_allclose(circle, np.hypot(canvas.x, canvas.y) - 20, atol=0.6)
    rod = canvas.capsule((-10, 0), (10, 0), 5, 5)
    assert rod[100, 100] == pytest.approx(-4.75, abs=0.01)
    assert canvas.cover(circle).sum() * canvas.pixel**2 == pytest.approx(np.pi * 400, rel=0.01)
    assert (blend([circle, rod], 2.0) <= np.minimum(circle, rod) + 1e-9).all()


def test_trees_thin_out_by_murrays_law() -> None:
    branches = grow_tree(np.random.Generator(np.random.PCG64(1)), (0, 0, 0), (1, 0, 0), 3.0, 20.0, 5)
    assert len(branches) == 63
    parent, left = branches[0], branches[1]
    right = next(branch for branch in branches[2:] if branch.start == parent.end)
    assert left.r0**3 + right.r0**3 == pytest.approx(parent.r1**3)
