"""Where a benchmark's cases come from: DICOM, the pool, measured k-space, full- and low-dose pairs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

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
    assert len(found.cases) == 2 and list(found.left_out.values()) == [
        "every pixel is the same, so no metric is defined"
    ]


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
