"""Import in the browser: many files or one zip, a known source or a new one."""

from __future__ import annotations

import zipfile
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from readerstudy.accounts.models import User
from readerstudy.cases import forms
from readerstudy.cases.models import Case, Import, Source
from tests.cases.factories import write_dicom


@pytest.fixture
def desk(client: Client, coordinator: User) -> Client:
    client.force_login(coordinator)
    return client


def dicom(tmp_path: Path, name: str, number: int = 1) -> SimpleUploadedFile:
    path = write_dicom(tmp_path / "made.dcm", number=number)
    return SimpleUploadedFile(name, path.read_bytes())


def send(desk: Client, *files: SimpleUploadedFile, **fields: Any) -> Any:
    return desk.post(reverse("cases:import_new"), {"scans": list(files), **fields})


def test_many_files_become_a_case_of_a_new_source(desk: Client, tmp_path: Path, coordinator: User) -> None:
    text = SimpleUploadedFile("notes.txt", b"hello")
    empty = SimpleUploadedFile("empty.dcm", b"")
    answer = send(
        desk, dicom(tmp_path, "../../a.dcm", 1), dicom(tmp_path, "a.dcm", 2), text, empty,
        name="Hospital B", approval="EK 1/26", expires_on="2999-01-01",
    )  # fmt: skip
    batch = Import.objects.get()
    assert (answer.status_code, answer.headers["Location"]) == (302, reverse("cases:import", args=[batch.pk]))
    assert (batch.accepted, batch.refused, batch.started_by) == (2, 2, coordinator)
    assert Case.objects.get().slices.count() == 2
    assert Source.objects.get().approval == "EK 1/26"


def test_files_are_numbered_in_the_order_sent(desk: Client, tmp_path: Path, source: Source) -> None:
    send(desk, SimpleUploadedFile("z.txt", b"hello"), dicom(tmp_path, "a.dcm"), source=source.pk)
    assert list(Import.objects.get().files.values_list("number", "status")) == [
        (1, "refused"),
        (2, "accepted"),
    ]


def test_one_zip_whatever_its_name(desk: Client, tmp_path: Path, source: Source, installation: Path) -> None:
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(write_dicom(tmp_path / "a.dcm"), "deep/folder/a.dcm")
    send(desk, SimpleUploadedFile("series", packed.getvalue()), source=source.pk)
    assert Case.objects.get().source == source
    assert not [path for path in (installation / "scratch").iterdir() if path.is_dir()]


def test_a_zip_beside_other_files_is_refused(desk: Client, tmp_path: Path, source: Source) -> None:
    packed = BytesIO()
    zipfile.ZipFile(packed, "w").writestr("a", "b")
    with zipfile.ZipFile(packed, "a") as archive:
        archive.writestr("c", "d")
    answer = send(desk, SimpleUploadedFile("a.zip", packed.getvalue()), dicom(tmp_path, "a"), source=source.pk)
    assert (answer.status_code, "Send a zip by itself" in answer.content.decode()) == (400, True)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({}, "Choose a source, or give a new one a name."),
        ({"source": "known", "name": "Hospital B"}, "Choose a source or name a new one, not both."),
        ({"name": "Hospital A"}, "There is a source of this name: choose it from the list."),
    ],
)
def test_the_source_is_one_known_or_one_new(
    desk: Client, tmp_path: Path, source: Source, fields: dict[str, Any], sentence: str
) -> None:
    chosen = {key: source.pk if value == "known" else value for key, value in fields.items()}
    answer = send(desk, dicom(tmp_path, "a"), **chosen)
    assert (answer.status_code, sentence in answer.content.decode()) == (400, True)
    assert not Import.objects.exists()


def test_nothing_sent_and_too_much_sent(
    desk: Client, tmp_path: Path, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "This field is required" in send(desk, source=source.pk).content.decode()
    monkeypatch.setattr(forms, "MAX_UPLOAD_BYTES", 1000)
    answer = send(desk, dicom(tmp_path, "a"), source=source.pk)
    assert (answer.status_code, "larger than 200 MB" in answer.content.decode()) == (400, True)


def test_an_ended_agreement_is_told_on_the_page(desk: Client, tmp_path: Path, source: Source) -> None:
    Source.objects.update(expires_on=timezone.localdate() - timedelta(days=1))
    answer = send(desk, dicom(tmp_path, "a"), source=source.pk)
    assert (answer.status_code, "renew it and change the date" in answer.content.decode()) == (400, True)
    assert not Case.objects.exists()
