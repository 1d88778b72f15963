"""Geometry as an affine: it follows every change of an image exactly, and evaluation changes no image at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from inference.data.dicom_cases import reduce_by_area
from inference.data.fastmri import crop_image
from inference.data.geometry import SliceGeometry
from inference.data.phantoms import phantom
from inference.data.pool import read_manifest, read_pixels
from inference.data.preprocessing import resample, rotate
from inference.training.pairs import rated_cases
from tests.inference.dicom_factory import dataset, read_all, save
from tests.inference.pool_factory import make_pool

OBLIQUE = (0.8, 0.6, 0.0, -0.36, 0.48, 0.8)
SHAPES = [(230, 180), (512, 512), (256, 256), (273, 288), (320, 160), (101, 77)]


def geometry(shape: tuple[int, int] = (230, 180), spacing: tuple[float, float] = (0.7, 0.9)) -> SliceGeometry:
    return SliceGeometry.from_dicom((-120.5, -80.25, 33.0), OBLIQUE, spacing, shape, step=2.5)


def bones(shape: tuple[int, int], sharp: bool) -> NDArray[np.float32]:
    """Return an object off the centre and without symmetry, in air, smooth or with edges."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    image = np.zeros(shape)
    for row, col, size, height in ((0.40, 0.55, 0.16, 1.0), (0.58, 0.35, 0.08, 3.0), (0.30, 0.62, 0.05, 2.0)):
        distance = np.hypot((y - row * shape[0]) / (size * shape[0]), (x - col * shape[1]) / (size * shape[1]))
        image += height * ((distance < 1) if sharp else np.exp(-2 * distance**2))
    return image.astype(np.float32)


def centroid(image: NDArray[Any]) -> NDArray[np.float64]:
    """Return the centroid (row, column) in pixels."""
    weights = image.astype(np.float64)
    return np.array([(np.indices(image.shape)[axis] * weights).sum() for axis in (0, 1)]) / weights.sum()


def moved(before: NDArray[Any], after: NDArray[Any], old: SliceGeometry, new: SliceGeometry) -> float:
    """Return by how much of a pixel (the smaller of the two images) the centroid moved in the patient."""
    assert new.shape == after.shape
    shift = new.to_patient(centroid(after)) - old.to_patient(centroid(before))
    return float(np.linalg.norm(shift)) / min(*old.pixel_spacing, *new.pixel_spacing)


@given(
    st.tuples(*[st.floats(-500, 500)] * 3),
    st.floats(-3.1, 3.1),
    st.floats(-1.5, 1.5),
    st.tuples(*[st.floats(0.1, 5)] * 3),
    st.tuples(*[st.floats(-600, 600)] * 3),
)
@settings(max_examples=60, deadline=None)
def test_points_map_both_ways(position: Any, turn: float, tilt: float, sizes: Any, point: Any) -> None:
    row = np.array([np.cos(turn), np.sin(turn), 0])
    column = np.array([-np.sin(turn) * np.cos(tilt), np.cos(turn) * np.cos(tilt), np.sin(tilt)])
    place = SliceGeometry.from_dicom(position, (*row, *column), sizes[:2], (40, 60), step=sizes[2])
    r, c, k = point
    standard = np.array(position) + row * sizes[1] * c + column * sizes[0] * r + np.cross(row, column) * sizes[2] * k
    np.testing.assert_allclose(place.to_patient(point), standard, rtol=0, atol=1e-9)
    np.testing.assert_allclose(place.to_index(place.to_patient(point)), point, rtol=0, atol=1e-9)
    np.testing.assert_allclose(place.to_patient(place.to_index(point)), point, rtol=0, atol=1e-9)
    np.testing.assert_allclose(place.position, position, rtol=0, atol=1e-12)
    np.testing.assert_allclose(place.orientation, (*row, *column), rtol=0, atol=1e-9)
    np.testing.assert_allclose(place.pixel_spacing, sizes[:2], rtol=1e-12)


@pytest.mark.parametrize("size", [(512, 512), (256, 256), (200, 128)])
@pytest.mark.parametrize("shape", SHAPES)
def test_resampling_moves_nothing_in_the_patient(shape: tuple[int, int], size: tuple[int, int]) -> None:
    image, place = bones(shape, False), geometry(shape)
    assert moved(image, resample(image, size), place, place.resampled(size)) < 0.005


@pytest.mark.parametrize("size", [(512, 512), (256, 256)])
@pytest.mark.parametrize("shape", SHAPES)
def test_resampling_moves_no_sharp_edge_either(shape: tuple[int, int], size: tuple[int, int]) -> None:
    image, place = bones(shape, True), geometry(shape)
    assert moved(image, resample(image, size), place, place.resampled(size)) < 0.05


def test_the_phantom_of_a_person_stays_where_it_is() -> None:
    case = phantom("MR", 3, size=192, n_slices=1)
    image = np.pad(case.pixels[0].astype(np.float32), ((20, 20), (30, 14)))
    place = geometry((232, 236), (0.5, 0.5))
    for size in ((512, 512), (256, 256)):
        assert moved(image, resample(image, size), place, place.resampled(size)) < 0.05


def test_a_shift_of_part_of_a_pixel_would_be_seen() -> None:
    image, place = bones((128, 128), False), geometry((128, 128))
    assert moved(image, image[::2, ::2], place, place.resampled((64, 64))) > 0.25


def test_oblong_images_keep_their_field_of_view() -> None:
    place = geometry((230, 180))
    square = place.resampled((512, 512))
    assert square.pixel_spacing == pytest.approx((0.7 * 230 / 512, 0.9 * 180 / 512), rel=1e-12)
    for corner in ((0, 0), (0, 1), (1, 0), (1, 1)):
        edges = [np.array(corner) * p.shape - 0.5 for p in (place, square)]
        np.testing.assert_allclose(square.to_patient(edges[1]), place.to_patient(edges[0]), atol=1e-9)
    np.testing.assert_allclose(square.orientation, OBLIQUE, atol=1e-12)


def test_changes_compose_and_are_undone() -> None:
    place = geometry()
    for there_and_back in (
        place.resampled((512, 512)).resampled((230, 180)),
        place.flipped(0).flipped(0),
        place.flipped(1).flipped(1),
        place.rotated(17.0).rotated(-17.0),
        place.cropped(5, 7, (100, 90)).cropped(-5, -7, (230, 180)),
        place.resampled((512, 512)).resampled((256, 256)).resampled((230, 180)),
    ):
        assert there_and_back.shape == place.shape
        np.testing.assert_allclose(there_and_back.matrix, place.matrix, rtol=0, atol=1e-10)
    changed = place.flipped(1).resampled((256, 256)).rotated(30.0)
    np.testing.assert_allclose(place.index_map(changed) @ changed.index_map(place), np.eye(4), atol=1e-9)
    np.testing.assert_allclose(changed.matrix @ place.index_map(changed), place.matrix, atol=1e-9)
    twice = place.rotated(12.0).rotated(21.0)
    np.testing.assert_allclose(twice.matrix, place.rotated(33.0).matrix, atol=1e-10)


@pytest.mark.parametrize("shape", [(230, 180), (101, 120)])
def test_flips_rotations_crops_and_reductions_follow_the_image(shape: tuple[int, int]) -> None:
    image, place = bones(shape, False), geometry(shape)
    for axis in (0, 1):
        assert moved(image, np.flip(image, axis), place, place.flipped(axis)) < 1e-6
    for degrees in (-10.0, 3.0, 90.0):
        assert moved(image, rotate(image, degrees, 0.0), place, place.rotated(degrees)) < 0.05
    inner = (shape[0] - 7, shape[1] - 4)
    assert moved(image, crop_image(image, inner), place, place.cropped(3, 2, inner)) < 0.05
    small = reduce_by_area(image.astype(np.float64), 4)
    assert moved(image, small, place, place.reduced(4)) < 0.05


def test_the_readers_spacing_after_a_reduction_is_that_of_the_geometry(tmp_path: Path) -> None:
    image = (1000 * bones((130, 100), True)).astype(np.int16)
    (case,), _ = read_all(save(dataset("CT", image), tmp_path / "a.dcm"), max_matrix=64)
    place = SliceGeometry.from_dicom((0, 0, 3), (1, 0, 0, 0, 1, 0), (0.7, 0.8), (130, 100)).reduced(3)
    assert place.shape == case.pixels.shape[1:]
    assert place.pixel_spacing == pytest.approx(case.pixel_spacing)


def test_a_tilted_stack_keeps_its_step() -> None:
    place = SliceGeometry.from_dicom((1, 2, 3), (1, 0, 0, 0, 1, 0), (1, 1), (9, 9), step=(0.0, -0.8, 2.4))
    np.testing.assert_allclose(place.resampled((18, 18)).matrix[:3, 2], (0.0, -0.8, 2.4))
    np.testing.assert_allclose(place.to_patient((0, 0, 2)), (1, 0.4, 7.8))


def test_what_is_no_geometry_is_refused() -> None:
    place = geometry()
    good: dict[str, Any] = {"position": (0, 0, 0), "orientation": OBLIQUE, "spacing": (1, 1), "shape": (9, 9)}
    for changes, words in (
        ({"orientation": (1, 0, 0, 1, 0, 0)}, "right angle"),
        ({"orientation": (2, 0, 0, 0, 1, 0)}, "unit vectors"),
        ({"orientation": (float("nan"),) * 6}, "unit vectors"),
        ({"spacing": (0, 1)}, "above 0 mm"),
        ({"spacing": (float("nan"), 1)}, "above 0 mm"),
        ({"position": (0, float("inf"), 0)}, "finite numbers"),
        ({"position": (0, 0)}, "a position of 3"),
        ({"shape": (0, 9)}, "at least one row"),
        ({"step": 0.0}, "onto a line or point"),
    ):
        with pytest.raises(ValueError, match=words):
            SliceGeometry.from_dicom(**(good | changes))
    with pytest.raises(ValueError, match="axis 0"):
        place.flipped(2)
    with pytest.raises(ValueError, match="larger shape"):
        place.resampled((0, 10))
    with pytest.raises(ValueError, match="three coordinates"):
        place.to_index((1.0, 2.0))
    with pytest.raises(ValueError, match="sheared"):
        assert place.rotated(30.0).orientation


@pytest.mark.parametrize("part", ["training", "validation", "test"])
def test_evaluation_cases_are_neither_rotated_nor_flipped(tmp_path: Path, part: str) -> None:
    pool = make_pool(tmp_path)
    stored = {read_pixels(item).tobytes() for item in read_manifest(pool)}
    cases = rated_cases(pool, part, 2)
    assert {case.measurement.modality for case in cases} == {"CT", "MR", "US"}
    for case in cases:
        assert case.reference.tobytes() in stored
        degraded, upright = case.measurement.degraded.ravel(), case.reference
        assert degraded.size == upright.size
        turned = [upright[::-1], upright[:, ::-1], upright[::-1, ::-1], rotate(upright, 10.0, float(upright.min()))]
        likeness = [np.corrcoef(degraded, image.ravel())[0, 1] for image in (upright, *turned)]
        assert max(likeness[1:]) < likeness[0]
