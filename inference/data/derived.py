"""Derived DICOM: one slice of a case as a file of its own identity, with nothing of a person.

A pseudonym, new UIDs, the marks of pseudonymisation, geometry, rescale and window; every file says in its comment and
its derivation that it is for research use only. `inference.data.returned` reads what comes back.
"""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, MRImageStorage, UltrasoundImageStorage

from inference.data.deidentify import mark

NOTICE = "Research use only, not for diagnosis"
SOP_CLASSES = {"CT": str(CTImageStorage), "MR": str(MRImageStorage), "US": str(UltrasoundImageStorage)}
# Row and column direction, and the slice's normal, along which positions are counted.
_ORIENTATIONS = {
    "axial": ((1, 0, 0, 0, 1, 0), (0, 0, 1)),
    "sagittal": ((0, 1, 0, 0, 0, -1), (-1, 0, 0)),
    "coronal": ((1, 0, 0, 0, 0, -1), (0, 1, 0)),
}


@dataclass(frozen=True)
class Identity:
    """The UIDs of one derived slice and of what it was made from; all ours, none of a source."""

    study: str
    series: str
    instance: str
    frame_of_reference: str
    source: str = ""


@dataclass(frozen=True)
class DerivedSlice:
    """One slice to write: stored numbers (rows, columns), value = intercept + slope * stored, and where it belongs."""

    pixels: NDArray[np.uint16]
    modality: str
    slope: float
    intercept: float
    patient: str
    number: int
    spacing: tuple[float, float] | None
    slice_spacing: float | None
    position: float | None
    plane: str
    window: tuple[float, float]
    title: str
    derivation: str
    identity: Identity


def derived_file(part: DerivedSlice) -> bytes:
    """The whole file (Part 10, Explicit VR Little Endian) of one slice."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = UID(SOP_CLASSES[part.modality])
    meta.MediaStorageSOPInstanceUID = UID(part.identity.instance)
    made = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    _write_identity(made, part)
    _write_derivation(made, part)
    _write_geometry(made, part)
    _write_pixels(made, part)
    mark(made, frozenset(), pixels_clean=True)
    stream = io.BytesIO()
    made.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def _write_identity(made: Dataset, part: DerivedSlice) -> None:
    made.SOPClassUID, made.SOPInstanceUID = SOP_CLASSES[part.modality], part.identity.instance
    made.StudyInstanceUID, made.SeriesInstanceUID = part.identity.study, part.identity.series
    made.Modality, made.PatientID, made.PatientName = part.modality, part.patient, part.patient
    for keyword in (
        "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID", "AccessionNumber",
        "ReferringPhysicianName", "Manufacturer", "SeriesNumber", "PositionReferenceIndicator",
    ):  # fmt: skip
        setattr(made, keyword, None if keyword == "SeriesNumber" else "")
    made.InstanceNumber = part.number


def _write_derivation(made: Dataset, part: DerivedSlice) -> None:
    kinds = {"CT": ["AXIAL"], "MR": ["OTHER"], "US": []}[part.modality]
    made.ImageType = ["DERIVED", "SECONDARY", *kinds]
    made.SeriesDescription = part.title[:64]
    made.ImageComments = NOTICE
    made.DerivationDescription = f"{NOTICE}. {part.derivation}"[:1024]
    if part.identity.source:
        source = Dataset()
        source.ReferencedSOPClassUID = SOP_CLASSES[part.modality]
        source.ReferencedSOPInstanceUID = part.identity.source
        made.SourceImageSequence = Sequence([source])


def _write_geometry(made: Dataset, part: DerivedSlice) -> None:
    if part.modality == "US":
        if part.spacing:
            made.SequenceOfUltrasoundRegions = Sequence([_region(part)])
        return
    directions, normal = _ORIENTATIONS.get(part.plane, _ORIENTATIONS["axial"])
    position = part.position if part.position is not None else (part.slice_spacing or 1.0) * part.number
    made.ImageOrientationPatient = list(directions)
    made.ImagePositionPatient = [_ds(axis * position + 0.0) for axis in normal]
    made.FrameOfReferenceUID = part.identity.frame_of_reference
    if part.spacing:
        made.PixelSpacing = [_ds(value) for value in part.spacing]
    if part.slice_spacing:
        made.SliceThickness = made.SpacingBetweenSlices = _ds(part.slice_spacing)


def _region(part: DerivedSlice) -> Dataset:
    assert part.spacing is not None
    region = Dataset()
    region.RegionSpatialFormat = region.RegionDataType = 1
    region.RegionFlags = 0
    region.RegionLocationMinX0 = region.RegionLocationMinY0 = 0
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = part.pixels.shape[1] - 1, part.pixels.shape[0] - 1
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX, region.PhysicalDeltaY = part.spacing[1] / 10, part.spacing[0] / 10
    return region


def _write_pixels(made: Dataset, part: DerivedSlice) -> None:
    bits = 8 if part.modality == "US" else 16
    made.Rows, made.Columns = part.pixels.shape
    made.SamplesPerPixel, made.PhotometricInterpretation, made.PixelRepresentation = 1, "MONOCHROME2", 0
    made.BitsAllocated = made.BitsStored = bits
    made.HighBit = bits - 1
    made.WindowCenter, made.WindowWidth = (_ds(value) for value in part.window)
    if part.modality != "US":
        made.RescaleSlope, made.RescaleIntercept = _ds(part.slope), _ds(part.intercept)
        made.RescaleType = "HU" if part.modality == "CT" else "US"
    content = np.clip(part.pixels, 0, 255).astype("u1") if bits == 8 else part.pixels.astype("<u2")
    data = np.ascontiguousarray(content).tobytes()
    made.add_new(0x7FE00010, "OB" if bits == 8 else "OW", data + b"\0" * (len(data) % 2))


def _ds(value: float) -> str:
    """A decimal string of at most 16 characters, as precise as that allows."""
    for digits in range(16, 0, -1):
        text = f"{value:.{digits}g}"
        if len(text) <= 16:
            return text
    return f"{value:.0e}"
