"""Ultrasound: loops, calibration, colour that is only paint and colour that is flow."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tests.inference.dicom_factory import cine, dataset, read_all, save


def speckle(frames: int = 1, rows: int = 96, cols: int = 128) -> NDArray[np.uint8]:
    rng = np.random.Generator(np.random.PCG64(5))
    return np.asarray(rng.integers(0, 200, (frames, rows, cols)), np.uint8)


def painted(share: float) -> NDArray[np.uint8]:
    """Return a grey RGB image in which the given share of pixels is pure red."""
    image = np.repeat(speckle()[0][..., None], 3, axis=2)
    count = int(share * image.shape[0] * image.shape[1])
    image.reshape(-1, 3)[:count] = (230, 20, 10)
    return image


def test_a_loop_keeps_its_frames_and_its_calibration(tmp_path: Path) -> None:
    frames = speckle(5)
    (case,), _ = read_all(save(cine(frames), tmp_path / "loop.dcm"))
    np.testing.assert_array_equal(case.pixels, frames)
    assert (case.modality, case.slope, case.intercept) == ("US", 1.0, 0.0)
    assert case.pixel_spacing == (0.4, 0.5)
    assert case.positions == (0.0, 1.0, 2.0, 3.0, 4.0)
    assert case.burned_in_risk


def test_coloured_marks_are_reduced_to_luma(tmp_path: Path) -> None:
    image = painted(0.004)
    (case,), _ = read_all(save(dataset("US", image), tmp_path / "a.dcm"))
    luma = np.rint(image @ np.array([0.299, 0.587, 0.114]))
    np.testing.assert_array_equal(case.pixels[0], luma)
    assert "colour ultrasound reduced to luma" in case.notes


def test_flow_colour_in_the_pixels_is_refused(tmp_path: Path) -> None:
    cases, reports = read_all(save(dataset("US", painted(0.03)), tmp_path / "a.dcm"))
    assert not cases
    assert reports["a.dcm"].reason.startswith("Doppler colour")


def test_flow_and_spectral_regions_are_refused_by_the_header(tmp_path: Path) -> None:
    for name, kind, shape, colour, word in (
        ("flow", 2, 1, 1, "Doppler colour"),
        ("pulsed", 3, 3, 0, "Spectral Doppler"),
        ("motion", 1, 2, 0, "M-mode"),
    ):
        region = Dataset()
        region.RegionDataType, region.RegionSpatialFormat = kind, shape
        ds = dataset("US", speckle()[0], SequenceOfUltrasoundRegions=Sequence([region]))
        ds.UltrasoundColorDataPresent = colour
        _, reports = read_all(save(ds, tmp_path / f"{name}.dcm"))
        assert reports[f"{name}.dcm"].reason.startswith(word)


def test_palette_colour_goes_through_its_table(tmp_path: Path) -> None:
    index = speckle()[0]
    ds = dataset("US", index, PhotometricInterpretation="PALETTE COLOR")
    ramp = np.arange(256, dtype=np.uint16) * 257
    for colour in ("Red", "Green", "Blue"):
        setattr(ds, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
        setattr(ds, f"{colour}PaletteColorLookupTableData", (65535 - ramp).astype("<u2").tobytes())
    (case,), _ = read_all(save(ds, tmp_path / "a.dcm"))
    np.testing.assert_array_equal(case.pixels[0], 255 - index)


def test_secondary_captures_are_marked_as_risk(tmp_path: Path) -> None:
    from tests.inference.dicom_factory import head_ct

    ds = dataset("CT", head_ct(), SOPClassUID="1.2.840.10008.5.1.4.1.1.7")
    (case,), _ = read_all(save(ds, tmp_path / "a.dcm"))
    assert case.burned_in_risk
    assert "secondary capture" in case.notes
