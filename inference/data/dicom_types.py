"""What the DICOM reader gives back: reports, progress and cases; imports no pydicom."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from inference.data.geometry import Affine, SliceGeometry

Modality = Literal["CT", "MR", "US"]

CT_INTERCEPT = -1024.0
CT_MIN_HU = -1024.0
CT_MAX_HU = 3071.0


class RefusalError(Exception):
    """A file that cannot become part of a case; the message is the one sentence for its report."""


@dataclass(frozen=True)
class Limits:
    """Ceilings checked before anything is decoded or unpacked."""

    min_side: int = 48
    max_side: int = 8192
    max_frames: int = 5000
    max_file_bytes: int = 2 << 30
    max_case_bytes: int = 1 << 30
    max_zip_members: int = 200_000
    max_zip_bytes: int = 32 << 30
    max_zip_ratio: int = 200


@dataclass(frozen=True)
class FileReport:
    """What became of one file; `index` is its number among all files, `path` is relative to the root."""

    path: str
    status: Literal["accepted", "refused"]
    reason: str
    index: int


@dataclass(frozen=True)
class Progress:
    """Sent before a file is touched: `done` of `total` of this stage are behind us, `path` is next."""

    stage: Literal["unpack", "headers", "pixels"]
    done: int
    total: int
    path: str
    index: int = -1


@dataclass(frozen=True)
class SeriesImage:
    """One case: one patient's geometry-consistent series sorted along its normal, or one cine loop.

    pixels: (n, rows, cols) uint16; physical value = intercept + slope * stored (HU, magnitude, grey 0..255).
    pixel_spacing: (row, column) distance in mm. positions: mm along the normal, or the frame's number.
    patient_key, study_key, series_key: raw identifiers, to be keyed-hashed by the caller and thrown away.
    source_ids: hashes to hold against the training list of a set of weights (see `training_source_ids`).
    files: `index` of the reports of the files it came from.
    affines: of every slice, see `geometry`; empty where the headers say too little (ultrasound, no orientation).
    """

    modality: Modality
    pixels: NDArray[np.uint16]
    slope: float
    intercept: float
    pixel_spacing: tuple[float, float] | None
    slice_spacing: float | None
    positions: tuple[float, ...]
    patient_key: str
    study_key: str
    series_key: str
    source_ids: tuple[str, ...]
    anatomy: str
    plane: str
    notes: tuple[str, ...]
    age_band: str
    sex: str
    device: Mapping[str, str | float]
    burned_in_risk: bool
    face_risk: bool
    files: tuple[int, ...] = field(default=())
    affines: tuple[Affine, ...] = ()

    def geometry(self, number: int) -> SliceGeometry | None:
        """Where the pixels of a slice, counted from 0, lie in the patient."""
        return SliceGeometry(self.affines[number], self.pixels.shape[1:]) if self.affines else None


def patient_source_id(patient_id: str) -> str:
    """Return the hash under which a patient appears in `SeriesImage.source_ids`."""
    return "patient:" + hashlib.sha256(patient_id.strip().encode()).hexdigest()


def slice_source_id(stored: NDArray[np.uint16]) -> str:
    """Return the hash of one slice's stored values as little-endian uint16, row-major."""
    return "slice:" + hashlib.sha256(np.ascontiguousarray(stored, dtype="<u2").tobytes()).hexdigest()


def training_source_ids(patient: str) -> frozenset[str]:
    """Return the patient hashes that a training list's name may stand for.

    Pools name a patient `collection-PatientID`, and both parts may hold hyphens: every tail is a candidate.
    """
    parts = patient.split("-")
    return frozenset(patient_source_id("-".join(parts[start:])) for start in range(len(parts)))
