"""The worker's side of an upload: its files become cases."""

from __future__ import annotations

import time

from inference.data.dicom_types import FileReport, Progress
from readerstudy.accounts.outages import outage_of
from readerstudy.cases import upload_files
from readerstudy.cases.actions import CaseError, begin_import, fill_import
from readerstudy.cases.models import Import, Upload
from readerstudy.jobs.claims import Claim, JobFailure

STAGES = {"unpack": (0, 100), "headers": (100, 350), "pixels": (350, 1000)}
BETWEEN_WRITES = 0.5
NOT_HERE = "The files are not where this worker looks: let web server and workers share one READERSTUDY_DATA folder."


def import_upload(claim: Claim) -> None:
    """Job handler: payload ``{"upload": id}``; a repeat fills the same import anew and finds the cases stored."""
    upload = Upload.objects.select_related("source", "by", "batch").filter(pk=claim.payload["upload"]).first()
    if upload is None or upload.state in {Upload.State.DONE, Upload.State.GIVEN_UP}:
        return
    try:
        batch = _batch(claim, upload)
        fill_import(batch, upload_files.complete(upload.pk), by=upload.by, progress=_Reporter(claim))
    except FileNotFoundError as error:
        raise _failed(claim, upload, NOT_HERE) from error
    except CaseError as error:
        if outage_of(error):  # a full disk: the job waits for room
            raise
        raise _failed(claim, upload, str(error)) from error
    with claim.fenced():
        _change(upload, Upload.State.DONE)
        claim.finish()
    upload_files.remove(upload.pk)


def _batch(claim: Claim, upload: Upload) -> Import:
    """The upload's one import: an attempt that was broken off has begun it already."""
    with claim.fenced():
        if upload.batch is None:
            keep = frozenset(upload.keep)
            upload.batch = begin_import(source=upload.source, by=upload.by, keep=keep)
        _change(upload, Upload.State.IMPORTING)
    return upload.batch


def _failed(claim: Claim, upload: Upload, reason: str) -> JobFailure:
    with claim.fenced():
        _change(upload, Upload.State.FAILED, reason)
    return JobFailure(reason)


def _change(upload: Upload, state: str, reason: str = "") -> None:
    upload.state, upload.reason = state, reason[:400]
    upload.save(update_fields=["state", "reason", "batch"])


class _Reporter:
    """Tells the job how far the reader is, twice a second at most."""

    def __init__(self, claim: Claim) -> None:
        self.claim, self.told, self.done = claim, 0.0, 0

    def __call__(self, event: FileReport | Progress) -> None:
        if isinstance(event, Progress):
            first, last = STAGES[event.stage]
            self.done = first + (last - first) * event.done // max(1, event.total)
        now = time.monotonic()
        if now - self.told > BETWEEN_WRITES:
            self.told = now
            self.claim.progress(self.done)
