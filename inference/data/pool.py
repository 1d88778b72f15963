"""Reader of the image pool: lossless JPEG 2000 slices with ``manifest.csv``. Imports no torch."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

REQUIRED = ("file", "modality", "anatomy", "patient", "source", "licence", "value")
DISPLAY_WINDOW = (-1350.0, 150.0)  # HU, lung window assumed for 8-bit CT, which carries no HU


@dataclass(frozen=True)
class PoolSlice:
    """One row of the manifest. ``display_only``: 8-bit CT or MR, for training variety, never ground truth."""

    path: Path
    modality: str
    anatomy: str
    patient: str
    source: str
    licence: str
    display_only: bool


def read_manifest(folder: Path) -> list[PoolSlice]:
    """All slices of a pool in the order of its manifest; ValueError where it is not a pool."""
    manifest = folder / "manifest.csv"
    if not manifest.is_file():
        raise ValueError(f"{folder} has no manifest.csv: pass the folder of an image pool with --data.")
    with manifest.open(newline="") as stream:
        reader = csv.DictReader(stream)
        missing = [name for name in REQUIRED if name not in (reader.fieldnames or ())]
        if missing:
            raise ValueError(f"The manifest lacks the columns {', '.join(missing)}: add them and try again.")
        return [_slice(folder, row) for row in reader if row["modality"] in ("CT", "MR", "US")]


def _slice(folder: Path, row: dict[str, str]) -> PoolSlice:
    display = row["value"] == "8-bit display" and row["modality"] != "US"
    return PoolSlice(
        folder / row["file"],
        row["modality"],
        row["anatomy"],
        row["patient"],
        row["source"],
        row["licence"],
        display,
    )


def read_pixels(item: PoolSlice) -> NDArray[np.float32]:
    """float32 (rows, cols) in physical units: CT HU, MR magnitude, US grey 0..255."""
    with Image.open(item.path) as image:
        stored = np.asarray(image).astype(np.float32)
    if stored.ndim != 2:
        raise ValueError(f"{item.path.name} is not a grey image: take it out of the pool's manifest.")
    if item.modality != "CT":
        return stored
    if item.display_only:
        low, high = DISPLAY_WINDOW
        return np.asarray(np.clip(low + stored / 255.0 * (high - low), -1024.0, 3071.0), np.float32)
    return np.asarray(np.clip(stored - 1024.0, -1024.0, 3071.0), np.float32)


def data_ranges(slices: Iterable[PoolSlice], pixels: Iterable[NDArray[np.float32]]) -> list[float]:
    """Metric data range per slice: CT 2924 HU, US 255, MR the maximum over the patient's slices."""
    pairs = list(zip(slices, pixels, strict=True))
    maxima: dict[str, float] = defaultdict(lambda: 1.0)
    for item, image in pairs:
        maxima[item.patient] = max(maxima[item.patient], float(image.max()))
    fixed = {"CT": 2924.0, "US": 255.0}
    return [fixed.get(item.modality) or maxima[item.patient] for item, _ in pairs]
