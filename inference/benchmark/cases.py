"""Test cases of a benchmark, from whatever folder they lie in; no patient of the weights is among them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.benchmark.sources import SourceSlice, read_slices
from inference.data.preprocessing import SMALLEST_SIDE, to_side
from inference.methods.base import Measurement


@dataclass(frozen=True)
class BenchmarkCase:
    """One slice: its reference (rows, cols; physical units) and its measurement.

    ``patient`` is the pool's id, or a pseudonym made from the identifiers of the source.
    """

    name: str
    patient: str
    modality: str
    reference: NDArray[np.float32]
    measurement: Measurement


@dataclass(frozen=True)
class CaseSet:
    """The cases, and which patient, slice or file was left out with the reason."""

    cases: list[BenchmarkCase]
    left_out: dict[str, str] = field(default_factory=dict)

    def of(self, modality: str) -> list[BenchmarkCase]:
        return [case for case in self.cases if case.modality == modality]


def load_cases(path: Path, known: frozenset[str], per_patient: int, matrix: int = 0) -> CaseSet:
    """Cases of ``path``. ``known``: patients of the weights' cards, who are refused one by one.

    ``per_patient``: evenly spaced slices of each patient and modality, 0 for all. ``matrix``: the longer side that
    references are resampled to before they are degraded, 0 to keep them; what was measured is never resampled.
    Raises ValueError where no case is left.
    """
    if not path.exists():
        raise FileNotFoundError(f"There is nothing at {path}: give a pool folder or a folder of DICOM with --cases.")
    left_out: dict[str, str] = {}
    slices = []
    for item in read_slices(path, known, left_out):
        if reason := _unfit(item):
            left_out[item.name] = reason
        else:
            slices.append(item)
    cases = []
    for item in _spaced(slices, per_patient):
        try:
            cases.append(_case(item, matrix))
        except ValueError as error:
            left_out[item.name] = str(error).rstrip(".")
    if not cases:
        reasons = "; ".join(f"{name}: {why}" for name, why in list(left_out.items())[:5]) or "it holds no image"
        raise ValueError(f"No case is left at {path} ({reasons}): give cases of patients that no weights have met.")
    return CaseSet(cases, left_out)


def _unfit(item: SourceSlice) -> str:
    """Why a slice can't be measured, or ""."""
    if min(item.image.shape) < SMALLEST_SIDE:
        return f"smaller than {SMALLEST_SIDE} pixels"
    if item.image.min() == item.image.max():
        return "every pixel is the same, so no metric is defined"
    return ""


def _spaced(slices: list[SourceSlice], per_patient: int) -> Iterator[SourceSlice]:
    """``per_patient`` evenly spaced slices of each patient and modality, each name once."""
    groups: dict[tuple[str, str], dict[str, SourceSlice]] = {}
    for item in slices:
        groups.setdefault((item.modality, item.patient), {})[item.name] = item
    for key in sorted(groups):
        members = list(groups[key].values())
        count = min(per_patient or len(members), len(members))
        for position in ((np.arange(count) + 0.5) / count * len(members)).astype(int):
            yield members[position]


def _case(item: SourceSlice, matrix: int) -> BenchmarkCase:
    image, spacing = item.image, item.spacing
    if not item.measured:
        image = to_side(item.image, matrix)
        if spacing is not None:
            rows, cols = image.shape
            spacing = (spacing[0] * item.image.shape[0] / rows, spacing[1] * item.image.shape[1] / cols)
    return BenchmarkCase(item.name, item.patient, item.modality, image, item.measure(image, spacing))


def counted(cases: list[BenchmarkCase]) -> dict[str, tuple[int, int]]:
    """Patients and slices per modality."""
    slices = Counter(case.modality for case in cases)
    patients = {m: len({c.patient for c in cases if c.modality == m}) for m in slices}
    return {m: (patients[m], slices[m]) for m in sorted(slices)}
