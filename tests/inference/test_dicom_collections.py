"""Whole collections of real files: each file gets one sentence and none of them stops the import."""

import os
import time
from pathlib import Path

import pydicom
import pytest

from inference.data.dicom import FileReport, SeriesImage, read_folder, read_in_child

PACKAGED = Path(pydicom.__file__).parent / "data"
SHARED = Path(os.environ.get("READERSTUDY_SHARED_DATA", "no-shared-data")) / "dicom"


def judged(events: object) -> tuple[list[SeriesImage], dict[str, FileReport]]:
    cases, reports = [], {}
    for event in events:  # type: ignore[attr-defined]
        if isinstance(event, FileReport):
            assert event.path not in reports
            assert event.reason.endswith(".")
            assert ". " not in event.reason.rstrip(".").replace("e.g. ", "")
            reports[event.path] = event
        elif isinstance(event, SeriesImage):
            assert event.pixels.dtype.name == "uint16"
            assert event.pixels.ndim == 3
            assert len(event.positions) == len(event.pixels)
            assert list(event.positions) == sorted(event.positions)
            cases.append(event)
    return cases, reports


def test_every_file_of_the_pydicom_wheel_is_accepted_or_refused() -> None:
    cases, reports = judged(read_folder(PACKAGED, max_matrix=256))
    assert set(reports) == {str(path.relative_to(PACKAGED)) for path in PACKAGED.rglob("*") if path.is_file()}
    assert {case.modality for case in cases} == {"CT", "MR", "US"}
    accepted = {Path(path).name for path, report in reports.items() if report.status == "accepted"}
    assert {
        "CT_small.dcm",
        "examples_overlay.dcm",
        "examples_ybr_color.dcm",
        "examples_palette.dcm",
    } <= accepted
    assert reports["test_files/examples_rgb_color.dcm"].reason.startswith("Doppler colour")
    assert reports["test_files/waveform_ecg.dcm"].reason.startswith("Waveform")


@pytest.mark.skipif(not SHARED.is_dir(), reason="READERSTUDY_SHARED_DATA does not name a folder with dicom/")
def test_the_shared_collection_is_read_within_a_minute(tmp_path: Path) -> None:
    started = time.monotonic()
    cases, reports = judged(read_in_child(SHARED, tmp_path / "out", max_matrix=256))
    assert time.monotonic() - started < 60
    assert len(reports) == sum(path.is_file() for path in SHARED.rglob("*"))
    assert sum(case.notes[:1] == ("gantry tilt 18.5 degrees",) for case in cases) == 1
    assert sorted(len(case.pixels) for case in cases if case.anatomy == "prostate") == [19]
    sources = [path for path in reports if path.startswith("ts_cornerstone/CTImage")]
    assert sum(reports[path].status == "accepted" for path in sources) == 3


@pytest.mark.skipif(not SHARED.is_dir(), reason="READERSTUDY_SHARED_DATA does not name a folder with dicom/")
def test_every_lossless_syntax_of_one_slice_gives_the_same_hounsfield_units() -> None:
    pixels = {}
    for path in sorted(SHARED.glob("ts_cornerstone/CTImage.dcm_*")):
        cases, _ = judged(read_folder(path))
        if cases and not any("loss" in note for note in cases[0].notes):
            pixels[path.name] = cases[0].pixels.tobytes()
    assert len(pixels) >= 7
    assert len(set(pixels.values())) == 1
