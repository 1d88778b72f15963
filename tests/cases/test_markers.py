"""No value of a patient's header reaches the database, the store, or anything else in the data folder."""

from __future__ import annotations

import io
from itertools import count
from pathlib import Path
from typing import Any

import pydicom
import pytest
from django.apps import apps
from django.core.management import call_command
from django.core.serializers import serialize
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.uid import SecondaryCaptureImageStorage

from readerstudy.cases.models import Case, Import, Source
from tests.cases.factories import write_dicom

PERSON = [
    "PatientName",
    "OtherPatientNames",
    "PatientBirthName",
    "PatientMotherBirthName",
    "ReferringPhysicianName",
    "PerformingPhysicianName",
    "OperatorsName",
    "PhysiciansOfRecord",
    "NameOfPhysiciansReadingStudy",
    "RequestingPhysician",
    "ResponsiblePerson",
]
TEXT = [
    "PatientID",
    "OtherPatientIDs",
    "IssuerOfPatientID",
    "AccessionNumber",
    "InstitutionName",
    "InstitutionAddress",
    "InstitutionalDepartmentName",
    "StationName",
    "StudyDescription",
    "SeriesDescription",
    "PatientComments",
    "PatientAddress",
    "MilitaryRank",
    "BranchOfService",
    "PatientTelephoneNumbers",
    "Occupation",
    "AdditionalPatientHistory",
    "EthnicGroup",
    "MedicalAlerts",
    "Allergies",
    "CountryOfResidence",
    "RegionOfResidence",
    "PatientReligiousPreference",
    "ImageComments",
    "ProtocolName",
    "RequestedProcedureDescription",
    "PerformedProcedureStepDescription",
    "StudyID",
    "DeviceSerialNumber",
    "PlateID",
    "GantryID",
    "CurrentPatientLocation",
    "AdmissionID",
    "AdmittingDiagnosesDescription",
    "RequestAttributesComment",
    "ClinicalTrialSubjectID",
    "ClinicalTrialSponsorName",
    "ClinicalTrialSiteName",
    "ClinicalTrialProtocolID",
    "FrameComments",
    "DerivationDescription",
    "ContrastBolusAgent",
    "PatientInsurancePlanCodeText",
    "ReasonForStudy",
    "CommentsOnThePerformedProcedureStep",
    "DetectorID",
    "AcquisitionComments",
    "PatientState",
    "SpecialNeeds",
]


def plant(ds: Dataset, numbers: count[int], planted: list[str]) -> None:
    """Put a marker into every attribute of the lists that the standard knows."""
    for keyword in (*PERSON, *TEXT):
        tag = tag_for_keyword(keyword)
        if tag is None or dictionary_VR(tag) == "SQ":
            continue
        planted.append(f"QZX{next(numbers):04d}")
        setattr(ds, keyword, planted[-1])


def marked(path: Path, modality: str, series: str, numbers: count[int], planted: list[str]) -> None:
    """A file with markers in its header, its private blocks, nested sequences and its name."""
    write_dicom(path, modality, series=series)
    ds = pydicom.dcmread(path)
    plant(ds, numbers, planted)
    for group in (0x0009, 0x0019, 0x0029, 0x7FE1):
        block = ds.private_block(group, "ACME", create=True)
        for element, vr in ((1, "LO"), (2, "UT"), (3, "OB")):
            planted.append(f"QZX{next(numbers):04d}")
            block.add_new(element, vr, planted[-1].encode() if vr == "OB" else planted[-1])
    inner: Dataset = ds
    for _ in range(6):
        child = Dataset()
        if inner is ds:
            plant(child, numbers, planted)
        planted.append(f"QZX{next(numbers):04d}")
        child.PatientComments = planted[-1]
        inner.RequestAttributesSequence = [child]
        inner = child
    ds.ImageType = ["ORIGINAL", "PRIMARY", planted[0]]
    ds.file_meta.SourceApplicationEntityTitle = planted[1]
    ds.save_as(path, enforce_file_format=True)


@pytest.mark.django_db
def test_no_planted_marker_survives(tmp_path: Path, installation: Path, capsys: pytest.CaptureFixture[str]) -> None:
    numbers, planted = count(1), ["QZX0000"]
    for name, modality, series in (("QZX0000_jane", "CT", "1"), ("QZX0000/QZX0000", "US", "2")):
        marked(tmp_path / "in" / f"{name}.dcm", modality, series, numbers, planted)
    broken = tmp_path / "in" / "QZX0000_broken.dcm"
    marked(broken, "CT", "3", numbers, planted)
    broken.write_bytes(broken.read_bytes()[:-2000])
    strange: dict[str, Any] = {
        "Modality": "QZX9999",
        "BodyPartExamined": "QZX9998",
        "SOPClassUID": SecondaryCaptureImageStorage,
    }
    write_dicom(tmp_path / "in" / "QZX0000_strange.dcm", "CT", 1, "4", **strange)
    assert len(set(planted)) >= 200

    output = io.StringIO()
    call_command("import_cases", tmp_path / "in", source="Hospital A", stdout=output, stderr=io.StringIO())
    batch = Import.objects.get()
    assert Case.objects.count() == 2
    assert (batch.files.count(), batch.refused) == (4, 2)

    for model in apps.get_models():
        text = serialize("json", model._default_manager.all())
        assert "QZX" not in text, f"{model.__name__} keeps {text[text.index('QZX') :][:8]}"
        assert "Doe" not in text
    for path in installation.rglob("*"):
        assert "QZX" not in str(path.relative_to(installation))
        if path.is_file():
            assert b"QZX" not in path.read_bytes()
    assert "QZX" not in "".join(capsys.readouterr())
    told = output.getvalue().replace("QZX0000", "")
    assert "QZX" not in told, "the closing table tells more than the file's own path"


@pytest.mark.django_db
def test_ids_and_dates_do_not_survive(tmp_path: Path) -> None:
    dates: dict[str, Any] = {
        "PatientBirthDate": "19631224",
        "StudyDate": "20240229",
        "SeriesTime": "231559",
        "PatientAge": "060Y",
    }
    write_dicom(tmp_path / "in" / "a.dcm", series="77001234", **dates)
    call_command("import_cases", tmp_path / "in", source="Hospital A", stdout=io.StringIO(), stderr=io.StringIO())
    uids = [pydicom.dcmread(tmp_path / "in" / "a.dcm")[k].value for k in ("StudyInstanceUID", "SOPInstanceUID")]
    assert Source.objects.get().cases.count() == 1
    text = "".join(serialize("json", model._default_manager.all()) for model in apps.get_models())
    for value in ("77001234", "19631224", "20240229", "231559", *uids):
        assert value not in text
    assert '"age_band": "60-69"' in text
