"""Nothing that a header says of a person leaves the reader, except keys, age band and sex."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from pydicom.datadict import DicomDictionary, keyword_for_tag, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from inference.data.dicom import SeriesImage, read_in_child
from inference.data.dicom_describe import age_band, anatomy, device, plane
from tests.inference.dicom_factory import cine, dataset, head_ct, save

LENGTHS = {"SH": 16, "LO": 64, "PN": 64, "LT": 64, "ST": 64, "UT": 64, "UC": 64, "AE": 16}
KEYS = ("patient_key", "study_key", "series_key")


def plant(ds: Dataset, count: int) -> list[str]:
    """Put a marker into so many text elements, a private block, nested sequences and an overlay."""
    markers = []
    for tag, (vr, _, _, retired, keyword) in sorted(DicomDictionary.items()):
        if len(markers) >= count:
            break
        if (
            vr in LENGTHS
            and keyword
            and not retired
            and keyword not in ds
            and (tag >> 16) not in (0x0000, 0x0002, 0x0028)
        ):
            markers.append(f"MK{len(markers):04d}XQZ")
            ds.add(DataElement(tag, vr, markers[-1]))
    ds.PatientName = "MK9000XQZ^First"
    block = ds.private_block(0x0011, "MK9001XQZ", create=True)
    block.add_new(1, "LO", "MK9002XQZ")
    inner, outer = Dataset(), Dataset()
    inner.PatientName, inner.TextValue = "MK9003XQZ", "MK9004XQZ"
    outer.ContentSequence = Sequence([inner])
    ds.RequestAttributesSequence = Sequence([outer])
    ds.add(DataElement(0x60003000, "OW", b"MK9005XQZ " * 8))
    return [*markers, *(f"MK900{n}XQZ" for n in range(6))]


@pytest.mark.parametrize("modality", ["CT", "MR", "US"])
def test_no_planted_marker_is_emitted(tmp_path: Path, modality: str) -> None:
    image = head_ct() if modality == "CT" else (head_ct() + 1024).astype(np.uint16)
    ds = cine(np.zeros((2, 64, 64), np.uint8)) if modality == "US" else dataset(modality, image)
    ds.PatientAge, ds.PatientSex, ds.PatientBirthDate = "093Y", "F", "19200117"
    markers = plant(ds, 220)
    assert len(markers) > 200
    save(ds, tmp_path / "in" / "scan.dcm")
    emitted = []
    for event in read_in_child(tmp_path / "in", tmp_path / "out"):
        values = {k: v for k, v in dataclasses.asdict(event).items() if k not in (*KEYS, "pixels")}
        if isinstance(event, SeriesImage):
            assert (event.age_band, event.sex) == ("90+", "F")
            values["pixels"] = event.pixels.tobytes().decode("latin-1")
        emitted.append(json.dumps(values, default=str))
    text = "".join(emitted)
    assert "accepted" in text
    found = [marker for marker in [*markers, "19200117", "093Y", "P-1"] if marker in text]
    assert found == []


def test_the_device_is_described_by_known_makers_codes_and_numbers_only() -> None:
    ds = Dataset()
    ds.Manufacturer, ds.ManufacturerModelName = "SIEMENS Healthineers", "SOMATOM Force"
    ds.ConvolutionKernel, ds.KVP, ds.InstitutionName = "Br40d", "120", "St. Elsewhere"
    assert device(ds) == {
        "Manufacturer": "Siemens",
        "ManufacturerModelName": "SOMATOM Force",
        "ConvolutionKernel": "Br40d",
        "KVP": 120.0,
    }
    ds.Manufacturer, ds.ConvolutionKernel, ds.KVP = "Dr. Doe's garage", "JOHN DOE", None
    assert device(ds) == {}


@pytest.mark.parametrize(
    ("age", "born", "seen", "band"),
    [
        ("045Y", "", "", "40-49"),
        ("090Y", "", "", "90+"),
        ("104Y", "", "", "90+"),
        ("011M", "", "", "0-9"),
        ("000Y", "", "", ""),
        ("", "19600601", "20200531", "50-59"),
        ("", "19600601", "20200601", "60-69"),
        ("", "2020", "20200601", ""),
    ],
)
def test_ages_become_bands(age: str, born: str, seen: str, band: str) -> None:
    ds = Dataset()
    ds.PatientAge, ds.PatientBirthDate, ds.StudyDate = age, born, seen
    assert age_band(ds) == band


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("CHEST 2.5 MM/ABD.PEL", "chest"),
        ("t2_tse_knie re", "knee"),
        ("CCA left", "carotid"),
        ("Steering wheel", ""),
        ("C-Spine", "spine"),
        ("", ""),
    ],
)
def test_anatomy_is_a_word_of_our_own(text: str, region: str) -> None:
    ds = Dataset()
    ds.SeriesDescription = text
    assert anatomy(ds) == region


def test_planes() -> None:
    assert plane([1, 0, 0, 0, 1, 0]) == "axial"
    assert plane([1, 0, 0, 0, 0, -1]) == "coronal"
    assert plane([0.7, 0.7, 0, 0, 0, -1]) == "oblique"
    assert plane(None) == ""


def test_tags_of_the_allow_list_exist() -> None:
    from inference.data.dicom_describe import TAGS_DESCRIBED

    assert [keyword_for_tag(tag_for_keyword(name) or 0) for name in TAGS_DESCRIBED] == list(TAGS_DESCRIBED)
