"""``manage.py import_cases``: what it prints, what it refuses, and several of it at once."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from readerstudy.cases.models import Case
from tests.cases.factories import write_dicom

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: object, **options: object) -> str:
    output = io.StringIO()
    call_command("import_cases", *arguments, stdout=output, stderr=io.StringIO(), **options)
    return output.getvalue()


@pytest.mark.django_db
def test_the_closing_table_has_cases_refusals_and_sums(tmp_path: Path) -> None:
    write_dicom(tmp_path / "in" / "a.dcm")
    write_dicom(tmp_path / "in" / "b.dcm", number=2)
    (tmp_path / "in" / "notes.txt").write_text("hello")
    told = run(tmp_path / "in", source="Hospital A")
    assert "CT-0001         2  ready            2" in told
    assert "    3  notes.txt: Not a DICOM file: " in told
    assert "2 accepted, 1 refused, 0 quarantined." in told


@pytest.mark.django_db
def test_a_large_matrix_is_reduced_and_noted(tmp_path: Path) -> None:
    write_dicom(tmp_path / "a.dcm")
    run(tmp_path, source="Hospital A", max_matrix=32)
    case = Case.objects.get()
    assert (case.rows, case.columns, case.pixel_spacing) == (32, 32, (1.6, 1.6))
    assert any("reduced by 2" in note for note in case.notes)


@pytest.mark.django_db
def test_no_quarantine_needs_its_reason_and_keeps_it(tmp_path: Path) -> None:
    write_dicom(tmp_path / "us.dcm", "US")
    run(tmp_path, source="Hospital A", no_quarantine="public test files")
    assert Case.objects.get().state_reason == "public test files"


@pytest.mark.django_db
def test_a_wrong_path_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="There is nothing at"):
        run(tmp_path / "missing", source="Hospital A")


@pytest.mark.slow
def test_four_imports_at_once_share_patients_and_numbers(tmp_path: Path) -> None:
    """Real processes on a real database file: no number twice, no patient twice, no case twice."""
    for importer in range(4):
        for series in ("own", "own again", "shared"):
            name = series if series == "shared" else f"{series} {importer}"
            write_dicom(tmp_path / f"in{importer}" / f"{name}.dcm", series=name, PatientID=f"P-{importer // 2}")
    environment = {
        **os.environ,
        "READERSTUDY_DATA": str(tmp_path / "installation"),
        "READERSTUDY_PIXELS": "",
        "DATABASE_URL": "",
        "OMP_NUM_THREADS": "1",
    }

    def start(*arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.Popen(command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE)

    assert start("migrate", "-v0").wait(timeout=120) == 0
    running = [start("import_cases", str(tmp_path / f"in{n}"), "--source", f"Hospital {n}") for n in range(4)]
    told = [process.communicate(timeout=120)[0] for process in running]
    assert [process.returncode for process in running] == [0] * 4
    assert all("3 accepted, 0 refused" in text for text in told)
    ask = (
        "from readerstudy.cases.models import *; from readerstudy.audit.actions import verify;"
        "print(sorted(Case.objects.values_list('pseudonym', flat=True)), Patient.objects.count(),"
        " list(verify('installation')))"
    )
    answer = start("shell", "-v0", "-c", ask).communicate(timeout=60)[0]
    assert answer.strip() == f"{[f'CT-{n:04d}' for n in range(1, 10)]} 2 []"
