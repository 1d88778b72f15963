"""Batches of the FID-Med network: the geometry of evaluation, and what is varied in them."""

from __future__ import annotations

import numpy as np
import pytest

from inference.data.preprocessing import CT_HIGH, CT_LOW
from inference.metrics.features import INPUT_SIZE, network_image
from inference.training.frames import draw_frames
from inference.training.pairs import Pair, grouped


def pair(modality: str, shape: tuple[int, int] = (60, 80)) -> Pair:
    generator = np.random.default_rng(len(modality) + shape[0])
    reference = generator.uniform(-1.0, 1.0, shape).astype(np.float16)
    return Pair(modality, f"{modality} phantom", (0.5 * reference).astype(np.float16), reference)


@pytest.mark.parametrize(("modality", "low", "high"), [("CT", CT_LOW, CT_HIGH), ("US", 0.0, 255.0)])
def test_an_unvaried_frame_is_what_evaluation_sees(modality: str, low: float, high: float) -> None:
    source = pair(modality)
    batch = draw_frames(grouped([source]), 1, 0, 0, vary=False)
    physical = low + 0.5 * (source.reference.astype(np.float32) + 1.0) * (high - low)
    seen = network_image(physical.astype(np.float32), modality, 255.0).numpy()
    assert batch.reference.shape == (1, 1, INPUT_SIZE, INPUT_SIZE)
    assert np.allclose(batch.reference[0], seen, atol=1e-3)
    assert batch.labels == [f"{modality} phantom"]


def test_frames_depend_on_seed_and_step_only() -> None:
    pairs = [pair(m) for m in ("CT", "MR", "US")]
    first, same, other = (draw_frames(grouped(pairs), 6, 3, step) for step in (5, 5, 6))
    assert first.reference.tobytes() == same.reference.tobytes() != other.reference.tobytes()
    assert first.modality.sum(axis=0).tolist() == [2.0, 2.0, 2.0]


@pytest.mark.parametrize(("modality", "varies"), [("CT", False), ("MR", True), ("US", True)])
def test_grey_levels_vary_only_where_they_are_not_calibrated(modality: str, varies: bool) -> None:
    flat = np.full((64, 64), 0.2, np.float16)
    batch = draw_frames(grouped([Pair(modality, modality, flat, flat)]), 8, 0, 0)
    levels = batch.reference[:, 0, 0, 0]
    assert (np.ptp(levels) > 0.2) == varies
    assert np.array_equal(batch.reference, batch.degraded)  # both images of a pair are varied alike
    assert np.abs(batch.reference).max() <= 1.0
