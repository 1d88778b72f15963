"""PS3.15 Annex E as data, and an object after it: nothing identifying left, and it says what was done."""

import os
import re
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pydicom.errors
import pytest
from pydicom._uid_dict import UID_dictionary
from pydicom.datadict import dictionary_description, dictionary_has_tag, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import SecondaryCaptureImageStorage

from inference.data import deidentify as ps315
from inference.data import dicom_describe, dicom_headers
from inference.data.deidentify import KEEP, deidentify, permitted, rule_for, table
from inference.data.dicom_types import SeriesImage
from readerstudy.cases import storing
from tests.cases.test_markers import PERSON, TEXT
from tests.cases.test_markers import plant as plant_known
from tests.inference.dicom_factory import cine, dataset, head_ct
from tests.inference.test_dicom_privacy import plant as plant_by_dictionary

KEY = b"a secret of this installation"
SHARED = Path(os.environ.get("READERSTUDY_SHARED_DATA", "no-shared-data")) / "dicom"


def everything(ds: Dataset) -> str:
    return f"{ds}{ds.to_json()}{getattr(ds, 'file_meta', '')}"


def test_the_table_is_whole_and_agrees_with_the_dictionary() -> None:
    rows = table()
    assert len(rows) == 656
    assert {rule.basic for rule in rows.values()} == {"D", "Z", "X", "U", "Z/D", "X/Z", "X/D", "X/Z/D", "X/Z/U*"}
    for tag, rule in rows.items():
        if re.fullmatch(r"[0-9A-F]{4},[0-9A-F]{4}", tag):
            number = int(tag.replace(",", ""), 16)
            assert not dictionary_has_tag(number) or dictionary_description(number) == rule.name
        assert {getattr(rule, name) for name in vars(rule) if name not in ("name", "basic")} <= {"", "K", "C"}


@pytest.mark.parametrize(
    ("keyword", "basic", "option", "action"),
    [
        ("PatientName", "Z", "retain_patient", ""),
        ("PatientID", "Z/D", "retain_patient", ""),
        ("PatientSex", "Z", "retain_patient", "K"),
        ("PatientAge", "X", "retain_patient", "K"),
        ("StudyInstanceUID", "U", "retain_uids", "K"),
        ("StudyDate", "Z", "retain_full_dates", "K"),
        ("DeviceSerialNumber", "X/Z/D", "retain_device", "K"),
        ("InstitutionName", "X/Z/D", "retain_institution", "K"),
        ("SeriesDescription", "X", "clean_descriptors", "C"),
        ("ContentSequence", "D", "clean_structured", "C"),
    ],
)
def test_rows_that_the_standard_prints(keyword: str, basic: str, option: str, action: str) -> None:
    rule = rule_for(tag_for_keyword(keyword) or 0)
    assert rule is not None and (rule.basic, getattr(rule, option)) == (basic, action)


def test_private_curves_and_overlays_have_a_row() -> None:
    for tag in (0x00091001, 0x50020010, 0x60023000, 0x601E4000):
        rule = rule_for(tag)
        assert rule is not None and rule.basic == "X"
    assert rule_for(0x00280010) is None


def test_what_the_importer_keeps_is_permitted() -> None:
    """Every attribute whose own value is stored is either not in the table or kept by the option that is named."""
    by_option = {
        "device": ("Manufacturer", "ManufacturerModelName"),
        "acquisition": (*dicom_describe.DEVICE_NUMBERS, *dicom_describe.DEVICE_CODES),
        "patient": ("PatientAge", "PatientSex"),
    }
    for option, keywords in by_option.items():
        for keyword in keywords:
            assert permitted(tag_for_keyword(keyword) or 0, frozenset({option})), keyword
    assert not permitted(tag_for_keyword("PatientAge") or 0, frozenset())
    assert storing.KEEP == KEEP and set(by_option["device"]) == storing.DEVICE_FACTS


def test_what_the_importer_reads_beyond_that_never_stays_as_it_is() -> None:
    """Read, but not permitted: identifiers become keyed hashes, texts a word of a list, dates an age band."""
    hashed = {"SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "PatientID", "IssuerOfPatientID"}
    words = {"ProtocolName", "SeriesDescription", "StudyDescription"}
    for keyword in set(dicom_headers._TAGS):
        tag = tag_for_keyword(keyword)
        assert tag is not None
        if permitted(tag, KEEP) or keyword in hashed | {"PatientBirthDate", "StudyDate"}:
            continue
        rule = rule_for(tag)
        assert keyword in words and rule is not None and rule.clean_descriptors == "C", keyword
    stored = {"pixels", "patient_key", "study_key", "series_key", "source_ids"}
    assert stored <= set(SeriesImage.__dataclass_fields__)


def marked(modality: str) -> tuple[Dataset, list[str]]:
    """More than 200 markers in headers, private blocks, six levels of sequences, overlays and curves."""
    image = head_ct() if modality == "CT" else (head_ct() + 1024).astype(np.uint16)
    ds = cine(np.zeros((2, 64, 64), np.uint8)) if modality == "US" else dataset(modality, image)
    planted: list[str] = []
    numbers = count(1)
    planted += plant_by_dictionary(ds, 220)
    plant_known(ds, numbers, planted)
    inner = ds
    for depth in range(6):
        child = Dataset()
        plant_known(child, numbers, planted)
        child.ReferencedSOPInstanceUID = "1.2.3.99999"
        setattr(inner, "ReferencedImageSequence" if depth % 2 else "SharedFunctionalGroupsSequence", Sequence([child]))
        inner = child
    for tag in (0x60003000, 0x60004000, 0x50003000):
        planted.append(f"QZX{next(numbers):04d}")
        bulk = tag & 0xFFFF == 0x3000
        ds.add(DataElement(tag, "OW" if bulk else "LT", planted[-1].encode() * 2 if bulk else planted[-1]))
    ds.ImageType = ["ORIGINAL", "PRIMARY", planted[0]]
    ds.file_meta.SourceApplicationEntityTitle = planted[1]
    return ds, planted


@pytest.mark.parametrize("modality", ["CT", "MR", "US"])
@pytest.mark.parametrize("keep", [KEEP, frozenset()])
def test_no_planted_marker_survives(modality: str, keep: frozenset[str]) -> None:
    ds, planted = marked(modality)
    before = ds.to_json()
    assert len(set(planted)) >= 200
    text = everything(deidentify(ds, KEY, keep))
    assert [marker for marker in planted if marker in text] == []
    assert "1.2.3.99999" not in text and "1.2.826.0.1.3680043" not in text
    assert ds.to_json() == before


def test_uids_and_patient_are_consistent_within_the_installation_only() -> None:
    first, second = (deidentify(dataset("CT", head_ct(), number), KEY) for number in (1, 2))
    other = deidentify(dataset("CT", head_ct(), 1), b"another secret")
    assert first.SeriesInstanceUID == second.SeriesInstanceUID != other.SeriesInstanceUID
    assert first.SOPInstanceUID != second.SOPInstanceUID
    assert first.PatientID == second.PatientID != other.PatientID
    assert first.SOPInstanceUID.is_valid and first.SOPInstanceUID.startswith("2.25.")
    assert first.file_meta.MediaStorageSOPInstanceUID == first.SOPInstanceUID


def test_it_says_what_was_done() -> None:
    made = deidentify(dataset("CT", head_ct()), KEY)
    assert made.PatientIdentityRemoved == "YES"
    assert "Pseudonymised" in made.DeidentificationMethod[0]
    assert "anonym" not in "".join(made.DeidentificationMethod).lower().replace("pseudonym", "")
    codes = [(item.CodeValue, item.CodingSchemeDesignator) for item in made.DeidentificationMethodCodeSequence]
    assert codes == [("113100", "DCM"), ("113101", "DCM"), ("113108", "DCM"), ("113109", "DCM")]
    bare = deidentify(dataset("CT", head_ct()), KEY, frozenset())
    assert [item.CodeValue for item in bare.DeidentificationMethodCodeSequence] == ["113100", "113101"]


def test_text_that_may_be_burned_in_is_said_until_someone_has_looked() -> None:
    ds = cine(np.zeros((2, 64, 64), np.uint8))
    at_risk, seen = deidentify(ds, KEY), deidentify(ds, KEY, looked=True)
    assert (at_risk.BurnedInAnnotation, seen.BurnedInAnnotation) == ("YES", "NO")
    assert "113101" not in [item.CodeValue for item in at_risk.DeidentificationMethodCodeSequence]
    assert ps315.burned_in_risk(dataset("CT", head_ct(), SOPClassUID=SecondaryCaptureImageStorage))


def person(**changes: Any) -> Dataset:
    values: dict[str, Any] = {
        "PatientAge": "063Y", "PatientSex": "F", "PatientBirthDate": "19610101", "StudyDate": "20240301",
        "Manufacturer": "SIEMENS", "ManufacturerModelName": "SOMATOM Force", "KVP": 120, "DeviceSerialNumber": "77",
        "ConvolutionKernel": "Br40d", "ContentDate": "20240301",
    }  # fmt: skip
    return dataset("CT", head_ct(), **{**values, **changes})


def test_each_option_keeps_its_facts_and_no_other() -> None:
    all_kept, none = deidentify(person(), KEY), deidentify(person(), KEY, frozenset())
    assert (all_kept.PatientAge, all_kept.PatientSex) == ("060Y", "F")
    assert (all_kept.Manufacturer, all_kept.ManufacturerModelName) == ("Siemens", "SOMATOM Force")
    assert all_kept.KVP == 120 and all_kept.ConvolutionKernel == "Br40d"
    assert all_kept.get("DeviceSerialNumber") in (None, "REMOVED")
    for made in (all_kept, none):
        assert not made.get("StudyDate") and not made.get("ContentDate") and not made.PatientBirthDate
    for keyword in ("PatientAge", "Manufacturer", "ManufacturerModelName", "KVP", "ConvolutionKernel"):
        assert keyword not in none
    assert none.PatientSex == ""


def test_pixels_and_geometry_stay() -> None:
    ds = person()
    made = deidentify(ds, KEY, frozenset())
    for keyword in ("PixelData", "PixelSpacing", "ImagePositionPatient", "RescaleSlope", "Rows", "Modality"):
        assert made[keyword].value == ds[keyword].value
    loop = deidentify(cine(np.zeros((2, 64, 64), np.uint8)), KEY, frozenset())
    assert loop.SequenceOfUltrasoundRegions[0].PhysicalDeltaX == 0.05


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(ValueError, match="choose among acquisition, device, patient"):
        deidentify(Dataset(), KEY, frozenset({"dates"}))


def test_the_lists_of_markers_hold_what_the_standard_calls_identifying() -> None:
    named = [keyword for keyword in (*PERSON, *TEXT) if rule_for(tag_for_keyword(keyword) or 0) is not None]
    assert len(named) > 50


@pytest.mark.skipif(not SHARED.is_dir(), reason="READERSTUDY_SHARED_DATA does not name a folder with dicom/")
def test_every_object_of_the_shared_collection_is_pseudonymised() -> None:
    """No person, date, private attribute or UID of a source stays, whatever the object is."""
    dicom_headers.quiet_pydicom()
    done = 0
    for path in sorted(path for path in SHARED.rglob("*") if path.is_file()):
        try:
            ds = pydicom.dcmread(path)
        except pydicom.errors.InvalidDicomError:
            continue
        made = deidentify(ds, KEY)
        done += 1
        uids = {str(e.value) for e in ds.iterall() if e.VR == "UI" and isinstance(e.value, str)} - set(UID_dictionary)
        assert not {str(e.value) for e in made.iterall() if e.VR == "UI" and e.value} & uids, path.name
        for element in made.iterall():
            assert not element.tag.is_private and element.tag.group & 0xFF00 not in (0x5000, 0x6000), path.name
            if element.VR in ("DA", "DT", "TM"):
                assert not element.value, f"{path.name}: {element}"
        assert made.PatientName == made.PatientID and made.PatientIdentityRemoved == "YES"
    assert done > 200
