"""Training pairs from the pool: references, degraded by the physics, in network units; cached."""

from __future__ import annotations

import hashlib
import itertools
import math
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.data.pool import PoolSlice, data_ranges, read_manifest, read_pixels
from inference.data.preprocessing import MODALITIES, intensity_map, one_hot, rotate, to_side
from inference.data.split import Split, split_pool
from inference.methods.base import Measurement
from inference.physics.degrade import degrade, physics_version
from inference.physics.levels import LEVELS
from inference.training.presets import AS_THEY_ARE, Matrix, Preset

MAXIMUM_ROTATION = 10.0  # degrees, applied to the reference before degradation
GAMMA, SHIFT = (0.3, 1.2), (-40.0, 10.0)  # of ultrasound's grey: what dynamic range and gain of a scanner do to it
VARIATION = "2"  # of what is done to references before degradation; part of the cache's name
FEW = 200  # degradations that are not worth starting other processes for
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Pair:
    """A degraded image and its reference in network units, float16 (rows, cols).

    ``slice_number``: which slice of the training it shows; its realisations share it.
    """

    modality: str
    label: str
    degraded: NDArray[np.float16]
    reference: NDArray[np.float16]
    slice_number: int = 0


@dataclass(frozen=True)
class Batch:
    """float32 images (B, 1, rows, columns), one-hot modalities (B, 3) and class labels."""

    degraded: NDArray[np.float32]
    reference: NDArray[np.float32]
    modality: NDArray[np.float32]
    labels: list[str]


@dataclass(frozen=True)
class RatedCase:
    """A held-out slice with its reference, in physical units."""

    patient: str
    reference: NDArray[np.float32]
    measurement: Measurement


def slice_seed(item: PoolSlice, salt: object) -> int:
    """A seed from the file's name, so that a slice is degraded alike in every run."""
    return int.from_bytes(hashlib.sha256(f"{salt} {item.path.name}".encode()).digest()[:6], "big")


def pool_label(item: PoolSlice) -> str:
    """Modality and anatomy, the class the FID-Med network learns."""
    return f"{item.modality} {item.anatomy.split()[0].split('/')[0]}"


def training_slices(slices: Iterable[PoolSlice], split: Split, display_limit: int) -> list[PoolSlice]:
    """Slices of training patients; of display-only slices ``display_limit`` per modality, evenly chosen."""
    chosen = [s for s in slices if split.part(s.patient) == "training"]
    result = [s for s in chosen if not s.display_only]
    for modality in MODALITIES:
        display = [s for s in chosen if s.display_only and s.modality == modality]
        keep = np.linspace(0, len(display) - 1, min(display_limit, len(display))).round().astype(int)
        result += [display[i] for i in keep]
    return result


def vary_grey(grey: NDArray[np.float32], generator: np.random.Generator) -> NDArray[np.float32]:
    """An ultrasound image (0..255) as another setting of dynamic range and gain would show it.

    Noise is added relative to tissue, so that its own grey depends on how bright the scanner shows tissue. A network
    trained at one setting takes a brighter noise floor for tissue.
    """
    gamma, shift = float(np.exp(generator.uniform(*np.log(GAMMA)))), generator.uniform(*SHIFT)
    return np.asarray(np.clip(255.0 * (grey / 255.0) ** gamma + shift, 0.0, 255.0), np.float32)


def _side(item: PoolSlice, matrix: Matrix) -> int:
    return matrix[MODALITIES.index(item.modality)]


def _pair(item: PoolSlice, realisation: int, side: int) -> Pair:
    image = to_side(read_pixels(item), side)
    seed = slice_seed(item, f"training {realisation}")
    if realisation > 0:
        generator = np.random.default_rng(seed)
        angle = generator.uniform(-MAXIMUM_ROTATION, MAXIMUM_ROTATION)
        image = rotate(image, angle, fill=-1024.0 if item.modality == "CT" else 0.0)
        if item.modality == "US":
            image = vary_grey(image, generator)
    level = LEVELS[item.modality].default
    measured = degrade(image, item.modality, level, seed=seed, data_range=1.0)
    scale = intensity_map(item.modality, measured.degraded)
    degraded, reference = (scale.normalise(x).astype(np.float16) for x in (measured.degraded, image))
    return Pair(item.modality, pool_label(item), degraded, reference)


def build_pairs(pool: Path, cache: Path, settings: Preset, progress: Progress) -> tuple[list[Pair], Split]:
    """Pairs of all training slices; realisation 0 upright, later ones rotated. Degraded on every CPU core there is."""
    slices = read_manifest(pool)
    split = split_pool(slices)
    chosen = training_slices(slices, split, settings.display_limit)
    wanted = [
        (s, r, _side(s, settings.matrix))
        for r in range(max(settings.realisations))
        for s in chosen
        if r < settings.realisations[MODALITIES.index(s.modality)]
        and (r < settings.display_realisations or not s.display_only)
    ]
    stamp = hashlib.sha256(
        "|".join(
            [physics_version, VARIATION, *(f"{s.path.name}:{r}{f':{side}' * (side > 0)}" for s, r, side in wanted)]
        ).encode()
    ).hexdigest()
    path = cache / f"pairs-{stamp[:16]}.npz"
    if path.is_file():
        pairs = _load(path)
    else:
        pairs = []
        for pair in _degraded(wanted):
            pairs.append(pair)
            progress(len(pairs), len(wanted), "degrading training slices")
        _store(path, pairs)
    numbers = {item: number for number, item in enumerate(chosen)}
    return [replace(p, slice_number=numbers[s]) for p, (s, _, _) in zip(pairs, wanted, strict=True)], split


def _degraded(wanted: Sequence[tuple[PoolSlice, int, int]]) -> Iterator[Pair]:
    cores = os.cpu_count() or 1
    if len(wanted) < FEW or cores == 1:
        yield from (_pair(*one) for one in wanted)
        return
    with ProcessPoolExecutor(cores, get_context("spawn")) as pool:
        yield from pool.map(_pair, *zip(*wanted, strict=True), chunksize=4)


def _store(path: Path, pairs: list[Pair]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, NDArray[np.generic]] = {
        "modality": np.array([p.modality for p in pairs]),
        "label": np.array([p.label for p in pairs]),
    }
    for i, pair in enumerate(pairs):
        arrays[f"d{i}"], arrays[f"r{i}"] = pair.degraded, pair.reference
    partial = path.with_suffix(".partial.npz")
    with partial.open("wb") as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]
    partial.replace(path)


def _load(path: Path) -> list[Pair]:
    with np.load(path) as stored:
        return [
            Pair(str(m), str(label), stored[f"d{i}"], stored[f"r{i}"])
            for i, (m, label) in enumerate(zip(stored["modality"], stored["label"], strict=True))
        ]


Grouped = Mapping[str, Sequence[Pair]]


def grouped(pairs: Iterable[Pair]) -> dict[str, list[Pair]]:
    """Pairs by modality, those that have any."""
    result: dict[str, list[Pair]] = {}
    for pair in sorted(pairs, key=lambda p: MODALITIES.index(p.modality)):
        result.setdefault(pair.modality, []).append(pair)
    return result


def draw_batch(
    pairs: Grouped,
    size: int,
    crop: tuple[int, int],
    seed: int,
    step: int,
    shares: tuple[int, int, int] = (1, 1, 1),
    in_epochs: bool = False,
) -> Batch:
    """The batch of one step, the same whenever that step is run: modalities by their shares or epochs, crops, flips."""
    generator = np.random.default_rng((seed, step))
    drawn = epoch_pairs(pairs, size, seed, step) if in_epochs else chosen_pairs(pairs, size, step, generator, shares)
    chosen = [_crop(pair, crop, generator) for pair in drawn]
    return Batch(
        np.stack([p.degraded for p in chosen])[:, None].astype(np.float32),
        np.stack([p.reference for p in chosen])[:, None].astype(np.float32),
        np.stack([one_hot(p.modality) for p in chosen]),
        [p.label for p in chosen],
    )


def chosen_pairs(
    pairs: Grouped, size: int, step: int, generator: np.random.Generator, shares: tuple[int, int, int] = (1, 1, 1)
) -> Iterator[Pair]:
    """``size`` pairs of a step, the modalities in turn, CT, MR and US as often as ``shares`` say."""
    groups = [pairs[m] for m, share in zip(MODALITIES, shares, strict=True) for _ in range(share) if m in pairs]
    for i in range(size):
        candidates = groups[(step * size + i) % len(groups)]
        yield candidates[int(generator.integers(len(candidates)))]


def steps_per_epoch(pairs: Grouped, size: int) -> int:
    """Batches that an epoch takes to pass every slice once, however many realisations a slice has."""
    return math.ceil(len(_by_slice(pairs)) / size)


def epoch_pairs(pairs: Grouped, size: int, seed: int, step: int) -> list[Pair]:
    """The pairs of a step of an epoch, at most ``size``; modalities come as often as they have slices.

    Every epoch passes every slice once, in an order and a realisation of its own. Its last batch may be smaller.
    """
    slices = _by_slice(pairs)
    epoch, batch = divmod(step, math.ceil(len(slices) / size))
    generator = np.random.default_rng((seed, epoch))
    order = generator.permutation(len(slices))
    realisations = generator.random(len(slices))
    chosen = order[batch * size : (batch + 1) * size]
    return [slices[i][int(realisations[i] * len(slices[i]))] for i in chosen]


def _by_slice(pairs: Grouped) -> list[list[Pair]]:
    result: dict[int, list[Pair]] = {}
    for pair in itertools.chain.from_iterable(pairs.values()):
        result.setdefault(pair.slice_number, []).append(pair)
    return list(result.values())


def _crop(pair: Pair, crop: tuple[int, int], generator: np.random.Generator) -> Pair:
    # Undersampling artefacts run along the columns and ultrasound comes from above: never rotated or
    # transposed here.
    images = [pair.degraded, pair.reference]
    short = [max(0, wanted - n) for wanted, n in zip(crop, images[0].shape, strict=True)]
    if any(short):
        widths = [(s // 2, s - s // 2) for s in short]
        images = [np.pad(image, widths, mode="symmetric") for image in images]
    row, col = (int(generator.integers(n - wanted + 1)) for wanted, n in zip(crop, images[0].shape, strict=True))
    images = [image[row : row + crop[0], col : col + crop[1]] for image in images]
    if generator.random() < 0.5:
        images = [image[:, ::-1] for image in images]
    return replace(pair, degraded=images[0], reference=images[1])


def rated_slices(slices: Iterable[PoolSlice], split: Split, part: str, left_out: Collection[str]) -> list[PoolSlice]:
    """Slices that stand for a part in validation or test: none for display only, none of a patient left out."""
    kept = [s for s in slices if not s.display_only and s.patient not in left_out]
    return [s for s in kept if split.part(s.patient) == part]


def rated_cases(
    pool: Path, part: str, per_patient: int, left_out: Collection[str] = (), matrix: Matrix = AS_THEY_ARE
) -> list[RatedCase]:
    """Up to ``per_patient`` (0: all) evenly spaced slices of every patient of a part, at the default level.

    ``matrix``: the longer sides that references are resampled to, as in training.
    """
    slices = read_manifest(pool)
    rated = rated_slices(slices, split_pool(slices), part, left_out)
    pixels = [to_side(read_pixels(s), _side(s, matrix)) for s in rated]
    ranges = data_ranges(rated, pixels)
    patients: dict[str, list[int]] = {}
    for index, item in enumerate(rated):
        patients.setdefault(item.patient, []).append(index)
    cases = []
    for patient, indices in patients.items():
        count = min(per_patient or len(indices), len(indices))
        for position in ((np.arange(count) + 0.5) / count * len(indices)).astype(int):
            i = indices[position]
            item = rated[i]
            level = LEVELS[item.modality].default
            seed = slice_seed(item, "rated")
            measured = degrade(pixels[i], item.modality, level, seed=seed, data_range=ranges[i])
            cases.append(RatedCase(patient, pixels[i], measured))
    return cases
