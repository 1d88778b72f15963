"""What is simulated is frozen: a change of any of these figures is a new physics version and a new training."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

from inference.methods.register import METHODS, weights_path
from inference.physics.degrade import PHYSICS_PARAMETERS, degrade, physics_version
from inference.physics.levels import LEVELS

FROZEN = {
    "CT": {
        "geometry": "parallel beam, 180 degrees",
        "views": 720,
        "detector_bin": "half a pixel",
        "photons_per_mm": 1.2e6,
        "electronic_noise_counts": 10.0,
        "mu_water_per_mm": 0.0193,
        "oversampling": 2,
        "filter": "ramp",
        "filter_cutoff_detector_nyquist": 0.5,
        "assumed_field_of_view_mm": 380.0,
    },
    "MR": {
        "k_space": "retrospective from magnitude, emulated single coil",
        "acs_share": 0.06,
        "phase_order": 3,
        "phase_scale_rad": 1.5,
        "phase_encoding": "columns",
        "sampling": "random lines outside the centre",
    },
    "US": {
        "dynamic_range_db": 60.0,
        "resolution_cell_px": [0.6, 0.9],
        "snr_region": "pixels above grey 0 whose grey lies between the quartiles of those pixels "
        "(mid-echogenic tissue)",
        "noise": "circular complex Gaussian before envelope detection",
    },
}


def test_parameters_and_default_levels_are_those_of_version_1() -> None:
    assert physics_version == "1"
    assert PHYSICS_PARAMETERS == FROZEN
    assert {m: level.default for m, level in LEVELS.items()} == {"CT": 0.25, "MR": 6.0, "US": -6.0}


@pytest.mark.parametrize("modality", sorted(FROZEN))
def test_a_measurement_carries_its_parameters(modality: str) -> None:
    image = np.full((32, 32), 40.0, np.float32)
    measured = degrade(image, modality, LEVELS[modality].default, seed=3, data_range=255.0)
    assert dict(measured.parameters).items() >= FROZEN[modality].items()
    assert measured.parameters["physics_version"] == "1"


# Mean and deviation of the error, three pixels, and the lines measured: what version 1 makes of one drawn image.
MADE = {
    "CT": ([0.706, 38.806, 37.811, 45.116, -81.889], None),
    "MR": ([12.781, 95.127, 602.887, 470.363, 498.244], [10, 13, 15, 16, 25, 30, 31, 32, 33, 39, 46]),
    "US": ([43.749, 39.206, 108.802, 116.071, 120.485], None),
}


@pytest.mark.parametrize("modality", sorted(MADE))
def test_the_same_image_and_seed_give_the_same_measurement_in_every_release(modality: str) -> None:
    y, x = np.mgrid[-1:1:64j, -1:1:64j]
    drawn = ((x / 0.8) ** 2 + (y / 0.6) ** 2 < 1) * (0.5 + 0.2 * np.sin(7 * x) * np.cos(5 * y))
    image = {"CT": 2000 * drawn - 1000, "MR": 1000 * drawn, "US": 220 * drawn + 10}[modality].astype(np.float32)
    level = LEVELS[modality].default
    measured = degrade(image, modality, level, seed=5, pixel_spacing=(1.5, 1.5), data_range=float(np.ptp(image)))
    error = measured.degraded.astype(float) - image
    figures, lines = MADE[modality]
    assert [error.mean(), error.std(), *measured.degraded[[20, 32, 40], [30, 32, 22]]] == pytest.approx(
        figures, rel=2e-3
    )
    assert lines == (None if measured.mask is None else np.flatnonzero(measured.mask).tolist())


@pytest.mark.parametrize("key", sorted(k for k, entry in METHODS.items() if entry.weights))
def test_the_shipped_weights_were_trained_on_this_physics(key: str) -> None:
    path = weights_path(key)
    assert path is not None
    card = json.loads(path.with_suffix(".json").read_text())
    assert card["physics"] == FROZEN and card["physics_version"] == "1"
    assert hashlib.sha256(path.read_bytes()).hexdigest() == card["sha256"]
