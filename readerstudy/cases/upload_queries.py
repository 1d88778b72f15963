"""Reads of uploads: whose they are, and where one stands, which its job knows best."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet
from django.http import Http404

from readerstudy.accounts.models import User
from readerstudy.cases import upload_files
from readerstudy.cases.models import Upload
from readerstudy.cases.queries import require_coordinator
from readerstudy.jobs.models import Job
from readerstudy.jobs.queries import workers

OPEN = (Upload.State.RECEIVING, Upload.State.WAITING, Upload.State.IMPORTING, Upload.State.FAILED)
AT_WORK = (Upload.State.WAITING, Upload.State.IMPORTING)
DEAD = (Job.State.FAILED, Job.State.CANCELLED)


@dataclass(frozen=True)
class Condition:
    """Where an upload stands: ``share`` of its import that is done, and whether any worker lives to do the rest."""

    state: str
    reason: str = ""
    share: float = 0.0
    worker: bool = True


def upload_for(user: User | AnonymousUser, pk: UUID) -> Upload:
    """The upload for the person who began it; everyone else learns nothing (404)."""
    require_coordinator(user)
    found = Upload.objects.select_related("source", "batch").filter(pk=pk, by=user.pk).first()
    if found is None:
        raise Http404
    return found


def open_uploads(user: User) -> QuerySet[Upload]:
    """What the person has begun and neither finished nor given up, the latest first."""
    return Upload.objects.select_related("source").filter(by=user, state__in=OPEN)


def counted(upload: Upload) -> Upload:
    """The same row with what has arrived by now; it is not written."""
    if upload.state == Upload.State.RECEIVING:
        with suppress(FileNotFoundError):
            index = upload_files.index_of(upload.pk)
            upload.files_received = int((index["here"] == index["size"]).sum())
            upload.bytes_received = int(index["here"].sum())
    return upload


def job_key(upload: Upload) -> str:
    return f"import:{upload.pk}"


def condition(upload: Upload) -> Condition:
    """The upload's state, or its job's where a worker died too often to say so itself."""
    if upload.state not in AT_WORK:
        return Condition(upload.state, upload.reason)
    job = Job.objects.filter(key=job_key(upload)).first()
    if job is None or job.state in DEAD:
        reason = job.reason if job else ""
        return Condition(Upload.State.FAILED, reason or "The import was called back: try again.")
    share = job.progress / job.total if job.total else 0.0
    serving = [worker for worker in workers() if job.queue in worker.queue.split(",")]
    return Condition(upload.state, "", share, bool(serving))
