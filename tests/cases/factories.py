"""Series in memory, cases in the database, and DICOM files on disk for the tests of cases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, UltrasoundImageStorage, generate_uid

from inference.data.dicom_types import SeriesImage, patient_source_id, slice_source_id
from readerstudy.accounts.models import User
from readerstudy.cases.models import Case, Source
from readerstudy.cases.storing import Stored, store_series

SIZE = 64


def body(modality: str, count: int, seed: int = 0) -> np.ndarray[Any, np.dtype[np.uint16]]:
    """Stored numbers of a bright disc (a tenth of the field) with a texture that the seed makes unique."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE / 2
    inside = np.hypot(y, x) < SIZE * 0.1784
    level = {"CT": 1064, "MR": 900, "US": 120}[modality]
    texture = rng.integers(-20, 20, (count, SIZE, SIZE))
    return np.where(inside, level + texture, 0).astype(np.uint16)


def series(modality: str = "CT", count: int = 4, seed: int = 0, **changes: Any) -> SeriesImage:
    """One series as the reader gives it; ``changes`` replace fields."""
    pixels = changes.pop("pixels", body(modality, count, seed))
    fields: dict[str, Any] = {
        "modality": modality,
        "pixels": pixels,
        "slope": 1.0,
        "intercept": -1024.0 if modality == "CT" else 0.0,
        "pixel_spacing": (0.8, 0.8),
        "slice_spacing": 5.0,
        "positions": tuple(5.0 * i for i in range(len(pixels))),
        "patient_key": f"patient-{seed}",
        "study_key": f"study-{seed}",
        "series_key": f"series-{modality}-{seed}",
        "source_ids": (patient_source_id(f"patient-{seed}"), *(slice_source_id(p) for p in pixels)),
        "anatomy": "chest",
        "plane": "axial",
        "notes": (),
        "age_band": "60-69",
        "sex": "F",
        "device": {"Manufacturer": "Siemens", "KVP": 120.0},
        "burned_in_risk": modality == "US",
        "face_risk": False,
        "files": tuple(range(len(pixels))),
    }
    return SeriesImage(**{**fields, **changes})


def store(image: SeriesImage, source: Source, by: User | None = None, quarantine: bool = True) -> Stored:
    return store_series(image, source=source, by=by, quarantine=quarantine, reason="tested")


def case(source: Source, modality: str = "CT", **changes: Any) -> Case:
    return store(series(modality, **changes), source).case


def layered(source: Source) -> Case:
    """An MR case whose slices differ in brightness, so that each has a window of its own."""
    pixels = body("MR", 4) * np.arange(1, 5, dtype=np.uint16)[:, None, None]
    return case(source, "MR", pixels=pixels)


def write_dicom(path: Path, modality: str = "CT", number: int = 1, series: str = "1", **values: Any) -> Path:
    """A small uncompressed DICOM file; slices of one ``series`` have ascending ``number``."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID = CTImageStorage if modality == "CT" else UltrasoundImageStorage
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[series, str(number)])
    ds.StudyInstanceUID = generate_uid(entropy_srcs=["study", series])
    ds.SeriesInstanceUID = generate_uid(entropy_srcs=["series", series])
    ds.Modality, ds.PatientID, ds.PatientName = modality, f"ID-{series}", "Doe^Jane"
    ds.PatientAge, ds.PatientSex = "063Y", "F"
    ds.InstanceNumber = number
    ds.Rows = ds.Columns = SIZE
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
    pixels = body(modality, 1, number + 100 * sum(map(ord, series)))[0]
    bits = 16 if modality == "CT" else 8
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = (
        bits,
        bits if bits == 8 else 12,
        (bits if bits == 8 else 12) - 1,
    )
    if modality == "CT":
        ds.BodyPartExamined = "CHEST"
        ds.RescaleSlope, ds.RescaleIntercept = 1, -1024
        ds.PixelSpacing, ds.SliceThickness = [0.8, 0.8], 5
        ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        ds.ImagePositionPatient = [0, 0, 5.0 * number]
    ds.PixelData = pixels.astype("<u2" if bits == 16 else "u1").tobytes()
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    ds.save_as(path, enforce_file_format=True)
    return path
