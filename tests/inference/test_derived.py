"""Derived DICOM out and back in: what is written, and what comes back file by file."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from inference.data import returned
from inference.data.derived import NOTICE, DerivedSlice, Identity, derived_file
from inference.data.dicom import SeriesImage, read_folder
from inference.data.returned import read_returned

SLOPE = {"CT": 1.0, "MR": 0.012345678901234, "US": 1.0}


def part(modality: str = "CT", number: int = 1, **changes: Any) -> DerivedSlice:
    pixels = np.random.default_rng(number).integers(0, 256, (64, 80)).astype(np.uint16)
    values: dict[str, Any] = {
        "pixels": pixels, "modality": modality, "slope": SLOPE[modality],
        "intercept": -1024.0 if modality == "CT" else 0.0, "patient": "P-0001", "number": number,
        "spacing": (0.7, 0.8), "slice_spacing": 5.0, "position": 5.0 * number, "plane": "sagittal",
        "window": (40.0, 400.0), "title": "Degraded input", "derivation": "Degraded to 25 % dose CT",
        "identity": Identity("2.25.1", "2.25.2", f"2.25.2.{number}", "2.25.3", "2.25.9.1"),
    }  # fmt: skip
    return DerivedSlice(**{**values, **changes})


@pytest.mark.parametrize("modality", ["CT", "MR", "US"])
def test_a_derived_file_says_what_it_is(modality: str) -> None:
    ds = pydicom.dcmread(io.BytesIO(derived_file(part(modality))))
    assert list(ds.ImageType[:2]) == ["DERIVED", "SECONDARY"]
    assert ds.ImageComments == NOTICE and ds.DerivationDescription.startswith(NOTICE)
    assert (ds.PatientID, ds.PatientName, ds.PatientIdentityRemoved) == ("P-0001", "P-0001", "YES")
    assert [item.CodeValue for item in ds.DeidentificationMethodCodeSequence] == ["113100", "113101"]
    assert ds.SourceImageSequence[0].ReferencedSOPInstanceUID == "2.25.9.1"
    assert ds.file_meta.MediaStorageSOPInstanceUID == ds.SOPInstanceUID == "2.25.2.1"
    assert (float(ds.WindowCenter), float(ds.WindowWidth)) == (40.0, 400.0)


@pytest.mark.parametrize("modality", ["CT", "MR", "US"])
def test_the_products_own_reader_reads_it(tmp_path: Path, modality: str) -> None:
    parts = [part(modality, number) for number in (1, 2, 3)]
    for one in parts:
        (tmp_path / f"{one.number}.dcm").write_bytes(derived_file(one))
    (case,) = [event for event in read_folder(tmp_path) if isinstance(event, SeriesImage)]
    assert case.modality == modality and case.pixel_spacing == (0.7, 0.8)
    expected = np.stack([one.pixels for one in parts]) * SLOPE[modality] + parts[0].intercept
    assert np.allclose(case.pixels * case.slope + case.intercept, expected, rtol=1e-6, atol=1e-6)
    assert case.plane == ("" if modality == "US" else "sagittal")


@pytest.mark.parametrize("modality", ["CT", "MR", "US"])
def test_what_went_out_comes_back_in_its_own_units(tmp_path: Path, modality: str) -> None:
    one = part(modality)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.dcm").write_bytes(derived_file(one))
    (file,) = read_returned(tmp_path / "in", tmp_path / "out")
    assert (file.refusal, file.modality, file.references) == ("", modality, ("2.25.9.1", "2.25.2.1"))
    assert file.values is not None
    assert np.allclose(file.values, one.pixels * one.slope + one.intercept, rtol=1e-6, atol=1e-6)


def changed(name: str, **values: Any) -> bytes:
    ds = pydicom.dcmread(io.BytesIO(derived_file(part(name))))
    for keyword, value in values.items():
        if value is None:
            del ds[keyword]
        else:
            setattr(ds, keyword, value)
    stream = io.BytesIO()
    ds.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"hello", "Not a DICOM file"),
        (b"", "Empty file"),
        (changed("MR", RescaleSlope=None), returned.NO_RESCALE),
        (changed("CT", RescaleIntercept=None), "CT without rescale"),
        (changed("CT", PhotometricInterpretation="MONOCHROME1"), returned.INVERTED),
        (changed("CT", Rows=32, NumberOfFrames=2), returned.MULTI_FRAME),
        (changed("CT", PixelData=b"\0" * 10), "shorter than rows"),
        (changed("MR", RescaleSlope="1e308", RescaleIntercept="1e308"), returned.NOT_FINITE),
    ],
)
def test_a_bad_file_is_refused_with_a_sentence(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.dcm").write_bytes(content)
    (tmp_path / "in" / "b.dcm").write_bytes(derived_file(part()))
    first, second = read_returned(tmp_path / "in", tmp_path / "out")
    assert sentence in first.refusal and first.refusal.endswith(".")
    assert second.refusal == ""


def test_a_manifest_in_the_zip_names_its_files(tmp_path: Path) -> None:
    items = [{"file": "CT-0001/slice-0001.dcm", "sop_instance_uid": "2.25.77.1"}]
    with zipfile.ZipFile(tmp_path / "back.zip", "w") as archive:
        archive.writestr("results/CT-0001/slice-0001.dcm", derived_file(part()))
        archive.writestr("results/manifest.json", json.dumps({"items": items}))
        archive.writestr("../outside.dcm", derived_file(part()))
    files = {file.path: file for file in read_returned(tmp_path / "back.zip", tmp_path / "out")}
    assert files["results/CT-0001/slice-0001.dcm"].named == "2.25.77.1"
    assert "outside its own folder" in files["../outside.dcm"].refusal
    assert len(files) == 2


def test_a_file_that_ends_the_child_is_refused_and_the_next_one_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two children: the first ends behind `begin` of its first file."""
    starts = []

    def child(root: Path, out: Path, start: int) -> Any:
        starts.append(start)
        if start == 0:
            return iter([{"event": "begin", "index": 0, "path": "a.dcm"}])
        return iter([{"event": "end"}])

    monkeypatch.setattr(returned, "_child", child)
    (file,) = read_returned(tmp_path, tmp_path / "out")
    assert (file.path, file.refusal, starts) == ("a.dcm", returned.BROKE, [0, 1])
