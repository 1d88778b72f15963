"""A library of full- and low-dose CT series in the layout of the public one, made here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom

from tests.inference.dicom_factory import dataset, head_ct, save

FRAME = "1.2.826.0.1.3680043.8.498.9"
STUDY = "08-30-2018-NA-NA-12345"
FULL, LOW = "1.000000-Full Dose Images-71581", "1.000000-Low Dose Images-39882"
QUARTER: dict[str, tuple[Any, Any]] = {"Exposure": (200, 50)}


def noisy(number: int, low: bool) -> np.ndarray:
    spread = np.random.Generator(np.random.PCG64(1000 + number)).normal(0, 40 if low else 10, (64, 64))
    return np.asarray(head_ct(seed=number) + np.rint(spread), np.int16)


def write_series(folder: Path, numbers: list[int], low: bool, **attributes: Any) -> None:
    """Write slices 3 mm apart as `1-001.dcm` and so on, in an order that is not that of their places."""
    series = f"1.2.826.0.1.3680043.8.498.7{int(low)}"
    common: dict[str, Any] = {
        "PatientID": "L067",
        "FrameOfReferenceUID": FRAME,
        "SeriesInstanceUID": series,
        "KVP": 100,
    }
    for index, number in enumerate(reversed(numbers), start=1):
        ds = dataset("CT", noisy(number, low), index, **(common | attributes))
        ds.ImagePositionPatient = [-180.5, -170.25, -3.0 * number]
        save(ds, folder / f"1-{index:03}.dcm")


def library(
    root: Path,
    doses: dict[str, tuple[Any, Any]] = QUARTER,
    numbers: tuple[list[int], list[int]] = ([0, 1, 2, 3], [0, 1, 2, 3]),
    changes: dict[str, Any] | None = None,
    names: tuple[str, str] = (FULL, LOW),
) -> Path:
    """Write the folder of patient L067; `changes` replace elements of the low-dose series."""
    patient = root / "LDCT-and-Projection-data" / "L067"
    for low, name in enumerate(names):
        stated = {keyword: values[low] for keyword, values in doses.items() if values[low] is not None}
        extra = (changes or {}) if low else {}
        write_series(patient / STUDY / name, numbers[low], bool(low), **(stated | extra))
    return patient


def write_one(path: Path, **changes: Any) -> None:
    ds = pydicom.dcmread(path)
    for keyword, value in changes.items():
        setattr(ds, keyword, value)
    ds.save_as(path)
