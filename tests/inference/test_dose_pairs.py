"""Full- and reduced-dose CT pairs: laid out like the public library, doses read from headers, paired by place."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from inference.data.dose_pairs import DosePair, library_folders, patient_folders, read_dose_pair
from tests.inference.dicom_factory import dataset, head_ct, save
from tests.inference.dose_factory import FRAME, FULL, LOW, QUARTER, STUDY, library, noisy, write_one, write_series


def check(pair: DosePair, numbers: list[int]) -> None:
    for pixels, low in ((pair.full, False), (pair.low, True)):
        assert pixels.dtype == np.float32
        truth = np.stack([np.clip(noisy(number, low), -1024, 3071) for number in numbers])
        np.testing.assert_array_equal(pixels, truth)
    assert pair.positions == tuple((-180.5, -170.25, -3.0 * number) for number in numbers)


def test_a_pair_is_read_sorted_and_its_dose_comes_from_the_headers(tmp_path: Path) -> None:
    pair = read_dose_pair(library(tmp_path))
    check(pair, [3, 2, 1, 0])  # along the normal, from the feet up
    assert (pair.dose_share, pair.dose_share_range) == (0.25, (0.25, 0.25))
    assert pair.dose_source == "Exposure (0018,1152)"
    assert pair.pixel_spacing == (0.7, 0.8) and pair.orientation == (1, 0, 0, 0, 1, 0)
    assert pair.unmatched_full == pair.unmatched_low == () == pair.refused
    assert pair.patient_key == "L067\\" and pair.notes == ()


@pytest.mark.parametrize(
    ("doses", "source", "share"),
    [
        ({"CTDIvol": (10.0, 1.0), **QUARTER}, "CTDIvol (0018,9345)", 0.1),
        ({"CTDIvol": (10.0, 10.0), **QUARTER}, "Exposure (0018,1152)", 0.25),  # copied from the full dose
        ({"CTDIvol": (10.0, None), **QUARTER}, "Exposure (0018,1152)", 0.25),
        ({"ExposureInuAs": (200_000, 20_400), **QUARTER}, "ExposureInuAs (0018,1153)", 0.102),
        ({"XRayTubeCurrent": (300, 75), "ExposureTime": (500, 500)}, "XRayTubeCurrent (0018,1151) x", 0.25),
        ({"XRayTubeCurrent": (300, 150), "ExposureTime": (500, 250), "Exposure": (0, 0)}, "XRayTubeCurrent", 0.25),
    ],
)
def test_the_first_usable_field_gives_the_share(
    tmp_path: Path, doses: dict[str, tuple[Any, Any]], source: str, share: float
) -> None:
    pair = read_dose_pair(library(tmp_path, doses))
    assert pair.dose_source.startswith(source)
    assert pair.dose_share == pytest.approx(share)


@pytest.mark.parametrize(
    ("doses", "changes"),
    [
        ({}, {}),
        ({"Exposure": (200, 200), "CTDIvol": (9.1, 9.1)}, {}),
        ({"Exposure": (200, None)}, {}),
        ({"Exposure": (200, 0)}, {}),
        ({"XRayTubeCurrent": (300, 75)}, {}),
        (QUARTER, {"KVP": 120}),  # exposures of two voltages are no doses
    ],
)
def test_a_dose_that_is_not_stated_is_never_assumed(
    tmp_path: Path, doses: dict[str, tuple[Any, Any]], changes: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=r"both need CTDIvol \(0018,9345\), Exposure .* XRayTubeCurrent") as caught:
        read_dose_pair(library(tmp_path, doses, changes=changes))
    assert str(caught.value).endswith("in every slice.")


def test_ctdi_holds_across_voltages(tmp_path: Path) -> None:
    pair = read_dose_pair(library(tmp_path, {"CTDIvol": (8.0, 2.0)}, changes={"KVP": 120}))
    assert pair.dose_share == 0.25


def test_slices_are_paired_by_place_and_the_rest_is_reported(tmp_path: Path) -> None:
    pair = read_dose_pair(library(tmp_path, numbers=([0, 1, 2, 4], [1, 2, 3, 4, 5])))
    check(pair, [4, 2, 1])
    assert [p[2] for p in pair.unmatched_full] == [0.0]
    assert [p[2] for p in pair.unmatched_low] == [-15.0, -9.0]


def test_a_dose_that_varies_along_the_scan_is_given_as_median_and_range(tmp_path: Path) -> None:
    patient = library(tmp_path)
    for path in sorted((patient / STUDY / LOW).iterdir())[:1]:
        write_one(path, Exposure=60)
    pair = read_dose_pair(patient)
    assert (pair.dose_share, pair.dose_share_range) == (0.25, (0.25, 0.3))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"PatientID": "L068"}, "different patients"),
        ({"FrameOfReferenceUID": FRAME + "1"}, "different frames of reference"),
        ({"FrameOfReferenceUID": ""}, "different frames of reference"),
        ({"PixelSpacing": [0.7, 0.7]}, "orientation or pixel spacing"),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 0.9998, 0.02]}, "orientation or pixel spacing"),
        ({"Modality": "MR", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.4"}, "not one CT volume"),
        ({"Exposure": 400}, "has the higher dose"),
    ],
)
def test_what_is_no_pair_is_refused(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        read_dose_pair(library(tmp_path, changes=changes))
    assert str(caught.value).endswith(".") and ". " not in str(caught.value)


def test_series_at_other_places_or_of_other_size_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="lies at the same place"):
        read_dose_pair(library(tmp_path / "a", numbers=([0, 1], [2, 3])))
    patient = library(tmp_path / "b")
    for number, path in enumerate(sorted((patient / STUDY / LOW).iterdir())):
        other = dataset("CT", head_ct(80, 64, number), number, PatientID="L067", FrameOfReferenceUID=FRAME)
        save(other, path)
    with pytest.raises(ValueError, match="different rows and columns"):
        read_dose_pair(patient)


def test_a_missing_frame_of_reference_in_both_is_noted(tmp_path: Path) -> None:
    patient = library(tmp_path)
    for path in patient.rglob("*.dcm"):
        write_one(path, FrameOfReferenceUID="")
    assert any("no frame of reference" in note for note in read_dose_pair(patient).notes)


def test_unreadable_files_are_reported_and_projections_passed_over(tmp_path: Path) -> None:
    patient = library(tmp_path)
    study = patient / STUDY
    (study / LOW / "notes.txt").write_text("not an image")
    (study / "1.000000-Full Dose Projections-24362").mkdir()
    (study / "1.000000-Full Dose Projections-24362" / "1-00001.dcm").write_bytes(b"\0" * 200)
    pair = read_dose_pair(patient)
    assert [report.path for report in pair.refused] == ["notes.txt"]
    assert len(pair.full) == 4


def test_folders_named_by_identifiers_are_known_by_their_series_description(tmp_path: Path) -> None:
    patient = library(tmp_path, names=("1.3.6.1.4.1.1", "1.3.6.1.4.1.2"))
    for path in patient.rglob("*.dcm"):
        write_one(path, SeriesDescription="Low Dose Images" if path.parent.name.endswith("2") else "Full dose images")
    assert read_dose_pair(patient).dose_share == 0.25
    assert library_folders(patient.parent) == (patient,)


def test_a_library_is_told_from_other_folders_by_what_its_series_say(tmp_path: Path) -> None:
    patient = library(tmp_path, names=(FULL, "1.3.6.1.4.1.2"), changes={"SeriesDescription": "Low Dose Images"})
    for folder in (patient / STUDY).iterdir():
        (folder / ".hidden").write_bytes(b"no image")
    (patient.parent / "N012").mkdir()
    assert library_folders(patient.parent) == (patient, patient.parent / "N012")
    assert library_folders(patient / STUDY) == (patient / STUDY,), "the series of one patient, right in the folder"
    plain = tmp_path / "plain"
    save(dataset("CT", head_ct(), 1, SeriesDescription="Low dose chest"), plain / "P" / "1.dcm")
    for none in (plain, plain / "P", plain / "P" / "1.dcm", tmp_path / "missing"):
        assert library_folders(none) == ()
    shutil.rmtree(patient / STUDY / "1.3.6.1.4.1.2")
    assert library_folders(patient.parent) == (), "full-dose images alone are ordinary images"


def test_a_missing_doubled_or_broken_series_is_named(tmp_path: Path) -> None:
    patient = library(tmp_path)
    study = patient / STUDY
    write_series(study / "2.000000-Low Dose Images-1", [0, 1], True)
    with pytest.raises(ValueError, match="more than one series of Low Dose Images"):
        read_dose_pair(patient)
    for folder in (study / "2.000000-Low Dose Images-1", study / LOW):
        for path in folder.iterdir():
            path.unlink()
    with pytest.raises(ValueError, match="no series of Low Dose Images"):
        read_dose_pair(patient)
    (study / LOW / "1-001.dcm").write_bytes(b"\0" * 200)
    with pytest.raises(ValueError, match="Low Dose Images cannot be read: Not a DICOM file"):
        read_dose_pair(patient)


def test_slices_without_a_place_are_refused(tmp_path: Path) -> None:
    patient = library(tmp_path)
    for path in (patient / STUDY / FULL).iterdir():
        ds = pydicom.dcmread(path)
        del ds.ImagePositionPatient
        ds.save_as(path)
    with pytest.raises(ValueError, match="lack position, orientation or spacing"):
        read_dose_pair(patient)


def test_patients_of_a_library_are_listed(tmp_path: Path) -> None:
    root = library(tmp_path).parent
    for name in ("N012", "C002"):
        (root / name).mkdir()
    assert [folder.name for folder in patient_folders(root)] == ["C002", "L067", "N012"]
    for empty in (root / "N012", tmp_path / "missing"):
        with pytest.raises(ValueError, match="holds no patient folders"):
            patient_folders(empty)
