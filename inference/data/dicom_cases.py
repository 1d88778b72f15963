"""Turn a group of frames into a case: physical values on a 16-bit grid, reduced to the largest matrix."""

import hashlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.data import dicom_describe as describe
from inference.data.dicom_geometry import affines_of
from inference.data.dicom_grouping import Group, Item
from inference.data.dicom_headers import Frame, Header
from inference.data.dicom_pixels import decode_frames
from inference.data.dicom_types import (
    CT_INTERCEPT,
    CT_MAX_HU,
    CT_MIN_HU,
    Limits,
    RefusalError,
    SeriesImage,
    patient_source_id,
    slice_source_id,
)

DUPLICATE = "Duplicate of another file of the same series: nothing to do."
TOO_LARGE = "The series is larger than this installation reads as one case: import fewer of its slices."
NEGATIVE_NOTE = "negative values of the source set to zero"
# A face can be rebuilt from a head volume of about this extent along its normal.
FACE_EXTENT_MM = 100.0
FACE_SLICES = 50


@dataclass
class GroupOutcome:
    """What became of a group: its image, where any slice could be read, and the files' fate."""

    image: SeriesImage | None = None
    accepted: set[int] = field(default_factory=set)
    refused: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Sources:
    """A series' files: per SOP instance its copies, the best first; where each lies; pixels met so far."""

    copies: dict[int, tuple[Header, ...]]
    paths: dict[int, Path]
    seen: set[bytes] = field(default_factory=set)


@dataclass
class _Stack:
    """Slices while they are read: one slot per item, filled as files decode."""

    pixels: NDArray[np.uint16]
    slope: float
    intercept: float
    factor: int
    filled: NDArray[np.bool_]
    notes: dict[str, None] = field(default_factory=dict)
    native_ids: list[str] = field(default_factory=list)
    inverted: bool | None = None


class _Overflow(Exception):
    """A magnitude that does not fit 16 bits at the source's slope."""

    def __init__(self, largest: float) -> None:
        super().__init__(largest)
        self.largest = largest


def read_group(
    group: Group, sources: Sources, max_matrix: int, limits: Limits
) -> Generator[Header, None, GroupOutcome]:
    """Yield each file's header before it is decoded; return the outcome."""
    slope = min(abs(item.frame.slope) for item in group.items)
    while True:
        outcome = GroupOutcome()
        try:
            stack = _empty_stack(group, slope, max_matrix, limits)
        except (RefusalError, MemoryError) as refusal:
            reason = str(refusal) if isinstance(refusal, RefusalError) else TOO_LARGE
            outcome.refused = {item.header.index: reason for item in group.items}
            return outcome
        try:
            seen = set(sources.seen)
            yield from _fill(group, stack, sources, seen, outcome)
        except _Overflow as overflow:
            slope = overflow.largest / 65535
            continue
        sources.seen.update(seen)
        if stack.filled.any():
            outcome.image = _image(group, stack, outcome)
        return outcome


def _empty_stack(group: Group, slope: float, max_matrix: int, limits: Limits) -> _Stack:
    first = group.items[0].header
    factor = -(-max(first.rows, first.cols) // max_matrix)
    shape = (len(group.items), first.rows // factor, first.cols // factor)
    if shape[0] * shape[1] * shape[2] * 2 > limits.max_case_bytes or 0 in shape:
        raise RefusalError(TOO_LARGE)
    grid = {"CT": (1.0, CT_INTERCEPT), "MR": (slope, 0.0), "US": (1.0, 0.0)}[first.modality]
    return _Stack(np.zeros(shape, np.uint16), *grid, factor, np.zeros(shape[0], np.bool_))


def _fill(group: Group, stack: _Stack, sources: Sources, seen: set[bytes], outcome: GroupOutcome) -> Iterator[Header]:
    by_file: dict[int, list[int]] = {}
    for slot, item in enumerate(group.items):
        by_file.setdefault(item.header.index, []).append(slot)
    for index in sorted(by_file):
        slots = sorted(by_file[index], key=lambda slot: group.items[slot].frame.number)
        spare = list(sources.copies[index])
        while spare:
            header = spare.pop(0)
            yield header
            try:
                _read_file(group, slots, header, sources.paths[header.index], stack, seen)
            except RefusalError as refusal:
                stack.filled[slots] = False
                outcome.refused[header.index] = str(refusal)
                continue
            outcome.accepted.add(header.index)
            outcome.refused.update({copy.index: DUPLICATE for copy in spare})
            break


def _read_file(group: Group, slots: list[int], header: Header, path: Path, stack: _Stack, seen: set[bytes]) -> None:
    wanted = [group.items[slot].frame.number for slot in slots]
    if max(wanted) >= len(header.frames) or (header.rows, header.cols) != _shape(group.items[0]):
        raise RefusalError(DUPLICATE)
    single = len(header.frames) == 1
    for slot, (raw, notes) in zip(slots, decode_frames(path, header, wanted), strict=True):
        digest = hashlib.sha256(raw.tobytes()).digest()
        # Blank slices are alike without being copies, and so are the still frames of a cine.
        if single and raw.min() != raw.max():
            if digest in seen:
                raise RefusalError(DUPLICATE)
            seen.add(digest)
        frame = header.frames[group.items[slot].frame.number]
        physical = _physical(raw, header, frame, stack)
        if stack.factor > 1:
            stack.native_ids.append(slice_source_id(_quantise(physical, stack, header.modality)))
            physical = reduce_by_area(physical, stack.factor)
        stack.pixels[slot] = _quantise(physical, stack, header.modality)
        stack.filled[slot] = True
        stack.notes |= dict.fromkeys(header.notes + notes)


def _shape(item: Item) -> tuple[int, int]:
    return item.header.rows, item.header.cols


def _physical(raw: NDArray[np.int32], header: Header, frame: Frame, stack: _Stack) -> NDArray[np.float64]:
    """Return HU, magnitude or grey of one frame, before clipping."""
    if header.modality == "US":
        return (255 - raw if header.monochrome1 else raw).astype(np.float64)
    if header.modality == "CT":
        hounsfield = raw * frame.slope + frame.intercept
        if header.monochrome1:
            hounsfield = _ct_monochrome1(hounsfield, raw, header, frame, stack)
        if header.padding is not None:
            _blank_padding(hounsfield, raw, header.padding, frame)
        return np.asarray(np.clip(hounsfield, CT_MIN_HU, CT_MAX_HU), np.float64)
    values = _inverted(raw, header) if header.monochrome1 else raw
    magnitude = values * frame.slope + frame.intercept
    # Half a step below zero is rounding of the source's intercept, not a negative measurement.
    if magnitude.min() < -0.5 * abs(frame.slope):
        stack.notes[NEGATIVE_NOTE] = None
    return np.asarray(np.maximum(magnitude, 0.0), np.float64)


def _inverted(raw: NDArray[np.int32], header: Header) -> NDArray[np.int32]:
    top = (1 << header.bits_stored) - 1
    return (-1 - raw) if header.signed else (top - raw)


def _ct_monochrome1(
    hounsfield: NDArray[Any], raw: NDArray[np.int32], header: Header, frame: Frame, stack: _Stack
) -> NDArray[Any]:
    """Invert a CT marked MONOCHROME1 only where its numbers are inverted: its rim (air) is then brightest.

    By the standard MONOCHROME1 is a matter of display and leaves Hounsfield units alone; writers differ.
    """
    if stack.inverted is None:
        rim = np.concatenate([hounsfield[0], hounsfield[-1], hounsfield[:, 0], hounsfield[:, -1]])
        stack.inverted = bool(np.median(rim) > np.percentile(hounsfield, 90) - 100 and np.median(rim) > -500)
    if not stack.inverted:
        stack.notes["MONOCHROME1 source, Hounsfield units kept"] = None
        return hounsfield
    stack.notes["MONOCHROME1 source inverted"] = None
    return _inverted(raw, header) * frame.slope + frame.intercept


def _blank_padding(hounsfield: NDArray[Any], raw: NDArray[np.int32], padding: tuple[int, int], frame: Frame) -> None:
    """Set padding outside the scanner's circle to air; a value that tissue can have too only at the rim."""
    outside = (raw >= padding[0]) & (raw <= padding[1])
    if padding[1] * frame.slope + frame.intercept > -900:
        labels, _ = ndimage.label(outside)
        rim = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
        outside = np.isin(labels, np.unique(rim[rim > 0]))
    hounsfield[outside] = CT_MIN_HU


def reduce_by_area(image: NDArray[np.float64], factor: int) -> NDArray[np.float64]:
    """Average blocks of factor x factor pixels; the remainder, less than one block, is cut off all round."""
    rows, cols = image.shape[0] // factor, image.shape[1] // factor
    top, left = (image.shape[0] - rows * factor) // 2, (image.shape[1] - cols * factor) // 2
    whole = image[top : top + rows * factor, left : left + cols * factor]
    return np.asarray(whole.reshape(rows, factor, cols, factor).mean(axis=(1, 3)), np.float64)


def _quantise(physical: NDArray[np.float64], stack: _Stack, modality: str) -> NDArray[np.uint16]:
    stored = np.rint((physical - stack.intercept) / stack.slope)
    if stored.max() > 65535:
        raise _Overflow(float(physical.max()))
    return np.asarray(stored, np.uint16)


def _image(group: Group, stack: _Stack, outcome: GroupOutcome) -> SeriesImage:
    kept = [item for item, filled in zip(group.items, stack.filled, strict=True) if filled]
    pixels = stack.pixels if bool(stack.filled.all()) else stack.pixels[stack.filled]
    first = kept[0]
    header, frame = first.header, first.frame
    positions = tuple(item.place for item in kept)
    spatial = header.modality != "US" and frame.position is not None and len(kept) > 1
    gaps = np.diff(positions) if spatial else np.zeros(0)
    spacing = float(np.median(gaps)) if gaps.size else None
    if gaps.size and float(np.ptp(gaps)) > 0.1 * float(np.median(gaps)) + 0.01:
        stack.notes["slice distances are uneven"] = None
    if stack.factor > 1:
        stack.notes[f"reduced by {stack.factor} by area mean from {header.rows} x {header.cols}"] = None
    if group.siblings > 1 and header.modality != "US":
        stack.notes[f"one of {group.siblings} groups of its series"] = None
    mm = frame.spacing
    slice_ids = dict.fromkeys([slice_source_id(part) for part in pixels] + stack.native_ids)
    return SeriesImage(
        modality=header.modality,  # type: ignore[arg-type]  # one of the three by modality_of_class
        pixels=pixels,
        slope=stack.slope,
        intercept=stack.intercept,
        pixel_spacing=None if mm is None else (mm[0] * stack.factor, mm[1] * stack.factor),
        slice_spacing=spacing,
        positions=positions,
        patient_key=header.patient_key,
        study_key=header.study_key,
        series_key=header.series_key,
        source_ids=(patient_source_id(header.patient_id), *slice_ids),
        anatomy=header.anatomy,
        plane=describe.plane(frame.orientation) if header.modality != "US" else "",
        notes=tuple(stack.notes),
        age_band=header.age_band,
        sex=header.sex,
        device=header.device,
        burned_in_risk=any(item.header.burned_in_risk for item in kept),
        face_risk=_face_risk(header, spacing, len(kept)),
        files=tuple(sorted(outcome.accepted)),
        affines=() if header.modality == "US" else affines_of(kept, stack.factor),
    )


def _face_risk(header: Header, spacing: float | None, slices: int) -> bool:
    if header.modality == "US" or header.anatomy != "head":
        return False
    return slices * spacing >= FACE_EXTENT_MM if spacing else slices >= FACE_SLICES
