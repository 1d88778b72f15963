"""The import of an upload by a worker: its report, its repeats, its failures, and no name anywhere."""

from __future__ import annotations

import errno
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.serializers import serialize
from django.test import Client
from django.urls import reverse

from inference.data.dicom_child import ReaderStoppedError
from readerstudy.accounts.models import User
from readerstudy.audit.actions import verify
from readerstudy.audit.models import Entry
from readerstudy.cases import actions, tasks
from readerstudy.cases.models import Case, Import, ImportedFile, Source, Upload
from readerstudy.jobs import claims, clock, worker
from readerstudy.jobs.models import Job
from tests.cases.factories import write_dicom
from tests.cases.test_uploads import begin, begun, finish, put, status
from tests.jobs.conftest import FakeClock

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(client: Client, coordinator: User) -> Client:
    client.force_login(coordinator)
    return client


@pytest.fixture
def time() -> Iterator[FakeClock]:
    with clock.use(FakeClock()) as fake:
        assert isinstance(fake, FakeClock)
        yield fake


@pytest.fixture
def scans(tmp_path: Path) -> list[bytes]:
    return [write_dicom(tmp_path / "scan", number=number).read_bytes() for number in (1, 2, 3)]


def sent(desk: Client, contents: list[bytes], source: Source) -> Upload:
    upload = begun(desk, contents, source)
    for number, content in enumerate(contents, start=1):
        if content:
            assert put(desk, upload, number, 0, content).status_code == 200
    return upload


def taken() -> claims.Claim:
    held = claims.claim("cpu", "")
    assert held is not None and held.kind == "import"
    return held


def test_a_whole_upload_becomes_cases(
    desk: Client, source: Source, scans: list[bytes], installation: Path, coordinator: User
) -> None:
    upload = sent(desk, [*scans, b"hello", b""], source)
    answer = finish(desk, upload).json()
    assert (answer["state"], answer["worker"], answer["report"]) == ("waiting", False, "")
    assert finish(desk, upload).json()["state"] == "waiting" and Job.objects.count() == 1
    worker.run(taken())
    done = status(desk, upload)
    batch = Import.objects.get()
    assert (done["state"], done["report"]) == ("done", reverse("cases:import", args=[batch.pk]))
    assert (batch.accepted, batch.refused, batch.started_by, batch.options["keep"]) == (3, 2, coordinator, ["device"])
    assert list(batch.files.values_list("number", "status")) == [
        (1, "accepted"), (2, "accepted"), (3, "accepted"), (4, "refused"), (5, "refused"),
    ]  # fmt: skip
    assert Case.objects.get().slices.count() == 3
    assert not list((installation / "uploads").iterdir())
    assert Job.objects.get().state == "done"
    page = desk.get(done["report"]).content.decode()
    assert "Hospital A" in page and "Device" in page and "Age band" not in page
    assert finish(desk, upload).json()["state"] == "done"
    assert desk.post(reverse("cases:upload_give_up", args=[upload.pk])).status_code == 409
    assert list(verify("installation")) == []


def test_one_zip_is_read_as_a_zip(desk: Client, source: Source, scans: list[bytes]) -> None:
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number, content in enumerate(scans):
            archive.writestr(f"deep/{number}.dcm", content)
    upload = sent(desk, [packed.getvalue()], source)
    finish(desk, upload)
    worker.run(taken())
    assert (Import.objects.get().accepted, Case.objects.get().slices.count()) == (3, 3)


def test_a_name_is_nowhere(
    desk: Client, source: Source, tmp_path: Path, installation: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A browser that did send names would find them refused; nothing else of a file bears one."""
    content = write_dicom(tmp_path / "Canary_Jane.dcm").read_bytes()
    refused = begin(desk, [content], source, files=[[len(content), "0" * 32, "Canary_Jane.dcm"]])
    ignored = begin(desk, [content], source, names=["Canary_Jane.dcm"], scans="Canary_Jane.dcm")
    assert (refused.status_code, ignored.status_code) == (400, 201)
    upload = Upload.objects.get()
    put(desk, upload, 1, 0, content)
    assert [path.name for path in (installation / "uploads" / str(upload.pk) / "files").iterdir()] == ["000001"]
    finish(desk, upload)
    worker.run(taken())
    rows = (row for model in apps.get_models() for row in model._default_manager.all())
    words = "\n".join(serialize("json", [row]) for row in rows) + caplog.text
    words += "\n".join(str(path) for path in installation.rglob("*"))
    assert Import.objects.get().accepted == 1
    assert "Canary" not in words and "Jane" not in words
    assert [entry.verb for entry in Entry.objects.filter(subject=f"upload:{upload.pk}")] == [
        "upload.begin", "upload.finish",
    ]  # fmt: skip


class Killed(BaseException):
    """What a ``kill -9`` looks like to a handler: nothing after it happens."""


def test_a_worker_killed_in_the_middle_is_repeated_harmlessly(
    desk: Client, source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, time: FakeClock
) -> None:
    contents = [write_dicom(tmp_path / "a", number=n, series=s).read_bytes() for s in "12" for n in (1, 2)]
    upload = sent(desk, contents, source)
    finish(desk, upload)
    stored: list[object] = []

    def kill_after_the_first(*args: Any, **kwargs: Any) -> Any:
        if stored:
            raise Killed
        stored.append(actions_store(*args, **kwargs))
        return stored[0]

    actions_store = actions.store_series
    with monkeypatch.context() as dying:
        dying.setattr(actions, "store_series", kill_after_the_first)
        with pytest.raises(Killed):
            tasks.import_upload(taken())
    batch = Import.objects.get()
    assert (status(desk, upload)["state"], batch.finished_at, Case.objects.count()) == ("importing", None, 1)
    time.run(120)
    worker.run(taken())
    batch.refresh_from_db()
    assert (status(desk, upload)["state"], batch.accepted, batch.refused) == ("done", 4, 0)
    assert (Import.objects.count(), ImportedFile.objects.count(), Case.objects.count()) == (1, 4, 2)
    assert Case.objects.filter(slices__isnull=True).count() == 0


def test_an_attempt_that_lost_its_job_writes_no_end(
    desk: Client, source: Source, scans: list[bytes], time: FakeClock
) -> None:
    upload = sent(desk, scans, source)
    finish(desk, upload)
    first = taken()
    time.run(120)
    second = taken()
    worker.run(first)
    assert status(desk, upload)["state"] == "waiting" and not Import.objects.exists()
    worker.run(second)
    assert status(desk, upload)["state"] == "done"


def test_a_worker_that_died_too_often_is_told_and_tried_again(desk: Client, source: Source, scans: list[bytes]) -> None:
    upload = sent(desk, scans, source)
    finish(desk, upload)
    Job.objects.update(state="failed", reason="stopped after 3 attempts: the worker died each time")
    assert (status(desk, upload)["state"], "3 attempts" in status(desk, upload)["reason"]) == ("failed", True)
    assert "3 attempts" in desk.get(reverse("cases:import_new")).content.decode()
    assert finish(desk, upload).json()["state"] == "waiting"
    worker.run(taken())
    assert status(desk, upload)["state"] == "done"


def test_a_reader_that_stops_fails_the_upload_with_its_sentence(
    desk: Client, source: Source, scans: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = sent(desk, scans, source)
    finish(desk, upload)

    def stops(*_: Any, **__: Any) -> Iterator[Any]:
        raise ReaderStoppedError("The DICOM reader cannot start: check its memory limit and the installation.")
        yield

    with monkeypatch.context() as broken:
        broken.setattr(actions, "read_in_child", stops)
        worker.run(taken())
    now = status(desk, upload)
    assert (now["state"], "memory limit" in now["reason"]) == ("failed", True)
    assert Job.objects.get().state == "failed"
    finish(desk, upload)
    worker.run(taken())
    assert (status(desk, upload)["state"], Import.objects.get().accepted) == ("done", 3)


def test_a_reader_that_finds_a_full_disk_lets_the_upload_wait_for_room(
    desk: Client, source: Source, scans: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = sent(desk, scans, source)
    finish(desk, upload)

    def full(*_: Any, **__: Any) -> Iterator[Any]:
        raise ReaderStoppedError("The scratch folder cannot be written.") from OSError(errno.ENOSPC, "full")
        yield

    monkeypatch.setattr(worker, "AWAY_SECONDS", 0.0)
    with monkeypatch.context() as broken:
        broken.setattr(actions, "read_in_child", full)
        worker.run(taken())
    job = Job.objects.get()
    assert (job.state, job.attempts, job.reason) == ("queued", 0, "The disk of this installation is full")
    assert status(desk, upload)["state"] in {"waiting", "importing"}
    Job.objects.update(due_at=None)
    worker.run(taken())
    assert (status(desk, upload)["state"], Import.objects.get().accepted) == ("done", 3)


def test_an_agreement_that_ends_meanwhile_fails_the_upload(desk: Client, source: Source, scans: list[bytes]) -> None:
    upload = sent(desk, scans, source)
    finish(desk, upload)
    Source.objects.update(expires_on="2020-01-01")
    worker.run(taken())
    assert "renew it" in status(desk, upload)["reason"] and not Case.objects.exists()


def test_a_worker_without_the_files_says_what_to_share(
    desk: Client, source: Source, scans: list[bytes], settings: Any, tmp_path: Path
) -> None:
    upload = sent(desk, scans, source)
    finish(desk, upload)
    settings.DATA_DIR = tmp_path / "another machine"
    worker.run(taken())
    now = status(desk, upload)
    assert (now["state"], "share one READERSTUDY_DATA" in now["reason"]) == ("failed", True)


def test_giving_up_calls_the_import_back(desk: Client, source: Source, scans: list[bytes], installation: Path) -> None:
    upload = sent(desk, scans, source)
    finish(desk, upload)
    assert desk.post(reverse("cases:upload_give_up", args=[upload.pk])).status_code == 200
    assert claims.claim("cpu", "") is None
    assert not list((installation / "uploads").iterdir()) and not Import.objects.exists()


def test_the_job_tells_how_far_the_reader_is(
    desk: Client, source: Source, scans: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = sent(desk, scans, source)
    finish(desk, upload)
    monkeypatch.setattr(tasks, "BETWEEN_WRITES", -1.0)
    told: list[float] = []
    held = taken()
    progress = claims.Claim.progress

    def note(claim: claims.Claim, done: int) -> None:
        progress(claim, done)
        told.append(status(desk, upload)["share"])

    monkeypatch.setattr(claims.Claim, "progress", note)
    worker.run(held)
    assert told == sorted(told) and told[0] < 0.2 and told[-1] > 0.5
