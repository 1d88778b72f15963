"""Test cases of a benchmark: a pool folder with its manifest, or a folder of DICOM; no patient of the weights."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.data.dicom import SeriesImage, read_folder, slice_source_id, training_source_ids
from inference.data.grid import from_stored
from inference.data.pool import data_ranges, read_manifest, read_pixels
from inference.data.preprocessing import resample
from inference.methods.base import Measurement
from inference.metrics.fidelity import FIXED_RANGE
from inference.physics.degrade import degrade
from inference.physics.levels import LEVELS
from inference.training.pairs import slice_seed

SMALLEST_SIDE = 32  # of an image that is measured


@dataclass(frozen=True)
class BenchmarkCase:
    """One slice: its reference (rows, cols; physical units) and its measurement at the default level.

    ``patient`` is the pool's id, or a pseudonym made from the DICOM identifiers.
    """

    name: str
    patient: str
    modality: str
    reference: NDArray[np.float32]
    measurement: Measurement


@dataclass(frozen=True)
class CaseSet:
    """The cases, and who was left out with the reason."""

    cases: list[BenchmarkCase]
    left_out: dict[str, str] = field(default_factory=dict)

    def of(self, modality: str) -> list[BenchmarkCase]:
        return [case for case in self.cases if case.modality == modality]


@dataclass(frozen=True)
class _Slice:
    name: str
    patient: str
    modality: str
    seed: int
    image: NDArray[np.float32]
    spacing: tuple[float, float] | None
    data_range: float


def load_cases(path: Path, known: frozenset[str], per_patient: int, matrix: int = 0) -> CaseSet:
    """Cases of ``path``. ``known``: patients of the weights' cards, who are refused one by one.

    ``per_patient``: evenly spaced slices of each patient and modality, 0 for all. ``matrix``: the longer side that
    references are resampled to before they are degraded, 0 to keep them. Raises ValueError where no case is left.
    """
    if not path.exists():
        raise FileNotFoundError(f"There is nothing at {path}: give a pool folder or a folder of DICOM with --cases.")
    left_out: dict[str, str] = {}
    pooled = (path / "manifest.csv").is_file() and _is_pool(path)
    slices = list(_pool(path, known, left_out) if pooled else _dicom(path, known, left_out))
    empty = {item.patient: "every pixel is the same, so no metric is defined" for item in slices if _flat(item.image)}
    left_out |= empty
    cases = [_case(item, matrix) for item in _spaced([s for s in slices if not _flat(s.image)], per_patient)]
    if not cases:
        reasons = "; ".join(f"{name}: {why}" for name, why in list(left_out.items())[:5]) or "it holds no image"
        raise ValueError(f"No case is left at {path} ({reasons}): give cases of patients that no weights have met.")
    return CaseSet(cases, left_out)


def _flat(image: NDArray[np.float32]) -> bool:
    return bool(image.min() == image.max())


def _is_pool(path: Path) -> bool:
    header = (path / "manifest.csv").read_text().partition("\n")[0].split(",")
    return {"file", "modality", "patient", "value"} <= set(header)


def _pool(path: Path, known: frozenset[str], left_out: dict[str, str]) -> Iterator[_Slice]:
    rated = []
    for item in read_manifest(path):
        if item.patient in known:
            left_out[item.patient] = "in the training or validation list of the weights"
        elif item.display_only:
            left_out[item.patient] = "8-bit display images are no ground truth"
        else:
            rated.append(item)
    pixels = [read_pixels(item) for item in rated]
    for item, image, data_range in zip(rated, pixels, data_ranges(rated, pixels), strict=True):
        yield _Slice(item.path.stem, item.patient, item.modality, slice_seed(item, "rated"), image, None, data_range)


def _dicom(path: Path, known: frozenset[str], left_out: dict[str, str]) -> Iterator[_Slice]:
    hashes = {name for patient in known for name in training_source_ids(patient)}
    for event in read_folder(path):
        if not isinstance(event, SeriesImage):
            continue
        patient = "P-" + hashlib.sha256(event.patient_key.encode()).hexdigest()[:8]
        if hashes & set(event.source_ids):
            left_out[patient] = "in the training or validation list of the weights"
            continue
        if min(event.pixels.shape[1:]) < SMALLEST_SIDE:
            left_out[patient] = f"smaller than {SMALLEST_SIDE} pixels"
            continue
        images = [from_stored(stored, event.slope, event.intercept) for stored in event.pixels]
        largest = max(1.0, max(float(image.max()) for image in images))
        for stored, image in zip(event.pixels, images, strict=True):
            digest = slice_source_id(stored).removeprefix("slice:")
            name, seed = f"{patient}_{digest[:10]}", int(digest[:12], 16)
            data_range = FIXED_RANGE.get(event.modality, largest)
            yield _Slice(name, patient, event.modality, seed, image, event.pixel_spacing, data_range)


def _spaced(slices: list[_Slice], per_patient: int) -> Iterator[_Slice]:
    """``per_patient`` evenly spaced slices of each patient and modality, each name once."""
    groups: dict[tuple[str, str], dict[str, _Slice]] = {}
    for item in slices:
        groups.setdefault((item.modality, item.patient), {})[item.name] = item
    for key in sorted(groups):
        members = list(groups[key].values())
        count = min(per_patient or len(members), len(members))
        for position in ((np.arange(count) + 0.5) / count * len(members)).astype(int):
            yield members[position]


def _case(item: _Slice, matrix: int) -> BenchmarkCase:
    image, spacing = item.image, item.spacing
    if matrix and max(image.shape) != matrix:
        size = tuple(max(SMALLEST_SIDE, round(n * matrix / max(item.image.shape))) for n in item.image.shape)
        image = resample(item.image, (size[0], size[1]))
        if spacing is not None:
            spacing = (spacing[0] * item.image.shape[0] / size[0], spacing[1] * item.image.shape[1] / size[1])
    level = LEVELS[item.modality].default
    measured = degrade(image, item.modality, level, seed=item.seed, pixel_spacing=spacing, data_range=item.data_range)
    return BenchmarkCase(item.name, item.patient, item.modality, image, measured)


def counted(cases: list[BenchmarkCase]) -> dict[str, tuple[int, int]]:
    """Patients and slices per modality."""
    slices = Counter(case.modality for case in cases)
    patients = {m: len({c.patient for c in cases if c.modality == m}) for m in slices}
    return {m: (patients[m], slices[m]) for m in sorted(slices)}
