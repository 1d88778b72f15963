"""Where a benchmark's cases come from: DICOM, the pool, measured k-space, full- and low-dose pairs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from inference.benchmark import run, stated
from inference.benchmark.arms import ARMS
from inference.benchmark.cases import load_cases
from inference.benchmark.fidelity_tables import measure
from inference.methods.base import load_method
from tests.inference import dose_factory, fastmri_factory
from tests.inference.dicom_factory import dataset, head_ct, save
from tests.inference.pool_factory import make_pool


def test_dicom_is_benchmarked_under_pseudonyms(tmp_path: Path) -> None:
    for number in range(3):
        save(dataset("CT", head_ct(seed=number), number, PatientID="Secret^Name"), tmp_path / f"{number}.dcm")
    found = load_cases(tmp_path, frozenset(), 2)
    assert len(found.cases) == 2 and {c.modality for c in found.cases} == {"CT"}
    assert all("Secret" not in c.patient + c.name for c in found.cases)
    with pytest.raises(ValueError, match="No case is left"):
        load_cases(tmp_path, frozenset({"set-Secret^Name"}), 0)


def test_a_flat_slice_is_left_out_and_its_mates_are_kept(tmp_path: Path) -> None:
    for number in range(3):
        pixels = head_ct(seed=number) if number else np.zeros((64, 64), np.int16)
        save(dataset("CT", pixels, number), tmp_path / f"{number}.dcm")
    found = load_cases(tmp_path, frozenset(), 0)
    assert len(found.cases) == 2
    ((name, reason),) = found.left_out.items()
    assert reason == "every pixel is the same, so no metric is defined"
    assert name.startswith(f"{found.cases[0].patient}_"), "the slice is named, not its patient"


def test_refused_files_are_named_with_their_reason_and_without_their_folders(tmp_path: Path) -> None:
    save(dataset("CT", head_ct(), 1), tmp_path / "1.dcm")
    (tmp_path / "Secret^Name").mkdir()
    (tmp_path / "Secret^Name" / "notes.txt").write_text("no image")
    found = load_cases(tmp_path, frozenset(), 0)
    assert len(found.cases) == 1
    ((name, reason),) = found.left_out.items()
    assert name == "notes.txt (file 2)" and reason.startswith("Not a DICOM file") and not reason.endswith(".")


def test_a_damaged_volume_is_left_out_and_the_others_are_measured(tmp_path: Path) -> None:
    space = fastmri_factory.single_coil_k_space()
    whole = fastmri_factory.write(tmp_path / "a.h5", space).read_bytes()
    (tmp_path / "b.h5").write_bytes(whole[: len(whole) // 2])
    space[1, :, ::3] = 0  # undersampled, and no mask says so
    fastmri_factory.write(tmp_path / "c.h5", space)
    found = load_cases(tmp_path, frozenset(), 0)
    assert "cut off" in found.left_out.pop("b.h5")
    ((name, reason),) = found.left_out.items()
    assert name.endswith("_c_001") and reason.startswith("Lines are missing from this k-space")
    assert len(found.cases) == 5


def test_references_are_resampled_before_they_are_degraded(tmp_path: Path) -> None:
    found = load_cases(make_pool(tmp_path), frozenset({"ct-b"}), 1, matrix=40)
    assert {c.reference.shape for c in found.cases} == {(40, 35)}
    assert all(c.measurement.degraded.shape == (40, 35) for c in found.cases)
    assert found.left_out["ct-b"].startswith("in the training") and "display-ct" in found.left_out


@pytest.mark.parametrize("coils", [1, 4])
def test_measured_k_space_is_undersampled_and_never_resampled(tmp_path: Path, coils: int) -> None:
    space = fastmri_factory.multi_coil() if coils > 1 else fastmri_factory.single_coil_k_space()
    fastmri_factory.write(tmp_path / "file1.h5", space)
    fastmri_factory.write(tmp_path / "test.h5", space, test=True)
    found = load_cases(tmp_path, frozenset(), 2, matrix=32)
    assert len(found.cases) == 2 and "undersampled" in found.left_out["test.h5"]
    case = found.cases[0]
    assert fastmri_factory.PATIENT not in case.patient + case.name
    assert str(case.measurement.parameters["k_space"]).startswith("measured")
    assert case.measurement.k_space is not None and case.reference.shape == case.measurement.degraded.shape
    assert case.reference.shape[0] == fastmri_factory.TARGET[0], "readout oversampling is cut off"
    images = load_method("tv_recon").reconstruct([case.measurement], [0])
    degraded, restored = (measure("x", [case], [i]).rows[0].psnr for i in (case.measurement.degraded, images[0]))
    assert restored > degraded


def test_dose_pairs_keep_their_own_low_dose_image_and_share(tmp_path: Path) -> None:
    folder = dose_factory.library(tmp_path)
    (folder.parent / "N012" / "1" / "Low Dose Images").mkdir(parents=True)
    found = load_cases(folder.parent, frozenset(), 2, matrix=32)
    assert len(found.cases) == 2 and "N012" in found.left_out
    measured = found.cases[0].measurement
    assert measured.level == pytest.approx(0.25, abs=0.01) and "read from" in str(measured.parameters["dose"])
    assert measured.degraded.shape == found.cases[0].reference.shape and measured.degraded.max() > 0
    with pytest.raises(ValueError, match="No case is left"):
        load_cases(folder.parent, frozenset({"ldct-L067"}), 0)


def test_dose_pairs_in_folders_named_by_identifiers_are_pairs(tmp_path: Path) -> None:
    """The low-dose images of the public library must never become references."""
    patient = dose_factory.library(tmp_path, numbers=([0, 1, 2], [1, 2, 3]), names=("1.3.6.1", "1.3.6.2"))
    for path in patient.rglob("*.dcm"):
        kind = "Low" if path.parent.name.endswith("2") else "Full"
        dose_factory.write_one(path, SeriesDescription=f"{kind} Dose Images")
    (patient / dose_factory.STUDY / "1.3.6.2" / "LICENSE").write_text("no image")
    found = load_cases(patient.parent, frozenset(), 0)
    assert len(found.cases) == 2
    for case in found.cases:
        assert str(case.measurement.parameters["dose"]).startswith("measured pair")
        noise, full_dose_noise = (image[24:40, 24:40].std() for image in (case.measurement.degraded, case.reference))
        assert noise > 2 * full_dose_noise
    name = found.cases[0].patient
    assert found.left_out[f"2 of {name}"] == "slices that exist at one dose only"
    assert found.left_out[f"LICENSE (refused file 1 of {name})"].startswith("Not a DICOM file")


def test_a_low_dose_series_alone_is_no_reference(tmp_path: Path) -> None:
    patient = dose_factory.library(tmp_path, changes={"SeriesDescription": "Low Dose Images"}, names=("1.2", "1.3"))
    with pytest.raises(ValueError, match="L067: The patient's folder holds no series of Full Dose Images"):
        load_cases(patient.parent, frozenset(), 0)


@pytest.mark.parametrize("kinds", [("Full", "Low"), ("Low", "Low")])
def test_low_dose_images_in_one_folder_are_no_references(kinds: tuple[str, str], tmp_path: Path) -> None:
    patient, flat = dose_factory.library(tmp_path), tmp_path / "flat"
    flat.mkdir()
    for folder, kind in zip(sorted((patient / dose_factory.STUDY).iterdir()), kinds, strict=True):
        for path in folder.iterdir():
            dose_factory.write_one(path, SeriesDescription=f"{kind} Dose Images")
            path.rename(flat / f"{folder.name} {path.name}")
    (flat / "0").symlink_to(flat)
    with pytest.raises(ValueError, match="put each series into a folder of its own"):
        load_cases(flat, frozenset(), 0)


def reported(cases: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, Any], str]:
    """``tables.json`` and the Markdown of a benchmark that measures the input only."""
    monkeypatch.setattr(run, "ARMS", {"degraded": ARMS["degraded"]})
    text = run.run(run.Options(cases, out, tables=(3, 4), per_patient=1), lambda *_: None)
    return json.loads((out / "tables.json").read_text()), text


def test_the_report_says_what_measured_k_space_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in").mkdir()
    fastmri_factory.write(tmp_path / "in" / "one.h5", fastmri_factory.single_coil_k_space(1))
    tables, text = reported(tmp_path / "in", tmp_path / "one", monkeypatch)
    assert tables["stated"]["physics"]["MR"]["k_space"] == "measured, single coil"
    assert list(tables["stated"]["levels"]) == ["MR"] and "ct_ceiling" not in tables
    assert "6x undersampled k-space: k space measured, single coil" in text and "retrospective" not in text

    several = fastmri_factory.write(tmp_path / "in" / "several.h5", fastmri_factory.multi_coil(1))
    with h5py.File(several, "r+") as file:
        file.attrs["patient_id"] = "another"
    tables, text = reported(tmp_path / "in", tmp_path / "both", monkeypatch)
    counts = {"measured, single coil": 1, "measured, emulated single coil of several": 1}
    assert tables["stated"]["physics"]["MR"]["k_space"] == {"slices": counts}
    assert "measured, emulated single coil of several (1 slices), measured, single coil (1 slices)" in text


def test_the_report_says_the_dose_of_the_pairs_and_their_ceiling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenth = dose_factory.library(tmp_path, {"Exposure": (200, 20)})
    tables, text = reported(tenth.parent, tmp_path / "one", monkeypatch)
    assert tables["ct_ceiling"] == {"conditional_mean_db": pytest.approx(10.0), "one_sample_db": pytest.approx(6.9897)}
    assert tables["stated"]["levels"] == {"CT": "10 % dose CT"} and tables["stated"]["physics_version"] is None
    assert "10 % dose CT: dose measured pair, share read from Exposure (0018,1152); dose share 0.1." in text
    assert "can't pass 10.0 dB for the conditional mean and 7.0 dB for one sample" in text
    assert "photons" not in text and "Nothing was simulated" in text

    quarter = dose_factory.library(tmp_path / "other").rename(tenth.parent / "C002")
    for path in quarter.rglob("*.dcm"):
        dose_factory.write_one(path, PatientID="C002")
    tables, text = reported(tenth.parent, tmp_path / "both", monkeypatch)
    assert [row["dose_share"] for row in tables["ct_ceiling"]["shares"]] == [0.1, 0.25]
    assert "10 % dose CT, 25 % dose CT: " in text and "dose share 0.1 to 0.25." in text
    assert "of the posterior at 10 % of the dose; 6.0 dB for the conditional mean" in text


def test_of_many_levels_the_ends_are_stated(tmp_path: Path) -> None:
    measured = load_cases(dose_factory.library(tmp_path).parent, frozenset(), 1).cases[0].measurement
    many = [replace(measured, level=level) for level in (0.3, 0.1, 0.1002, 0.15, 0.2, 0.25)]
    assert stated.levels(many) == {"CT": "10 % dose CT to 30 % dose CT, 5 different"}
