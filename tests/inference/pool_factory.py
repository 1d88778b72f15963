"""A tiny image pool of synthetic slices, in the format of the real one."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from PIL import Image

COLUMNS = ("file", "modality", "anatomy", "patient", "source", "licence", "value")


def grey(seed: int, shape: tuple[int, int]) -> np.ndarray:
    """Smooth blobs in [0, 1]."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    image = np.zeros(shape)
    for _ in range(6):
        cy, cx, size = generator.uniform(-0.6, 0.6), generator.uniform(-0.6, 0.6), generator.uniform(0.1, 0.5)
        image += generator.uniform(0.2, 1) * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / size**2)
    return image / image.max()


def make_pool(folder: Path, shape: tuple[int, int] = (64, 56)) -> Path:
    """Nine rated patients with two slices each, and one display-only patient of CT and of MR."""
    rows = []
    patients = {
        "CT": ["nysbu-A002304", "ct-b", "ct-c"],
        "MR": ["pymskt-knee", "mr-b", "mr-c"],
        "US": ["cca-20220101100000X", "cca-20220101120000X", "cca-20220102100000X"],
    }
    for modality, names in patients.items():
        for number, patient in enumerate(names):
            for index in range(2):
                value = {"CT": "HU+1024", "MR": "raw intensity", "US": "8-bit display"}[modality]
                rows.append((modality, patient, index, value, 10 * number + index))
    rows += [("CT", "display-ct", 0, "8-bit display", 90), ("MR", "display-mr", 0, "8-bit display", 91)]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "manifest.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        for modality, patient, index, value, seed in rows:
            name = f"{modality.lower()}_{patient}_{index}.jp2"
            image = grey(seed, shape)
            if value == "8-bit display":
                Image.fromarray((255 * image).astype(np.uint8)).save(folder / name, irreversible=False)
            else:
                Image.fromarray((1500 * image).astype(np.uint16)).save(folder / name, irreversible=False)
            writer.writerow((name, modality, "somewhere", patient, f"made/{modality}", "CC0", value))
    return folder
