"""What networks are trained on: pairs, how they are varied, batches, epochs and the split by patient."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.data.pool import PoolSlice, read_manifest, read_pixels
from inference.data.preprocessing import MODALITIES, resample, rotate
from inference.data.split import HELD_OUT, Split, split_pool
from inference.methods.base import Measurement
from inference.physics.degrade import degrade
from inference.training import pairs as pairs_module
from inference.training.frames import draw_frames
from inference.training.pairs import (
    MAXIMUM_ROTATION,
    Pair,
    build_pairs,
    draw_batch,
    epoch_pairs,
    grouped,
    rated_cases,
    steps_per_epoch,
    training_slices,
    vary_grey,
)
from tests.inference.training_factory import REALISED, silent


def test_pairs_come_back_from_their_cache(pool: Path, tmp_path: Path) -> None:
    made, again = (build_pairs(pool, tmp_path, REALISED, silent)[0] for _ in range(2))
    assert [p.degraded.tobytes() for p in made] == [p.degraded.tobytes() for p in again]
    assert [p.slice_number for p in made] == [p.slice_number for p in again]


def unlike(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """1 - correlation inside a disc, which no rotation leaves; the scale of MR's grey does not count."""
    y, x = (np.linspace(-1.0, 1.0, n) for n in one.shape)
    inside = np.hypot(*np.meshgrid(y, x, indexing="ij")) < 0.8
    return float(1.0 - np.corrcoef(one[inside].astype(float), other[inside].astype(float))[0, 1])


def test_pairs_hold_no_test_patient(pool: Path, pairs: list[Pair]) -> None:
    cases = rated_cases(pool, "test", 5)
    assert {"nysbu-A002304", "pymskt-knee"} <= {c.patient for c in cases} and cases
    assert {"nysbu-A002304", "pymskt-knee"} <= HELD_OUT
    references = {p.reference.tobytes() for p in pairs}
    assert len(references) == len(pairs)
    assert len(rated_cases(pool, "test", 1)) < len(cases)


def test_batches_depend_on_seed_and_step_only(pairs: list[Pair]) -> None:
    first, same = (draw_batch(grouped(pairs), 6, (48, 40), 1, 5) for _ in range(2))
    other = draw_batch(grouped(pairs), 6, (48, 40), 1, 6)
    assert first.degraded.tobytes() == same.degraded.tobytes() != other.degraded.tobytes()
    assert first.degraded.shape == first.reference.shape == (6, 1, 48, 40)
    assert first.modality.sum(axis=0).tolist() == [2.0, 2.0, 2.0]


def test_later_realisations_are_rotated_before_they_are_degraded(
    pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first realisation is upright; of ultrasound, whose grey varies too, only the order is looked at."""
    degraded: list[NDArray[np.float32]] = []

    def noted(image: NDArray[np.float32], *arguments: Any, **options: Any) -> Measurement:
        degraded.append(image)
        return degrade(image, *arguments, **options)

    monkeypatch.setattr(pairs_module, "degrade", noted)
    made, split = build_pairs(pool, tmp_path, REALISED, silent)
    assert all(unlike(p.reference, image) < 1e-4 for p, image in zip(made, degraded, strict=True))
    chosen = training_slices(read_manifest(pool), split, REALISED.display_limit)
    angles = np.arange(-MAXIMUM_ROTATION, MAXIMUM_ROTATION + 0.1, 0.5)
    turned = []
    for number, item in enumerate(chosen):
        if item.modality == "US" or item.display_only:
            continue
        upright, rotated = (p.reference for p in made if p.slice_number == number)
        image, fill = read_pixels(item), -1024.0 if item.modality == "CT" else 0.0
        differences = [unlike(rotated, rotate(image, angle, fill)) for angle in angles]
        assert unlike(upright, image) < 1e-4 and min(differences) < unlike(rotated, image) / 4
        turned.append(float(angles[int(np.argmin(differences))]))
    assert len(set(turned)) >= 3 and min(np.abs(turned)) >= 0.5, "slices have angles of their own"


def test_half_of_the_training_pairs_are_flipped_with_their_reference() -> None:
    source = np.random.default_rng(0).uniform(-1.0, 1.0, (12, 10)).astype(np.float16)
    pair = Pair("CT", "CT phantom", source, (0.5 * source).astype(np.float16))
    flipped = 0
    for step in range(100):
        batch = draw_batch(grouped([pair]), 1, source.shape, 0, step)
        mirrored = np.array_equal(batch.degraded[0, 0], source[:, ::-1])
        assert mirrored or np.array_equal(batch.degraded[0, 0], source)
        assert np.array_equal(batch.reference, 0.5 * batch.degraded)
        flipped += mirrored
    assert 30 < flipped < 70


@pytest.mark.parametrize("part", ["validation", "test"])
def test_rated_slices_are_shown_as_they_are(pool: Path, part: str) -> None:
    pixels = [read_pixels(s).tobytes() for s in read_manifest(pool)]
    cases = rated_cases(pool, part, 0)
    assert len(cases) == 6 and all(case.reference.tobytes() in pixels for case in cases)


def test_references_may_be_resampled(pool: Path, pairs: list[Pair], tmp_path: Path) -> None:
    """In their proportions, and before they are degraded; those whose side is 0 stay as they are."""
    made, _ = build_pairs(pool, tmp_path, replace(REALISED, matrix=(128, 32, 0)), silent)
    shapes = {m: {p.reference.shape for p in group} for m, group in grouped(made).items()}
    assert shapes == {"CT": {(128, 112)}, "MR": {(32, 32)}, "US": {(64, 56)}}, "no side below 32 pixels"
    assert all(p.degraded.shape == p.reference.shape for p in made)
    again, _ = build_pairs(pool, tmp_path, REALISED, silent)
    assert [p.reference.tobytes() for p in again] == [p.reference.tobytes() for p in pairs], "a cache of its own"
    same = [(p, q) for p, q in zip(made, pairs, strict=True) if p.modality == "US"]
    assert all(p.degraded.tobytes() == q.degraded.tobytes() for p, q in same)
    (case,) = (c for c in rated_cases(pool, "test", 1, (), (128, 32, 0)) if c.patient == "nysbu-A002304")
    expected = [resample(read_pixels(s), (128, 112)) for s in read_manifest(pool) if s.patient == case.patient]
    assert any(np.array_equal(case.reference, image) for image in expected)
    assert case.measurement.degraded.shape == (128, 112)


def test_patients_may_be_left_out_of_the_rated_slices(pool: Path) -> None:
    everyone = {c.patient for c in rated_cases(pool, "test", 1)}
    rest = {c.patient for c in rated_cases(pool, "test", 1, ["pymskt-knee"])}
    assert rest == everyone - {"pymskt-knee"} != everyone


def test_an_epoch_passes_every_slice_once(pairs: list[Pair]) -> None:
    groups = grouped(pairs)
    numbers = sorted({p.slice_number for p in pairs})
    assert len(numbers) < len(pairs), "slices have several realisations"
    steps = steps_per_epoch(groups, 3)
    assert steps == -(-len(numbers) // 3)
    epochs = [[p for s in range(steps) for p in epoch_pairs(groups, 3, 1, e * steps + s)] for e in range(4)]
    assert all(sorted(p.slice_number for p in epoch) == numbers for epoch in epochs)
    orders = [[p.slice_number for p in epoch] for epoch in epochs]
    assert orders[0] != orders[1], "every epoch has an order of its own"
    assert len({id(p) for epoch in epochs for p in epoch}) > len(numbers), "and realisations of its own"
    again = [p for s in range(steps) for p in epoch_pairs(groups, 3, 1, s)]
    assert [id(p) for p in again] == [id(p) for p in epochs[0]]


def test_batches_and_frames_may_be_drawn_in_epochs(pairs: list[Pair]) -> None:
    groups = grouped(pairs)
    slices = Counter(p.modality for p in {p.slice_number: p for p in pairs}.values())
    count = sum(slices.values())
    batch = draw_batch(groups, count, (16, 16), 0, 0, in_epochs=True)
    frames = draw_frames(groups, count, 0, 0, in_epochs=True)
    assert batch.modality.sum(axis=0).tolist() == [slices[m] for m in MODALITIES]
    assert frames.modality.sum(axis=0).tolist() == [slices[m] for m in MODALITIES]


def test_grey_is_varied_as_a_scanner_would() -> None:
    grey = np.linspace(0.0, 255.0, 256, dtype=np.float32)[None]
    varied = [vary_grey(grey, np.random.default_rng(seed))[0] for seed in range(200)]
    assert all((np.diff(v) >= 0).all() and v.min() >= 0 and v.max() <= 255 for v in varied)
    middle = np.array([v[20] for v in varied])
    assert middle.min() == 0 and middle.max() > 80, "dark tissue may be shown far brighter, or not at all"


def patients(modality: str, count: int) -> list[PoolSlice]:
    """One slice each of so many patients; ultrasound hours apart."""
    names = [
        f"cca-{20220101 + n // 20}{n % 20:02d}0000X" if modality == "US" else f"{modality}-{n}" for n in range(count)
    ]
    return [PoolSlice(Path(f"{n}.jp2"), modality, "somewhere", n, "made", "CC0", False) for n in names]


def shares(split: Split, slices: list[PoolSlice]) -> dict[str, tuple[int, int, int]]:
    return {
        modality: (parts["training"], parts["validation"], parts["test"])
        for modality in MODALITIES
        for parts in [Counter(split.part(s.patient) for s in slices if s.modality == modality)]
    }


def test_the_split_is_70_10_20_within_each_modality() -> None:
    counts = {"CT": 100, "MR": 200, "US": 300}
    slices = [s for modality, n in counts.items() for s in patients(modality, n)]
    expected = {modality: (7 * n // 10, n // 10, n // 5) for modality, n in counts.items()}
    assert shares(split_pool(slices), slices) == expected


def test_patients_held_out_by_name_count_for_the_test_share() -> None:
    slices = patients("CT", 100)
    named = [replace(s, patient=name) for s, name in zip(slices, sorted(HELD_OUT), strict=False)]
    both = named + slices[len(named) :]
    assert shares(split_pool(both), both)["CT"] == (70, 10, 20)
    display = [replace(s, patient=f"display-{s.patient}", display_only=True) for s in slices]
    assert shares(split_pool(both + display), both + display)["CT"] == (170, 10, 20)
