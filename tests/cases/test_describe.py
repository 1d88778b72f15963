"""Body share, windows and data range follow the written rules."""

from __future__ import annotations

import numpy as np
import pytest

from inference.data.phantoms import phantom
from readerstudy.cases.describe import body_mask, describe
from tests.cases.factories import body

DISC_SHARE = np.pi * 0.1784**2


@pytest.mark.parametrize(
    ("anatomy", "window"),
    [
        ("chest", (-600, 1500)),
        ("abdomen", (50, 400)),
        ("head", (40, 80)),
        ("", (40, 400)),
        ("hip", (40, 400)),
    ],
)
def test_ct_window_follows_the_anatomy(anatomy: str, window: tuple[float, float]) -> None:
    found = describe(body("CT", 3), 1.0, -1024.0, "CT", anatomy)
    assert found.data_range == 2924
    assert {(part.window.center, part.window.width) for part in found.slices} == {window}
    assert (found.window.center, found.window.width) == window


def test_ultrasound_shows_all_greys() -> None:
    found = describe(body("US", 2), 1.0, 0.0, "US", "")
    assert (found.data_range, found.window.center, found.window.width) == (255, 127.5, 255)


def test_mr_window_is_the_bodys_percentiles_in_physical_units() -> None:
    stored = np.zeros((2, 64, 64), np.uint16)
    stored[:, 16:48, 16:48] = np.arange(100, 1124).reshape(32, 32)
    stored[1] *= 2
    found = describe(stored, 0.5, 0.0, "MR", "knee")
    low, high = (found.slices[0].window.center + s * found.slices[0].window.width / 2 for s in (-1, 1))
    inside = stored[0][body_mask(stored[0].astype(np.float32), "MR")] * 0.5
    assert low == pytest.approx(np.percentile(inside, 1), abs=2)
    assert high == pytest.approx(np.percentile(inside, 99.5), abs=2)
    assert found.slices[1].window.width == pytest.approx(2 * found.slices[0].window.width, rel=0.02)
    assert found.data_range == 0.5 * 2 * 1123


@pytest.mark.parametrize("modality", ["CT", "MR", "US"])
def test_body_share_is_the_share_of_the_field(modality: str) -> None:
    intercept = -1024.0 if modality == "CT" else 0.0
    found = describe(body(modality, 2), 1.0, intercept, modality, "")
    # Smoothing widens an ultrasound or MR disc by a few pixels.
    assert found.slices[0].body_share == pytest.approx(DISC_SHARE, rel=0.15 if modality == "CT" else 1.2)


def test_lungs_count_as_body_and_an_empty_slice_as_none() -> None:
    y, x = np.mgrid[:128, :128] - 64.0
    radius = np.hypot(y, x)
    hu = np.where(radius < 50, 40.0, -1000.0)
    hu[radius < 30] = -900.0
    assert body_mask(hu.astype(np.float32), "CT").mean() == pytest.approx(np.pi * 50**2 / 128**2, rel=0.02)
    assert not body_mask(np.full((64, 64), -1000.0, np.float32), "CT").any()


@pytest.mark.parametrize(("modality", "least"), [("CT", 0.25), ("MR", 0.3), ("US", 0.5)])
def test_a_phantom_fills_a_plausible_share(modality: str, least: float) -> None:
    image = phantom(modality, 3, size=128, n_slices=2)  # type: ignore[arg-type]
    found = describe(image.pixels, image.slope, image.intercept, modality, image.anatomy)
    assert all(least < part.body_share <= 1.0 for part in found.slices)


def test_a_series_of_one_value_is_refused_with_a_sentence() -> None:
    with pytest.raises(ValueError, match="same value: send a series that shows something"):
        describe(np.full((2, 64, 64), 7, np.uint16), 1.0, 0.0, "MR", "")
