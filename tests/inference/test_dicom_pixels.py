"""How stored values become physical ones: every photometric, signed, rescaled and compressed form."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless

from tests.inference.dicom_factory import (
    compressed,
    dataset,
    enhanced_mr,
    head_ct,
    physical,
    read_all,
    save,
    save_big_endian,
)

HU = head_ct()


def one(ds: Any, path: Path) -> Any:
    (case,), reports = read_all(save(ds, path / "one.dcm"))
    assert next(iter(reports.values())).status == "accepted"
    return case


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless, JPEGLSLossless])
def test_compressed_ct_equals_its_source(tmp_path: Path, syntax: str) -> None:
    case = one(compressed(dataset("CT", HU), syntax), tmp_path)
    np.testing.assert_array_equal(physical(case)[0], np.maximum(HU, -1024))


def test_big_endian(tmp_path: Path) -> None:
    path = save_big_endian(dataset("CT", HU), tmp_path / "one.dcm")
    assert read_all(path)[0][0].pixels[0].tolist() == (np.maximum(HU, -1024) + 1024).tolist()


def test_unsigned_with_fewer_bits_stored_and_a_rescale(tmp_path: Path) -> None:
    stored = ((HU + 1024) // 2).astype(np.uint16)
    noisy = stored | 0xF000  # bits above BitsStored hold an old overlay
    ds = dataset("CT", noisy, BitsStored=12, HighBit=11, RescaleSlope=2, RescaleIntercept=-1024)
    np.testing.assert_array_equal(physical(one(ds, tmp_path))[0], stored * 2.0 - 1024)


def test_signed_with_fewer_bits_stored(tmp_path: Path) -> None:
    ds = dataset("CT", (HU & 0x0FFF).astype(np.int16), BitsStored=12, HighBit=11)
    np.testing.assert_array_equal(physical(one(ds, tmp_path))[0], np.maximum(HU, -1024))


def test_padding_and_metal_are_clipped_to_the_scale(tmp_path: Path) -> None:
    image = HU.copy()
    image[0, 0], image[1, 1] = -2000, 9000
    values = physical(one(dataset("CT", image, PixelPaddingValue=-2000), tmp_path))[0]
    assert values[0, 0] == -1024
    assert values[1, 1] == 3071


def test_padding_with_the_value_of_water_is_blanked_only_at_the_rim(tmp_path: Path) -> None:
    image = HU.copy()
    image[:4], image[30:34, 30:34] = 0, 0
    values = physical(one(dataset("CT", image, PixelPaddingValue=0), tmp_path))[0]
    assert (values[:4] == -1024).all()
    assert (values[30:34, 30:34] == 0).all()


def test_monochrome1_inverts_ultrasound_and_magnitude(tmp_path: Path) -> None:
    grey = np.arange(64 * 64, dtype=np.uint32).reshape(64, 64).astype(np.uint8)
    case = one(dataset("US", grey, PhotometricInterpretation="MONOCHROME1"), tmp_path)
    np.testing.assert_array_equal(case.pixels[0], 255 - grey)
    magnitude = (HU + 1024).astype(np.uint16)
    case = one(
        dataset("MR", 4095 - magnitude, PhotometricInterpretation="MONOCHROME1", BitsStored=12, HighBit=11),
        tmp_path,
    )
    np.testing.assert_array_equal(case.pixels[0], magnitude)


def test_monochrome1_ct_keeps_hounsfield_units_unless_the_numbers_are_inverted_too(tmp_path: Path) -> None:
    stored = (HU + 1024).astype(np.uint16)
    extra = {
        "PhotometricInterpretation": "MONOCHROME1",
        "BitsStored": 12,
        "HighBit": 11,
        "RescaleIntercept": -1024,
    }
    for pixels in (stored, 4095 - stored):
        case = one(dataset("CT", pixels, **extra), tmp_path)
        np.testing.assert_array_equal(case.pixels[0], stored)
        assert any(note.startswith("MONOCHROME1") for note in case.notes)


def test_magnitude_keeps_the_sources_integers_and_slope(tmp_path: Path) -> None:
    stored = (HU + 1024).astype(np.uint16)
    case = one(dataset("MR", stored, RescaleSlope=3.774114, RescaleIntercept=0.000061), tmp_path)
    assert case.slope == 3.774114
    assert case.intercept == 0.0
    np.testing.assert_array_equal(case.pixels[0], stored)


def test_slopes_that_differ_by_slice_share_one_grid(tmp_path: Path) -> None:
    for number, slope in enumerate((1.0, 40.0)):
        stored = (head_ct(seed=number) + 1024).astype(np.uint16)
        save(dataset("MR", stored, number, RescaleSlope=slope, RescaleIntercept=0), tmp_path / f"{number}.dcm")
    (case,), _ = read_all(tmp_path)
    truth = np.stack([(head_ct(seed=n) + 1024) * slope for n, slope in enumerate((1.0, 40.0))])
    assert case.slope == pytest.approx(truth.max() / 65535)
    np.testing.assert_allclose(physical(case), truth, atol=case.slope)


def test_negative_magnitudes_become_zero_with_a_note(tmp_path: Path) -> None:
    case = one(dataset("MR", HU, ImageType=["DERIVED", "PRIMARY", "DIFFUSION", "ADC"]), tmp_path)
    np.testing.assert_array_equal(physical(case)[0], np.maximum(HU, 0))
    assert {"negative values of the source set to zero", "apparent diffusion coefficient map"} <= set(case.notes)


def test_enhanced_mr_frames_take_their_own_place_and_rescale(tmp_path: Path) -> None:
    frames = np.stack([head_ct(seed=n) + 1024 for n in range(4)]).astype(np.uint16)
    case = one(enhanced_mr(frames, [2.0] * 4, [11.0] * 4), tmp_path)
    assert case.plane == "sagittal"
    assert case.pixel_spacing == (0.5, 0.5)
    assert case.slice_spacing == pytest.approx(4.0)
    order = range(4) if case.positions[0] == 0.0 else range(3, -1, -1)
    np.testing.assert_array_equal(physical(case), 2.0 * frames[list(order)])


def test_enhanced_mr_with_two_echoes_gives_two_cases(tmp_path: Path) -> None:
    frames = np.stack([head_ct(seed=n) + 1024 for n in range(4)]).astype(np.uint16)
    path = save(enhanced_mr(frames, [1.0] * 4, [11.0, 11.0, 22.0, 22.0]), tmp_path / "a.dcm")
    cases, reports = read_all(path)
    assert [len(case.pixels) for case in cases] == [2, 2]
    assert len(reports) == 1
