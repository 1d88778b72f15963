"""Every transfer syntax and multi-frame form that scanners write, as a file of its own in exactly that format."""

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset, FileDataset
from pydicom.encaps import encapsulate
from pydicom.filereader import read_file_meta_info
from pydicom.sequence import Sequence
from pydicom.uid import (
    JPEG2000,
    EnhancedCTImageStorage,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from tests.inference.dicom_factory import cine, compressed, dataset, head_ct, physical, read_all, save, save_big_endian
from tests.inference.test_dicom_jpeg_lossless import encode

SHARED = Path(os.environ.get("READERSTUDY_SHARED_DATA", "no-shared-data")) / "dicom"
HU = np.maximum(head_ct(), -1024)
MAGNITUDE = (HU + 1024).astype(np.uint16)  # fits 12 bits
TWELVE = {"BitsStored": 12, "HighBit": 11}


def grey(frames: int = 3) -> NDArray[np.uint8]:
    """Return a smooth loop that moves from frame to frame."""
    y, x = np.mgrid[:64, :80]
    return np.stack([(x + y + 9 * number) % 200 for number in range(frames)]).astype(np.uint8)


def one(ds: FileDataset, folder: Path) -> Any:
    (case,), reports = read_all(save(ds, folder / "one.dcm"))
    assert next(iter(reports.values())).status == "accepted"
    return case


def test_implicit_vr_signed_and_unsigned(tmp_path: Path) -> None:
    for ds in (dataset("CT", HU), dataset("CT", MAGNITUDE, RescaleIntercept=-1024, **TWELVE)):
        ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
        ds.set_original_encoding(True, True)
        np.testing.assert_array_equal(physical(one(ds, tmp_path))[0], HU)


def test_big_endian_unsigned_with_a_rescale_and_eight_bits(tmp_path: Path) -> None:
    ds = dataset("CT", MAGNITUDE, RescaleSlope=2, RescaleIntercept=-1024, **TWELVE)
    (case,), _ = read_all(save_big_endian(ds, tmp_path / "ct.dcm"))
    np.testing.assert_array_equal(physical(case)[0], np.minimum(2.0 * MAGNITUDE - 1024, 3071))
    loop = cine(grey())
    loop.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    loop.set_original_encoding(False, False)
    loop["PixelData"].VR = "OB"  # single bytes have no order
    np.testing.assert_array_equal(one(loop, tmp_path).pixels, grey())


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless, JPEGLSLossless])
def test_lossless_compression_of_unsigned_twelve_bits(tmp_path: Path, syntax: str) -> None:
    case = one(compressed(dataset("MR", MAGNITUDE, **TWELVE), syntax), tmp_path)
    np.testing.assert_array_equal(case.pixels[0], MAGNITUDE)
    assert not case.notes


@pytest.mark.parametrize(("syntax", "predictor"), [(JPEGLosslessSV1, 1), (JPEGLossless, 6)])
def test_jpeg_lossless_signed_unsigned_and_eight_bits(tmp_path: Path, syntax: str, predictor: int) -> None:
    stream = encode(HU.view(np.uint16).astype(np.int64), predictor, 16)
    np.testing.assert_array_equal(physical(one(compressed(dataset("CT", HU), syntax, stream), tmp_path))[0], HU)
    stream = encode(MAGNITUDE.astype(np.int64), predictor, 12)
    case = one(compressed(dataset("MR", MAGNITUDE, **TWELVE), syntax, stream), tmp_path)
    np.testing.assert_array_equal(case.pixels[0], MAGNITUDE)
    still = grey(1)[0]
    case = one(compressed(dataset("US", still), syntax, encode(still.astype(np.int64), predictor, 8)), tmp_path)
    np.testing.assert_array_equal(case.pixels[0], still)


def test_monochrome1_survives_compression(tmp_path: Path) -> None:
    inverted = dataset("MR", (4095 - MAGNITUDE).astype(np.uint16), PhotometricInterpretation="MONOCHROME1", **TWELVE)
    case = one(compressed(inverted, JPEG2000Lossless), tmp_path)
    np.testing.assert_array_equal(case.pixels[0], MAGNITUDE)


def test_lossy_sources_are_close_and_noted(tmp_path: Path) -> None:
    near, lossy = dataset("CT", HU), dataset("MR", MAGNITUDE, **TWELVE)
    near.compress(JPEGLSNearLossless, jls_error=2, generate_instance_uid=False)
    case = one(near, tmp_path)
    assert np.abs(physical(case)[0] - HU).max() <= 2
    assert case.notes == ("near-lossless JPEG-LS source",)
    lossy.compress(JPEG2000, j2k_cr=[4], generate_instance_uid=False)
    case = one(lossy, tmp_path)
    assert np.abs(case.pixels[0].astype(float) - MAGNITUDE).mean() < 20
    assert case.notes == ("JPEG 2000 source, possibly lossy",)


def test_a_baseline_jpeg_loop_is_close_and_noted(tmp_path: Path) -> None:
    streams = []
    for frame in grey():
        stream = io.BytesIO()
        Image.fromarray(frame).save(stream, "JPEG", quality=95)
        streams.append(stream.getvalue())
    loop = cine(grey())
    loop.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    loop.PixelData = encapsulate(streams)
    loop["PixelData"].is_undefined_length = True
    case = one(loop, tmp_path)
    assert case.pixels.shape == (3, 64, 80) and "lossy JPEG source" in case.notes
    assert np.abs(case.pixels.astype(float) - grey()).mean(axis=(1, 2)).max() < 3


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless, JPEGLSLossless])
def test_a_compressed_loop_keeps_every_frame_in_its_place(tmp_path: Path, syntax: str) -> None:
    case = one(compressed(cine(grey(5)), syntax), tmp_path)
    np.testing.assert_array_equal(case.pixels, grey(5))
    assert case.pixel_spacing == (0.4, 0.5)


def enhanced_ct(frames: NDArray[np.int16], slopes: list[float]) -> FileDataset:
    """Return an enhanced CT object with shared geometry and per-frame positions (descending) and rescale."""
    ds = dataset("CT", frames, SOPClassUID=EnhancedCTImageStorage)
    del ds.ImageOrientationPatient, ds.ImagePositionPatient, ds.PixelSpacing, ds.RescaleSlope, ds.RescaleIntercept
    shared, measures, orientation = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, orientation.ImageOrientationPatient = [0.6, 0.5], [1, 0, 0, 0, 1, 0]
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = Sequence([measures]), Sequence([orientation])
    ds.SharedFunctionalGroupsSequence = Sequence([shared])
    groups = []
    for number, slope in enumerate(slopes):
        group, place, rescale = Dataset(), Dataset(), Dataset()
        place.ImagePositionPatient = [0, 0, -2.0 * number]
        rescale.RescaleSlope, rescale.RescaleIntercept, rescale.RescaleType = slope, -24, "HU"
        group.PlanePositionSequence = Sequence([place])
        group.PixelValueTransformationSequence = Sequence([rescale])
        groups.append(group)
    ds.PerFrameFunctionalGroupsSequence = Sequence(groups)
    return ds


@pytest.mark.parametrize("syntax", ["", RLELossless, JPEG2000Lossless])
def test_enhanced_ct_is_sorted_with_its_own_rescale_per_frame(tmp_path: Path, syntax: str) -> None:
    frames, slopes = np.stack([head_ct(seed=number) // 2 for number in range(3)]).astype(np.int16), [1.0, 2.0, 1.5]
    ds = enhanced_ct(frames, slopes)
    case = one(compressed(ds, syntax) if syntax else ds, tmp_path)
    truth = np.clip(frames * np.array(slopes)[:, None, None] - 24, -1024, 3071)[::-1]
    np.testing.assert_allclose(physical(case), truth, atol=0.5)
    assert case.positions == (-4.0, -2.0, 0.0) and case.slice_spacing == 2.0
    assert case.pixel_spacing == (0.6, 0.5) and case.plane == "axial"


@pytest.mark.skipif(not SHARED.is_dir(), reason="READERSTUDY_SHARED_DATA does not name a folder with dicom/")
def test_high_throughput_jpeg_2000_is_decoded(tmp_path: Path) -> None:
    files = [path for path in sorted(SHARED.rglob("*")) if path.is_file() and _syntax(path).endswith(".4.203")]
    assert files
    for path in files:
        ds = dcmread(path)
        ds.StudyInstanceUID = ds.SeriesInstanceUID = "1.2.3"
        ds.Modality = "US"  # a colour picture of no modality: its saturation is seen only once it is decoded
        _, reports = read_all(save(ds, tmp_path / "one.dcm"))
        assert reports["one.dcm"].reason.startswith("Doppler colour")


def _syntax(path: Path) -> str:
    try:
        return str(read_file_meta_info(path).get("TransferSyntaxUID", ""))
    except Exception:
        return ""
