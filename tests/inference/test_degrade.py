"""The one entry point of the physics: determinism, shapes, levels and what it states."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

from inference.physics.degrade import PHYSICS_PARAMETERS, degrade, physics_version
from inference.physics.levels import LEVELS, validate_level


def slice_of(modality: str, shape: tuple[int, int]) -> np.ndarray:
    image = np.random.default_rng(0).uniform(20, 200, shape).astype(np.float32)
    return image - 1024 if modality == "CT" else image


@pytest.mark.parametrize("modality", ["CT", "MR", "US"])
@pytest.mark.parametrize("shape", [(48, 48), (51, 64), (57, 49)])
def test_same_seed_same_bytes_in_any_shape(modality: str, shape: tuple[int, int]) -> None:
    image = slice_of(modality, shape)
    first, same, other = (
        degrade(image, modality, LEVELS[modality].default, seed=s, data_range=255.0) for s in (1, 1, 2)
    )
    assert first.degraded.shape == shape and first.degraded.dtype == np.float32
    assert first.degraded.tobytes() == same.degraded.tobytes()
    assert first.degraded.tobytes() != other.degraded.tobytes()
    assert np.isfinite(first.degraded).all()
    assert pickle.loads(pickle.dumps(first)).seed == 1
    json.dumps(dict(first.parameters))


def test_ct_noise_grows_as_dose_falls_and_padding_stays_near_its_value() -> None:
    image = np.full((64, 64), -1024.0, np.float32)
    image[16:48, 16:48] = 0.0
    errors = []
    for dose in (1.0, 0.25, 0.05):
        degraded = degrade(image, "CT", dose, seed=3, data_range=2924.0).degraded
        errors.append(float(degraded[24:40, 24:40].std()))
        assert abs(float(degraded[:4, :4].mean()) + 1024.0) < 15.0
    assert errors[0] < errors[1] < errors[2]


def test_ct_states_its_counts_and_whether_spacing_was_assumed() -> None:
    image = slice_of("CT", (48, 48))
    assumed = degrade(image, "CT", 0.25, seed=1, data_range=2924.0).parameters
    stated = degrade(image, "CT", 0.25, seed=1, pixel_spacing=(0.8, 0.8), data_range=2924.0).parameters
    assert assumed["pixel_spacing_assumed"] is True and stated["pixel_spacing_assumed"] is False
    assert stated["photons_per_ray"] == pytest.approx(0.4 * 1.2e6)
    assert stated["physics_version"] == physics_version


def test_parameters_are_json() -> None:
    assert set(json.loads(json.dumps(PHYSICS_PARAMETERS))) == {"CT", "MR", "US"}


@pytest.mark.parametrize(
    ("modality", "level", "words"),
    [
        ("CT", 0.0, "dose share of CT must be between 0.01 and 1"),
        ("MR", 99.0, "acceleration of MR must be between 1 and 16"),
        ("US", float("nan"), "signal-to-noise ratio of US"),
        ("PET", 1.0, "has no degradation: choose one of CT, MR, US"),
    ],
)
def test_a_wrong_level_says_what_is_allowed(modality: str, level: float, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        validate_level(modality, level)


def test_a_volume_is_refused() -> None:
    with pytest.raises(ValueError, match="pass one slice at a time"):
        degrade(np.zeros((2, 48, 48), np.float32), "MR", 6.0, seed=0, data_range=1.0)


def test_levels_read_as_text() -> None:
    texts = [LEVELS[m].text(LEVELS[m].default) for m in ("CT", "MR", "US")]
    assert texts == ["25 % dose CT", "6x undersampled k-space", "-6 dB ultrasound"]
