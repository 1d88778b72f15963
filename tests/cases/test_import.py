"""The import verb: one row per file, one case per series, whatever the files are."""

from __future__ import annotations

import os
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from inference.data import phantoms
from inference.data.dicom_child import ReaderStoppedError
from inference.data.dicom_types import FileReport, Progress
from readerstudy.accounts.models import User
from readerstudy.audit.models import Entry
from readerstudy.cases import actions
from readerstudy.cases.actions import CaseError, import_cases, import_phantom
from readerstudy.cases.models import Case, Import, Source
from tests.cases.factories import series, write_dicom

SHARED = os.environ.get("READERSTUDY_SHARED_DATA", "")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two CT series, one ultrasound image, and a file that is nothing."""
    root = tmp_path / "in"
    for number in (1, 2, 3):
        write_dicom(root / f"a{number}.dcm", number=number, series="1")
    write_dicom(root / "b.dcm", number=1, series="2")
    write_dicom(root / "us.dcm", "US", series="3")
    (root / "z.txt").write_text("hello")
    return root


def rows(batch: Import) -> list[tuple[int, str, str | None]]:
    return [
        (row.number, row.status, row.case.pseudonym if row.case else None) for row in batch.files.select_related("case")
    ]


def test_every_file_has_one_row(folder: Path, source: Source, coordinator: User, installation: Path) -> None:
    seen: list[FileReport | Progress] = []
    batch = import_cases(folder, source=source, by=coordinator, progress=seen.append)
    assert (batch.accepted, batch.quarantined, batch.refused) == (4, 1, 1)
    assert sorted(number for number, _, _ in rows(batch)) == [1, 2, 3, 4, 5, 6]
    by_case = {name: [row[1] for row in rows(batch) if row[2] == name] for name in ("CT-0001", "CT-0002", "US-0001")}
    assert sorted(map(len, by_case.values())) == [1, 1, 3]
    assert by_case["US-0001"] == ["quarantined"]
    assert batch.files.get(status="refused").reason.startswith("Not a DICOM file:")
    assert batch.finished_at is not None
    assert {event.stage for event in seen if isinstance(event, Progress)} >= {"headers", "pixels"}
    assert len({event.index for event in seen if isinstance(event, FileReport)}) == 6
    assert Entry.objects.order_by("sequence").values_list("verb", flat=True)[0] == "import.start"
    assert Entry.objects.order_by("sequence").last().data == {"accepted": 4, "refused": 1, "quarantined": 1}  # type: ignore[union-attr]
    assert not [path for path in (installation / "scratch").iterdir() if path.is_dir()]


def test_the_stored_values_are_the_files_values(folder: Path, source: Source) -> None:
    import_cases(folder, source=source, by=None)
    case = Case.objects.get(modality="CT", slices__index=2)
    assert (case.anatomy, case.plane, case.intercept, case.pixel_spacing) == (
        "chest",
        "axial",
        -1024,
        (0.8, 0.8),
    )
    assert case.slices.count() == 3
    assert case.patient.age_band == "60-69"
    assert case.acquisition["SliceThickness"] == 5


def test_again_adds_nothing_and_says_so(folder: Path, source: Source) -> None:
    import_cases(folder, source=source, by=None)
    again = import_cases(folder, source=source, by=None)
    assert Case.objects.count() == 3
    assert (again.accepted, again.quarantined, again.refused) == (4, 1, 1)
    known = again.files.exclude(case=None).values_list("reason", flat=True)
    assert all(reason.startswith("Already imported as ") for reason in known)


def test_a_zip_is_read_like_its_folder(folder: Path, source: Source, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        for path in folder.iterdir():
            archive.write(path, path.name)
    batch = import_cases(tmp_path / "in.zip", source=source, by=None)
    assert (batch.accepted, batch.quarantined, batch.refused) == (4, 1, 1)


def test_without_quarantine_the_reason_is_kept(folder: Path, source: Source) -> None:
    with pytest.raises(CaseError, match="needs a reason"):
        import_cases(folder, source=source, by=None, quarantine=False)
    import_cases(folder, source=source, by=None, quarantine=False, reason="public test files")
    case = Case.objects.get(modality="US")
    assert (case.state, case.state_reason) == (Case.State.READY, "public test files")


def test_an_ended_agreement_stops_the_import_before_it_begins(folder: Path, source: Source) -> None:
    source.expires_on = timezone.localdate()
    import_cases(folder / "b.dcm", source=source, by=None)
    source.expires_on -= timedelta(days=1)
    with pytest.raises(CaseError, match=r"agreement for Hospital A ended on .*: renew it"):
        import_cases(folder, source=source, by=None)
    with pytest.raises(CaseError, match="renew it"):
        import_phantom("CT", 1, source=source, by=None)
    assert Import.objects.count() == 1


def test_who_may_not_and_where_nothing_is(folder: Path, source: Source, stranger: User) -> None:
    with pytest.raises(PermissionDenied):
        import_cases(folder, source=source, by=stranger)
    with pytest.raises(CaseError, match="There is nothing at"):
        import_cases(folder / "missing", source=source, by=None)
    assert not Import.objects.exists()


def test_a_series_that_cannot_be_a_case_refuses_its_files(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    flat = series("CT", 2, pixels=series("CT", 2).pixels * 0)
    events = [flat, FileReport("a", "accepted", "", 0), FileReport("b", "accepted", "", 1)]
    monkeypatch.setattr(actions, "read_in_child", lambda *args, **options: iter(events))
    batch = import_cases(Path("."), source=source, by=None)
    assert {(row.status, row.reason) for row in batch.files.all()} == {
        ("refused", "Every pixel of the series has the same value: send a series that shows something.")
    }


def test_a_reader_that_stops_keeps_what_it_had_read(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopping(*args: object, **options: object) -> object:
        yield series("CT", 1)
        yield FileReport("a", "accepted", "", 0)
        raise ReaderStoppedError("The DICOM reader was stopped: import the folder in smaller parts.")

    monkeypatch.setattr(actions, "read_in_child", stopping)
    with pytest.raises(CaseError, match="in smaller parts"):
        import_cases(Path("."), source=source, by=None)
    assert rows(Import.objects.get()) == [(1, "accepted", "CT-0001")]


def test_a_phantom_goes_the_same_way(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    made = import_phantom("US", 5, source=source, by=None, size=64, n_slices=2)
    assert (made.pseudonym, made.state, made.phantom, made.slices.count()) == ("US-0001", "ready", True, 2)
    with monkeypatch.context() as without:
        without.setattr(phantoms, "phantom", lambda *_, **__: pytest.fail("drawn again"))
        assert import_phantom("US", 5, source=source, by=None, size=64, n_slices=2) == made
    assert import_phantom("US", 6, source=source, by=None, size=64, n_slices=2) != made
    with pytest.raises(CaseError, match="choose one of CT, MR, US"):
        import_phantom("XA", 1, source=source, by=None)


@pytest.mark.skipif(not SHARED, reason="READERSTUDY_SHARED_DATA names no folder with the shared DICOM files")
def test_the_shared_dicom_files_all_have_a_sentence(source: Source) -> None:
    batch = import_cases(Path(SHARED) / "dicom", source=source, by=None)
    assert batch.files.count() == sum(1 for path in (Path(SHARED) / "dicom").rglob("*") if path.is_file())
    assert batch.accepted > 50
    assert all(row.reason.endswith(".") for row in batch.files.exclude(status="accepted"))
