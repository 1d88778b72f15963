"""The pool's reader, the patient split and the intensity maps."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from inference.data.pool import data_ranges, read_manifest, read_pixels
from inference.data.preprocessing import (
    clip_physical,
    intensity_map,
    one_hot,
    pad_to_multiple,
    resample,
    rotate,
)
from inference.data.split import HELD_OUT, Split, source_ids, split_pool, time_blocks
from tests.inference.pool_factory import grey


def test_pixels_come_back_in_physical_units(pool: Path) -> None:
    slices = {s.path.name: s for s in read_manifest(pool)}
    ct = read_pixels(slices["ct_ct-b_0.jp2"])
    assert np.array_equal(ct, (1500 * grey(10, (64, 56))).astype(np.uint16).astype(np.float32) - 1024)
    us = read_pixels(slices["us_cca-20220101100000X_0.jp2"])
    assert us.max() == 255.0 and us.dtype == np.float32
    display = read_pixels(slices["ct_display-ct_0.jp2"])
    assert display.min() >= -1024.0 and display.max() == pytest.approx(150.0)


def test_data_range_of_mr_is_the_patients_maximum(pool: Path) -> None:
    slices = read_manifest(pool)
    pixels = [read_pixels(s) for s in slices]
    ranges = data_ranges(slices, pixels)
    for item, value in zip(slices, ranges, strict=True):
        own = [p.max() for s, p in zip(slices, pixels, strict=True) if s.patient == item.patient]
        assert value == {"CT": 2924.0, "US": 255.0}.get(item.modality, float(max(own)))


def test_split_is_by_patient_and_holds_out_by_name(pool: Path) -> None:
    slices = read_manifest(pool)
    split = split_pool(slices)
    assert {s.patient for s in slices} == split.training | split.validation | split.test
    assert {"nysbu-A002304", "pymskt-knee"} <= split.test
    assert {"display-ct", "display-mr"} <= split.training
    assert "cca-20220102100000X" in split.test | split.validation
    assert split == split_pool(reversed(slices))
    assert Split.from_json(split.as_json()) == split


def test_an_overlapping_split_is_refused() -> None:
    with pytest.raises(ValueError, match="two parts of the split: b"):
        Split(frozenset("ab"), frozenset("b"), frozenset("c"))


def test_acquisitions_close_in_time_stay_together() -> None:
    names = ["cca-20220101100000A", "cca-20220101100300A", "cca-20220101101500A", "cca-20220102100000A"]
    assert time_blocks(reversed(names)) == [names[:2], names[2:3], names[3:]]


def test_source_ids_carry_the_bare_patient_id() -> None:
    assert {"nysbu-A1", "A1"} <= source_ids(["nysbu-A1", "other"])


def test_not_a_pool_says_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has no manifest\.csv"):
        read_manifest(tmp_path)
    (tmp_path / "manifest.csv").write_text("file,modality\n")
    with pytest.raises(ValueError, match="lacks the columns anatomy, patient"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("modality", ["CT", "MR", "US"])
def test_intensity_map_round_trip(modality: str) -> None:
    low, high = {"CT": (-1024.0, 3071.0), "MR": (0.0, 9000.0), "US": (0.0, 255.0)}[modality]
    image = np.linspace(low, high, 40 * 41, dtype=np.float32).reshape(40, 41)
    scale = intensity_map(modality, image)
    steps = np.spacing(np.float32(high - low))
    assert np.abs(scale.denormalise(scale.normalise(image)) - image).max() <= 2 * steps
    assert scale.normalise(np.float32([scale.low, scale.high])).tolist() == [-1.0, 1.0]
    with pytest.raises(ValueError, match="choose one of CT, MR, US"):
        intensity_map("PET", image)


def test_padding_is_undone_by_its_slices() -> None:
    image = grey(1, (33, 50)).astype(np.float32)
    padded, inside = pad_to_multiple(image, 16)
    assert padded.shape == (48, 64) and np.array_equal(padded[inside], image)


def test_small_helpers() -> None:
    assert one_hot("MR").tolist() == [0.0, 1.0, 0.0]
    assert clip_physical(np.array([[-5.0, 300.0]], np.float32), "US").tolist() == [[0.0, 255.0]]
    image = grey(1, (40, 60)).astype(np.float32)
    assert resample(image, (20, 30)).shape == (20, 30)
    assert abs(float(resample(image, (20, 30)).mean() - image.mean())) < 0.01
    assert rotate(image, 10.0, 0.0).shape == image.shape


def test_real_pool_holds_out_the_named_patients() -> None:
    folder = Path(os.environ.get("READERSTUDY_SHARED_DATA", "")) / "pool"
    if not (folder / "manifest.csv").is_file():
        pytest.skip("READERSTUDY_SHARED_DATA names no folder with the image pool")
    split = split_pool(read_manifest(folder))
    assert split.test >= HELD_OUT
