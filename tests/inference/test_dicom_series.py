"""How files become cases: order, geometry, groups, duplicates, reduction."""

from pathlib import Path

import numpy as np
import pytest

from inference.data.dicom import patient_source_id, training_source_ids
from tests.inference.dicom_factory import cine, dataset, head_ct, physical, read_all, save


def test_a_ct_series_is_sorted_along_its_normal_whatever_the_file_names(tmp_path: Path) -> None:
    images = [head_ct(seed=number) for number in range(4)]
    for name, number in zip("dbca", range(4), strict=True):
        save(dataset("CT", images[number], number, SliceThickness=3, BodyPartExamined="CHEST"), tmp_path / name)
    (case,), reports = read_all(tmp_path)
    np.testing.assert_array_equal(physical(case), np.clip(np.stack(images), -1024, 3071))
    assert (case.modality, case.slope, case.intercept) == ("CT", 1.0, -1024.0)
    assert case.pixel_spacing == (0.7, 0.8)
    assert case.slice_spacing == pytest.approx(3.0)
    assert case.positions == (0.0, 3.0, 6.0, 9.0)
    assert (case.anatomy, case.plane, case.files) == ("chest", "axial", (0, 1, 2, 3))
    assert {report.status for report in reports.values()} == {"accepted"}


def test_a_single_slice_is_a_case(tmp_path: Path) -> None:
    save(dataset("CT", head_ct()), tmp_path / "one.dcm")
    (case,), _ = read_all(tmp_path / "one.dcm")
    assert case.pixels.shape == (1, 64, 64)
    assert case.slice_spacing is None


def test_copies_are_refused_by_instance_and_by_pixels(tmp_path: Path) -> None:
    first = dataset("CT", head_ct(seed=1), 1)
    save(first, tmp_path / "a.dcm")
    save(first, tmp_path / "b.dcm")
    save(dataset("CT", head_ct(seed=1), 2), tmp_path / "c.dcm")
    (case,), reports = read_all(tmp_path)
    assert len(case.pixels) == 1
    assert [reports[name].status for name in ("a.dcm", "b.dcm", "c.dcm")] == [
        "accepted",
        "refused",
        "refused",
    ]
    assert reports["b.dcm"].reason.startswith("Duplicate of another file")
    assert reports["c.dcm"].reason.startswith("Duplicate of another file")


def test_a_damaged_copy_gives_way_to_a_sound_one(tmp_path: Path) -> None:
    from pydicom.uid import JPEG2000Lossless

    from tests.inference.dicom_factory import compressed

    good = dataset("CT", head_ct())
    save(
        compressed(dataset("CT", head_ct(), SOPInstanceUID=good.SOPInstanceUID), JPEG2000Lossless, b"\0" * 90),
        tmp_path / "a.dcm",
    )
    save(compressed(good, JPEG2000Lossless), tmp_path / "b.dcm")
    cases, reports = read_all(tmp_path)
    assert len(cases) == 1
    assert reports["b.dcm"].status == "accepted"
    assert "cannot be decoded" in reports["a.dcm"].reason


@pytest.mark.parametrize(
    ("attribute", "values"),
    [("EchoTime", ("10", "20")), ("AcquisitionNumber", (1, 2)), ("TemporalPositionIdentifier", (1, 2))],
)
def test_echoes_acquisitions_and_times_are_separate_cases(tmp_path: Path, attribute: str, values: tuple) -> None:
    for number in range(6):
        image = (head_ct(seed=number) + 1024).astype(np.uint16)
        place = [0, 0, 4.0 * (number // 2)]
        ds = dataset("MR", image, number, ImagePositionPatient=place, **{attribute: values[number % 2]})
        save(ds, tmp_path / f"{number}.dcm")
    cases, _ = read_all(tmp_path)
    assert [case.positions for case in cases] == [(0.0, 4.0, 8.0)] * 2
    assert all("one of 2 groups of its series" in case.notes for case in cases)


def test_sequential_acquisition_numbers_do_not_tear_a_volume_apart(tmp_path: Path) -> None:
    for number in range(3):
        save(dataset("CT", head_ct(seed=number), number, AcquisitionNumber=number), tmp_path / f"{number}.dcm")
    (case,), _ = read_all(tmp_path)
    assert len(case.pixels) == 3


def test_other_orientation_shape_or_spacing_is_another_case(tmp_path: Path) -> None:
    save(dataset("CT", head_ct(seed=0), 1), tmp_path / "0.dcm")
    save(dataset("CT", head_ct(seed=1), 2, ImageOrientationPatient=[0, 1, 0, 0, 0, -1]), tmp_path / "1.dcm")
    save(dataset("CT", head_ct(80, 64, seed=2), 3), tmp_path / "2.dcm")
    save(dataset("CT", head_ct(seed=3), 4, PixelSpacing=[0.9, 0.9]), tmp_path / "3.dcm")
    cases, _ = read_all(tmp_path)
    assert [case.plane for case in cases] == ["axial", "sagittal", "axial", "axial"]


def test_large_images_are_reduced_by_area_mean(tmp_path: Path) -> None:
    image = head_ct(130, 100)
    save(dataset("CT", image), tmp_path / "a.dcm")
    (case,), _ = read_all(tmp_path, max_matrix=64)
    assert case.pixels.shape == (1, 43, 33)
    whole = np.clip(image[:129, :99], -1024, 3071).astype(float)
    expected = np.rint(whole.reshape(43, 3, 33, 3).mean(axis=(1, 3)))
    np.testing.assert_allclose(physical(case)[0], expected, atol=1)
    assert case.pixel_spacing == pytest.approx((2.1, 2.4))
    assert "reduced by 3 by area mean from 130 x 100" in case.notes


def test_gantry_tilt_and_uneven_distances_are_noted(tmp_path: Path) -> None:
    for number, height in enumerate((0.0, 5.0, 20.0)):
        ds = dataset("CT", head_ct(seed=number), number, GantryDetectorTilt=-12)
        ds.ImagePositionPatient = [0, 0, height]
        save(ds, tmp_path / f"{number}.dcm")
    (case,), _ = read_all(tmp_path)
    assert {"gantry tilt 12.0 degrees", "slice distances are uneven"} <= set(case.notes)


def test_every_slice_keeps_its_affine_through_reading_and_reduction(tmp_path: Path) -> None:
    for number in range(3):
        ds = dataset("CT", head_ct(130, 100, seed=number), number)
        ds.ImagePositionPatient = [-40.0, 5.0 - 0.4 * number, 2.0 * number]
        save(ds, tmp_path / f"{number}.dcm")
    (case,), _ = read_all(tmp_path, max_matrix=64)
    assert len(case.affines) == 3
    for number in range(3):
        place = case.geometry(number)
        assert place is not None and place.shape == case.pixels.shape[1:] == (43, 33)
        assert place.pixel_spacing == pytest.approx(case.pixel_spacing)
        # The first reduced pixel is the centre of a block of 3 x 3: one pixel of 0.8 x 0.7 mm further on.
        assert place.position == pytest.approx((-40.0 + 0.8, 5.0 - 0.4 * number + 0.7, 2.0 * number))
        assert place.matrix[:3, 2] == pytest.approx((0.0, -0.4, 2.0)), "a tilted stack keeps its step"


def test_without_an_orientation_there_is_no_affine(tmp_path: Path) -> None:
    ds = dataset("CT", head_ct())
    del ds.ImageOrientationPatient
    save(ds, tmp_path / "a.dcm")
    (case,), _ = read_all(tmp_path)
    assert case.affines == () and case.geometry(0) is None


def test_a_whole_head_volume_shows_a_face_and_a_few_slices_do_not(tmp_path: Path) -> None:
    for number in range(40):
        save(dataset("CT", head_ct(seed=number), number, BodyPartExamined="HEAD"), tmp_path / f"a/{number}.dcm")
    save(dataset("CT", head_ct(seed=99), 1, BodyPartExamined="HEAD"), tmp_path / "b/0.dcm")
    assert read_all(tmp_path / "a")[0][0].face_risk
    assert not read_all(tmp_path / "b")[0][0].face_risk


def test_ultrasound_stills_share_a_case_and_each_loop_is_its_own(tmp_path: Path) -> None:
    frames = np.arange(3 * 64 * 64, dtype=np.uint32).reshape(3, 64, 64).astype(np.uint8)
    save(cine(frames), tmp_path / "loop1.dcm")
    save(cine(frames[::-1].copy()), tmp_path / "loop2.dcm")
    for number in range(2):
        save(
            dataset("US", (frames[0] // (number + 2)).astype(np.uint8), number),
            tmp_path / f"still{number}.dcm",
        )
    cases, _ = read_all(tmp_path)
    assert sorted(len(case.pixels) for case in cases) == [2, 3, 3]


def test_source_ids_match_a_training_list_by_hash(tmp_path: Path) -> None:
    save(dataset("CT", head_ct(), PatientID="A002304"), tmp_path / "a.dcm")
    (case,), _ = read_all(tmp_path)
    assert patient_source_id("A002304") in case.source_ids
    assert training_source_ids("nysbu-A002304") & set(case.source_ids)
    assert training_source_ids("ProstateX-0001") >= {patient_source_id("ProstateX-0001")}
    assert not training_source_ids("nysbu-A002305") & set(case.source_ids)
    assert not any("A002304" in source for source in case.source_ids)
