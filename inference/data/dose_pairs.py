"""Reader of CT pairs at full and reduced dose, laid out like the public low-dose CT image and projection library.

One folder per patient (L067, C002, N012), in it, at any depth, a series folder whose name or series description says
"Full Dose Images" and one that says "Low Dose Images"; projections and other series are passed over (Moen et al. 2021,
doi 10.1002/mp.14594). Pixels come from the one DICOM reader. The dose share is what the headers say, never what a
collection is known for: see `DOSE_FIELDS`. Slices are paired by their place in the patient, not by number or name.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from inference.data.dicom import FileReport, Limits, RefusalError, SeriesImage, read_folder
from inference.data.dicom_describe import number, slice_normal, text
from inference.data.dicom_headers import Frame, read_header
from inference.data.grid import from_stored

# The first field that every paired slice states in both series, and states differently, gives the share. Exposure is
# proportional to dose at one tube voltage only.
DOSE_FIELDS = (
    "CTDIvol (0018,9345)",
    "ExposureInuAs (0018,1153)",
    "Exposure (0018,1152)",
    "XRayTubeCurrent (0018,1151) x ExposureTime (0018,1150)",
)
_TAGS = ("CTDIvol", "ExposureInuAs", "Exposure", "XRayTubeCurrent", "ExposureTime", "KVP", "FrameOfReferenceUID")
_SERIES = re.compile(r"(?<![a-z])(full|low)[ _-]?dose[ _-]images?(?![a-z])", re.IGNORECASE)
_NAMES = {"full": "Full Dose Images", "low": "Low Dose Images"}
_MAX_MATRIX = 8192  # larger than any CT: pixels are never reduced here
PLACE_TOLERANCE = 0.01  # mm between the first pixels of two slices of one place
DIRECTION_TOLERANCE = 1e-4
SAME_DOSE = 0.005  # shares this close to 1 are a field copied from the full-dose scan
DESCRIBED = 8  # files of a folder that are asked for their series before it counts as no images
NO_DOSE = (
    "The headers of the two series state no different doses: both need CTDIvol (0018,9345), Exposure (0018,1152 or, "
    "in uAs, 0018,1153) at one KVP, or XRayTubeCurrent (0018,1151) with ExposureTime (0018,1150), in every slice."
)
NO_FRAME = "no frame of reference in the headers, the pair rests on patient and positions"


@dataclass(frozen=True)
class DosePair:
    """The slices of one patient that exist at both doses, in the order of their places along the normal.

    full, low: float32 (n, rows, cols), whole HU from -1024 to 3071.
    dose_share: dose of `low` over dose of `full`, the median over the slices; dose_share_range: least and largest.
    dose_source: the one of `DOSE_FIELDS` it was read from.
    pixel_spacing: (row, column) mm. orientation: row and column direction. positions: (x, y, z) mm of the first pixel
    of every slice in the patient.
    unmatched_full, unmatched_low: positions of slices without a partner, which are left out.
    refused: the reports of files of both series that could not be read; paths are relative to their series folder.
    patient_key: the raw identifier, to be keyed-hashed by the caller and thrown away.
    """

    full: NDArray[np.float32]
    low: NDArray[np.float32]
    dose_share: float
    dose_share_range: tuple[float, float]
    dose_source: str
    pixel_spacing: tuple[float, float]
    orientation: tuple[float, ...]
    positions: tuple[tuple[float, ...], ...]
    unmatched_full: tuple[tuple[float, ...], ...]
    unmatched_low: tuple[tuple[float, ...], ...]
    refused: tuple[FileReport, ...]
    patient_key: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Slice:
    """Place and dose of one slice; `doses` in the order of `DOSE_FIELDS`, None where the header is silent."""

    position: tuple[float, ...]
    doses: tuple[float | None, ...]
    kvp: float | None
    frame_of_reference: str


@dataclass(frozen=True)
class _Series:
    image: SeriesImage
    slices: tuple[_Slice, ...]
    orientation: tuple[float, ...]
    refused: tuple[FileReport, ...]


def patient_folders(root: Path) -> tuple[Path, ...]:
    """Return the folders directly below a library that hold anything, by name; ValueError where there are none."""
    found = tuple(sorted(p for p in root.iterdir() if p.is_dir() and not p.is_symlink())) if root.is_dir() else ()
    if not found:
        raise ValueError(f"{root} holds no patient folders: give the folder in which L067, C002 and so on lie.")
    return found


def library_folders(root: Path) -> tuple[Path, ...]:
    """Return the patients' folders of a library of dose pairs, () where no series below it says that it is low-dose.

    Every folder directly below the library is a patient's, whether its own series are complete or not; a folder that
    has the named series right in it is one patient's.
    """
    if not root.is_dir() or not any(p.is_dir() and not p.is_symlink() for p in root.iterdir()):
        return ()
    patients = patient_folders(root)
    named = [pair for patient in patients for pair in _named_series(patient)]
    if not any(kind == "low" for kind, _ in named):
        return ()
    return (root,) if all(folder.parent == root for _, folder in named) else patients


def read_dose_pair(patient: Path) -> DosePair:
    """Read both series of a patient's folder and pair their slices.

    Raises ValueError, always one sentence, where a series is missing or unreadable, the two are not of one patient,
    frame of reference and geometry, no slice has a partner, or the headers do not tell the doses apart.
    """
    folders = _series_folders(patient)
    full, low = (_read_series(folders[kind], kind) for kind in ("full", "low"))
    _check_same_scan(full, low)
    pairs = _match(full.slices, low.slices)
    if not pairs:
        raise ValueError("No slice of the two series lies at the same place: give the two reconstructions of one scan.")
    ours, theirs = [i for i, _ in pairs], [j for _, j in pairs]
    source, shares = _dose_shares([(full.slices[i], low.slices[j]) for i, j in pairs])
    notes = dict.fromkeys(full.image.notes + low.image.notes)
    if not full.slices[0].frame_of_reference:
        notes[NO_FRAME] = None
    spacing = full.image.pixel_spacing
    assert spacing is not None  # _check_same_scan refuses series without it
    return DosePair(
        full=_hounsfield(full.image, ours),
        low=_hounsfield(low.image, theirs),
        dose_share=float(np.median(shares)),
        dose_share_range=(float(shares.min()), float(shares.max())),
        dose_source=source,
        pixel_spacing=spacing,
        orientation=full.orientation,
        positions=tuple(full.slices[i].position for i in ours),
        unmatched_full=tuple(s.position for i, s in enumerate(full.slices) if i not in set(ours)),
        unmatched_low=tuple(s.position for j, s in enumerate(low.slices) if j not in set(theirs)),
        refused=full.refused + low.refused,
        patient_key=full.image.patient_key,
        notes=tuple(notes),
    )


def _series_folders(patient: Path) -> dict[str, Path]:
    """Return the one series folder of each kind."""
    named = _named_series(patient)
    result = {}
    for kind, name in _NAMES.items():
        found = [folder for which, folder in named if which == kind]
        if len(found) != 1:
            count = "no series" if not found else "more than one series"
            raise ValueError(f"The patient's folder holds {count} of {name}: give one of full and one of low dose.")
        result[kind] = found[0]
    return result


def _named_series(patient: Path) -> list[tuple[str, Path]]:
    """Return kind and folder of the series of images, known by the folder's name or else by its series description."""
    with_files = sorted(Path(folder) for folder, _, names in os.walk(patient) if names)
    named = [(_kind(folder.name) or _kind(_description(folder)), folder) for folder in with_files]
    return [(kind, folder) for kind, folder in named if kind]


def _kind(name: str) -> str:
    match = _SERIES.search(name)
    return match[1].lower() if match else ""


def _description(folder: Path) -> str:
    """Return what the first image of a folder says of its series; "" where the reader opens none of the first files."""
    said = (_said(path) for path in islice(sorted(p for p in folder.iterdir() if not p.is_dir()), DESCRIBED))
    return next((description for description in said if description is not None), "")


def _said(path: Path) -> str | None:
    """Return what an image says of its series, None where the reader does not open the file."""
    if path.is_symlink() or not path.is_file():
        return None
    try:
        read_header(path, 0, path.name, Limits())
    except (RefusalError, OSError):
        return None
    ds = pydicom.dcmread(path, specific_tags=["SeriesDescription"], stop_before_pixels=True)
    return text(ds, "SeriesDescription")


def require_no_low_dose(root: Path) -> None:
    """ValueError where an image of what is no library says that it is of a low-dose series, and so no reference."""
    for folder, _, names in os.walk(root):
        if any(_kind(_said(Path(folder) / name) or "") == "low" for name in sorted(names)):
            raise ValueError(
                "Low-dose images lie among these cases, and would be taken for references: "
                "put each series into a folder of its own, and both into one folder per patient."
            )


def _read_series(folder: Path, kind: str) -> _Series:
    reports: list[FileReport] = []
    images: list[SeriesImage] = []
    for event in read_folder(folder, max_matrix=_MAX_MATRIX):
        if isinstance(event, FileReport):
            reports.append(event)
        elif isinstance(event, SeriesImage):
            images.append(event)
    if not images:
        reason = reports[0].reason if reports else "it holds no file."
        raise ValueError(f"The series of {_NAMES[kind]} cannot be read: {reason}")
    if len(images) > 1 or images[0].modality != "CT":
        raise ValueError(f"The series of {_NAMES[kind]} is not one CT volume: leave the slices of one series there.")
    places: dict[float, tuple[_Slice, Frame]] = {}
    for report in reports:
        if report.status == "accepted":
            places |= _slices(folder / report.path, report)
    found = [places.get(round(place, 3)) for place in images[0].positions]
    kept = [pair for pair in found if pair is not None]
    if len(kept) < len(found) or images[0].pixel_spacing is None:
        raise ValueError(f"Slices of {_NAMES[kind]} lack position, orientation or spacing: export the series again.")
    refused = tuple(report for report in reports if report.status == "refused")
    return _Series(images[0], tuple(one for one, _ in kept), kept[0][1].orientation or (), refused)


def _slices(path: Path, report: FileReport) -> dict[float, tuple[_Slice, Frame]]:
    """Return the slices of an accepted file by their place along the normal, as the reader computes it."""
    header = read_header(path, report.index, report.path, Limits())
    ds = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(_TAGS))
    doses, kvp, frame_of_reference = _doses(ds), number(ds, "KVP"), text(ds, "FrameOfReferenceUID")
    result = {}
    for frame in header.frames:
        if frame.position is not None and frame.orientation is not None:
            place = float(np.dot(slice_normal(frame.orientation), frame.position))
            result[round(place, 3)] = _Slice(frame.position, doses, kvp, frame_of_reference), frame
    return result


def _doses(ds: Dataset) -> tuple[float | None, ...]:
    current, time = number(ds, "XRayTubeCurrent"), number(ds, "ExposureTime")
    product = current * time if current is not None and time is not None else None
    return (number(ds, "CTDIvol"), number(ds, "ExposureInuAs"), number(ds, "Exposure"), product)


def _check_same_scan(full: _Series, low: _Series) -> None:
    if full.image.patient_key != low.image.patient_key:
        raise ValueError("The two series are of different patients: give both series of one patient.")
    frames = {s.frame_of_reference for series in (full, low) for s in series.slices}
    if len(frames) > 1:
        raise ValueError("The two series have different frames of reference: give two reconstructions of one scan.")
    if full.image.pixels.shape[1:] != low.image.pixels.shape[1:]:
        raise ValueError("The two series have different rows and columns: give two reconstructions on one matrix.")
    for ours, theirs in (
        (full.image.pixel_spacing, low.image.pixel_spacing),
        (full.orientation, low.orientation),
    ):
        if ours is None or theirs is None or not np.allclose(ours, theirs, rtol=0, atol=DIRECTION_TOLERANCE):
            raise ValueError("The two series differ in orientation or pixel spacing: give two of one geometry.")


def _match(full: tuple[_Slice, ...], low: tuple[_Slice, ...]) -> list[tuple[int, int]]:
    """Return pairs of slices at one place in the patient."""
    places = np.array([s.position for s in low])
    pairs = []
    for index, one in enumerate(full):
        distances = np.linalg.norm(places - np.array(one.position), axis=1)
        nearest = int(distances.argmin())
        if distances[nearest] <= PLACE_TOLERANCE:
            pairs.append((index, nearest))
    return pairs


def _dose_shares(pairs: list[tuple[_Slice, _Slice]]) -> tuple[str, NDArray[np.float64]]:
    """Return the field that tells the doses apart and low over full of every pair; ValueError where none does."""
    one_voltage = all(a.kvp is None or b.kvp is None or a.kvp == b.kvp for a, b in pairs)
    for which, field in enumerate(DOSE_FIELDS):
        stated = [(a.doses[which], b.doses[which]) for a, b in pairs]
        values = np.array([[v or 0.0 for v in both] for both in stated])
        if not (values > 0).all() or (which > 0 and not one_voltage):
            continue
        shares = values[:, 1] / values[:, 0]
        if abs(float(np.median(shares)) - 1) <= SAME_DOSE:
            continue
        if float(np.median(shares)) > 1:
            raise ValueError(f"By {field} the low-dose series has the higher dose: check which folder is which.")
        return field, shares
    raise ValueError(NO_DOSE)


def _hounsfield(image: SeriesImage, chosen: list[int]) -> NDArray[np.float32]:
    return from_stored(image.pixels[chosen], image.slope, image.intercept)
