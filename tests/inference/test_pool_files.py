"""The real pool: every kind of its JPEG 2000 files gives the size and the values that its manifest states."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pytest

from inference.data.pool import read_manifest, read_pixels

POOL = Path(os.environ.get("READERSTUDY_SHARED_DATA", "no-shared-data")) / "pool"


@pytest.mark.skipif(not (POOL / "manifest.csv").is_file(), reason="READERSTUDY_SHARED_DATA names no image pool")
def test_files_hold_what_the_manifest_states() -> None:
    with (POOL / "manifest.csv").open(newline="") as stream:
        rows = {row["file"]: row for row in csv.DictReader(stream)}
    kinds: dict[tuple[str, str, str], int] = {}
    for item in read_manifest(POOL):
        row = rows[str(item.path.relative_to(POOL))]
        kind = (item.modality, row["bits"], row["value"])
        kinds[kind] = kinds.get(kind, 0) + 1
        if kinds[kind] > 5:
            continue
        pixels = read_pixels(item)
        assert pixels.dtype == np.float32
        assert sorted(pixels.shape) == sorted(int(side) for side in row["size"].split("x"))
        if not item.display_only:
            offset = 1024.0 if item.modality == "CT" else 0.0
            assert (pixels.min(), pixels.max()) == (
                float(row["stored_min"]) - offset,
                float(row["stored_max"]) - offset,
            )
    assert {modality for modality, _, _ in kinds} == {"CT", "MR", "US"}
    assert {bits for _, bits, _ in kinds} == {"8", "16"}
