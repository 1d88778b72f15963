"""Where a benchmark's slices come from: an image pool, DICOM, measured k-space, or full- and low-dose pairs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.data.dicom import (
    FileReport,
    SeriesImage,
    patient_source_id,
    read_folder,
    slice_source_id,
    training_source_ids,
)
from inference.data.dose_pairs import DosePair, library_folders, read_dose_pair, require_no_low_dose
from inference.data.fastmri import crop_readout, read_fastmri, single_coil
from inference.data.grid import from_stored
from inference.data.pool import data_ranges, read_manifest, read_pixels
from inference.methods.base import Measurement
from inference.metrics.fidelity import FIXED_RANGE
from inference.physics import mri
from inference.physics.degrade import degrade, degrade_k_space
from inference.physics.levels import LEVELS
from inference.training.pairs import slice_seed

KNOWN = "in the training or validation list of the weights"
DISPLAY = "8-bit display images are no ground truth"


@dataclass(frozen=True)
class SourceSlice:
    """One reference slice (rows, cols; physical units) and how its measurement is made at the default level.

    ``measured``: the measurement comes from measured data, and the reference must not be resampled.
    """

    name: str
    patient: str
    modality: str
    image: NDArray[np.float32]
    spacing: tuple[float, float] | None
    measure: Callable[[NDArray[np.float32], tuple[float, float] | None], Measurement]
    measured: bool = False


def read_slices(path: Path, known: frozenset[str], left_out: dict[str, str]) -> Iterator[SourceSlice]:
    """Every slice at ``path``; ``left_out`` takes who is refused and why. ``known``: the weights' patients."""
    hashes = {name for patient in known for name in training_source_ids(patient)}
    if (path / "manifest.csv").is_file() and _is_pool(path):
        return _pool(path, known, left_out)
    if path.suffix == ".h5" or any(path.glob("**/*.h5")):
        return _k_space(path, hashes, left_out)
    if pairs := library_folders(path):
        return _pairs(pairs, hashes, left_out)
    require_no_low_dose(path)
    return _dicom(path, hashes, left_out)


def _is_pool(path: Path) -> bool:
    header = (path / "manifest.csv").read_text().partition("\n")[0].split(",")
    return {"file", "modality", "patient", "value"} <= set(header)


def pseudonym(patient_key: str) -> str:
    """What a raw identifier is called in tables and file names."""
    return "P-" + hashlib.sha256(patient_key.encode()).hexdigest()[:8]


def _simulated(modality: str, seed: int, data_range: float) -> Callable[..., Measurement]:
    def measure(image: NDArray[np.float32], spacing: tuple[float, float] | None) -> Measurement:
        level = LEVELS[modality].default
        return degrade(image, modality, level, seed=seed, pixel_spacing=spacing, data_range=data_range)

    return measure


def _pool(path: Path, known: frozenset[str], left_out: dict[str, str]) -> Iterator[SourceSlice]:
    rated = []
    for item in read_manifest(path):
        if item.patient in known:
            left_out[item.patient] = KNOWN
        elif item.display_only:
            left_out[item.patient] = DISPLAY
        else:
            rated.append(item)
    pixels = [read_pixels(item) for item in rated]
    for item, image, data_range in zip(rated, pixels, data_ranges(rated, pixels), strict=True):
        measure = _simulated(item.modality, slice_seed(item, "rated"), data_range)
        yield SourceSlice(item.path.stem, item.patient, item.modality, image, None, measure)


def _dicom(path: Path, hashes: set[str], left_out: dict[str, str]) -> Iterator[SourceSlice]:
    for event in read_folder(path):
        if isinstance(event, FileReport):
            _refused(event, f"file {event.index + 1}", left_out)
        if not isinstance(event, SeriesImage):
            continue
        patient = pseudonym(event.patient_key)
        if hashes & set(event.source_ids):
            left_out[patient] = KNOWN
            continue
        images = [from_stored(stored, event.slope, event.intercept) for stored in event.pixels]
        largest = max(1.0, max(float(image.max()) for image in images))
        for stored, image in zip(event.pixels, images, strict=True):
            digest = slice_source_id(stored).removeprefix("slice:")
            measure = _simulated(event.modality, int(digest[:12], 16), FIXED_RANGE.get(event.modality, largest))
            name = f"{patient}_{digest[:10]}"
            yield SourceSlice(name, patient, event.modality, image, event.pixel_spacing, measure)


def _refused(report: FileReport, which: str, left_out: dict[str, str]) -> None:
    """Name a file that the reader refused, without its folders, which are often called after people."""
    if report.status == "refused":
        left_out[f"{Path(report.path).name} ({which})"] = report.reason.rstrip(".")


def _k_space(path: Path, hashes: set[str], left_out: dict[str, str]) -> Iterator[SourceSlice]:
    """Fully sampled fastMRI volumes: several coils are combined to one, readout oversampling is cut off."""
    for file in [path] if path.is_file() else sorted(path.glob("**/*.h5")):
        try:
            volume = read_fastmri(file)
        except ValueError as error:
            left_out[file.name] = str(error).rstrip(".")
            continue
        patient = pseudonym(volume.patient_key or file.stem)
        if patient_source_id(volume.patient_key) in hashes:
            left_out[patient] = KNOWN
            continue
        if volume.mask is not None:
            left_out[file.name] = "its k-space is undersampled, so there is no reference"
            continue
        spaces = [single_coil(crop_readout(one, min(volume.target[0], one.shape[-2]))) for one in volume.k_space]
        images = [np.abs(mri.to_image(space)).astype(np.float32) for space in spaces]
        data_range = max(float(image.max()) for image in images)
        for index, (space, image) in enumerate(zip(spaces, images, strict=True)):
            seed = int(hashlib.sha256(f"{file.stem} {index}".encode()).hexdigest()[:12], 16)
            measure = partial(
                _undersampled, space, seed, data_range, volume.lines if volume.coils > 1 else None, volume.coils > 1
            )
            name = f"{patient}_{file.stem}_{index:03}"
            yield SourceSlice(name, patient, "MR", image, volume.pixel_spacing, measure, measured=True)


def _undersampled(
    space: NDArray[np.complex64],
    seed: int,
    data_range: float,
    lines: tuple[int, int] | None,
    emulated: bool,
    image: NDArray[np.float32],
    spacing: tuple[float, float] | None,
) -> Measurement:
    return degrade_k_space(
        space, LEVELS["MR"].default, seed=seed, pixel_spacing=spacing, data_range=data_range, lines=lines,
        emulated_coil=emulated,
    )  # fmt: skip


def _pairs(folders: tuple[Path, ...], hashes: set[str], left_out: dict[str, str]) -> Iterator[SourceSlice]:
    """The low-dose image as it was made, beside its full-dose slice; the dose share is that of the headers."""
    for folder in folders:
        try:
            pair = read_dose_pair(folder)
        except ValueError as error:
            left_out[folder.name] = str(error).rstrip(".")
            continue
        patient = pseudonym(pair.patient_key)
        if patient_source_id(pair.patient_key.partition("\\")[0]) in hashes:  # the rest names who issued the id
            left_out[patient] = KNOWN
            continue
        _incomplete(pair, patient, left_out)
        parameters = {"dose": f"measured pair, share read from {pair.dose_source}", "dose_share": pair.dose_share}
        for index, (full, low) in enumerate(zip(pair.full, pair.low, strict=True)):
            made = Measurement(
                low, "CT", pair.pixel_spacing, pair.dose_share, FIXED_RANGE["CT"], index, None, None, parameters
            )
            name = f"{patient}_{index:04}"
            yield SourceSlice(name, patient, "CT", full, pair.pixel_spacing, lambda *_, made=made: made, measured=True)


def _incomplete(pair: DosePair, patient: str, left_out: dict[str, str]) -> None:
    """Name what of a pair's two series could not be used."""
    for number, report in enumerate(pair.refused, start=1):
        _refused(report, f"refused file {number} of {patient}", left_out)
    if alone := len(pair.unmatched_full) + len(pair.unmatched_low):
        left_out[f"{alone} of {patient}"] = "slices that exist at one dose only"
