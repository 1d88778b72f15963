"""The verbs of an upload: begin, receive a piece, finish (which hands in the import), give up; and cleaning up."""

from __future__ import annotations

import errno
import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import F, Sum
from django.template.defaultfilters import filesizeformat
from django.utils import timezone

from readerstudy.accounts.models import User
from readerstudy.audit.actions import INSTALLATION, record
from readerstudy.cases import upload_files
from readerstudy.cases.actions import CaseError, require_valid
from readerstudy.cases.models import Source, Upload
from readerstudy.cases.sources import create_source
from readerstudy.cases.storing import actor
from readerstudy.cases.upload_files import Stated
from readerstudy.cases.upload_queries import OPEN, condition, counted, job_key
from readerstudy.jobs import actions as jobs

log = logging.getLogger(__name__)
KIND = "import"
PARTS = 1000
PRIORITY = 10
MOST_FILES = 100_000
LARGEST_PIECE = 4 * 1024 * 1024
SPARE_BYTES = 512 * 1024 * 1024
UNTOUCHED = timedelta(days=7)
TOUCH_EVERY = timedelta(minutes=1)
ZIP_ALONE = "Send a zip by itself, without other files beside it: unpack it, or upload it alone."
GONE = "The files of this upload are not here any more: give it up and begin again."
FULL = "The server's disk is full: free some room, then go on; what has arrived is kept."


class UploadRefused(ValueError):
    """Why a step was refused, in one sentence; ``status`` is its HTTP status, ``facts`` go with the answer."""

    def __init__(self, sentence: str, status: int = 400, **facts: Any) -> None:
        super().__init__(sentence)
        self.status, self.facts = status, facts


def begin_upload(*, by: User, source: Source, keep: frozenset[str], files: Sequence[Stated]) -> Upload:
    """A new upload with room on the disk for its files and their pixels; a new source is stored with it."""
    if not by.may_coordinate:
        raise PermissionDenied("Only a coordinator may do this: ask the administrator for the right.")
    total = sum(file.size for file in files)
    _require_measure(len(files), total)
    try:
        require_valid(source)
    except CaseError as error:
        raise UploadRefused(str(error)) from error
    clean_up()
    _require_room(total)
    upload = Upload(by=by, keep=sorted(keep), files=len(files), bytes=total, touched_at=timezone.now())
    try:
        with transaction.atomic():
            upload.source = _stored(source, by)
            upload.save()
            _audit(upload, by, "upload.begin", keep=upload.keep)
            upload_files.create(upload.pk, files)
    except OSError as error:
        upload_files.remove(upload.pk)
        raise _disk_refusal(error) from error
    return upload


def put_piece(upload: Upload, number: int, offset: int, piece: bytes) -> int:
    """Keep a piece of a file and return how much of the file is here; the same piece again is harmless."""
    if upload.state != Upload.State.RECEIVING:
        raise UploadRefused(f"This upload takes no more files: it is {upload.get_state_display()}.", 409, state=True)
    if not 1 <= number <= upload.files:
        raise UploadRefused(f"This upload has files 1 to {upload.files}, no other.")
    if not piece:
        raise UploadRefused("The piece is empty: send at least one byte.")
    if upload.files > 1 and offset == 0 and piece.startswith(upload_files.ZIP):
        raise UploadRefused(ZIP_ALONE)
    try:
        here = upload_files.put(upload.pk, number, offset, piece)
    except upload_files.Gap as gap:
        raise UploadRefused(str(gap), 409, offset=gap.wanted) from gap
    except upload_files.TooLong as error:
        raise UploadRefused("The file is longer than stated: begin the upload again with the file as it is.") from error
    except FileNotFoundError as error:
        raise UploadRefused(GONE, 410) from error
    except OSError as error:
        raise _disk_refusal(error) from error
    if timezone.now() - upload.touched_at > TOUCH_EVERY:
        count_received(upload)
    return here


def count_received(upload: Upload) -> None:
    """Note how much is here, and that the upload is alive."""
    counted(upload)
    upload.touched_at = timezone.now()
    # Only while it receives, so that a late piece does not touch a row that was given up meanwhile.
    Upload.objects.filter(pk=upload.pk, state=Upload.State.RECEIVING).update(
        files_received=upload.files_received, bytes_received=upload.bytes_received, touched_at=upload.touched_at
    )


def finish_upload(upload: Upload, by: User) -> Upload:
    """Hand in the import of a whole upload, or a failed one's once more; a repeat changes nothing."""
    if upload.state == Upload.State.RECEIVING:
        _require_whole(upload)
    with transaction.atomic():
        row = Upload.objects.select_for_update().get(pk=upload.pk)
        now = condition(row)
        if now.state == Upload.State.GIVEN_UP:
            raise UploadRefused("This upload was given up: begin a new one.", 409)
        if now.state not in {Upload.State.RECEIVING, Upload.State.FAILED}:
            return row
        row.state, row.reason, row.touched_at = Upload.State.WAITING, "", timezone.now()
        row.files_received, row.bytes_received = row.files, row.bytes
        row.save(update_fields=["state", "reason", "touched_at", "files_received", "bytes_received"])
        _audit(row, by, "upload.finish")
        job = jobs.submit(job_key(row), KIND, {"upload": str(row.pk)}, priority=PRIORITY, total=PARTS)
        if now.state == Upload.State.FAILED:
            jobs.retry(ids=[job.pk], actor=actor(by))
    return row


def give_up(upload: Upload, by: User | None, reason: str = "") -> Upload:
    """Remove the files of an upload; cases that its import stored until now stay."""
    with transaction.atomic():
        row = Upload.objects.select_for_update().get(pk=upload.pk)
        if row.state == Upload.State.DONE:
            raise UploadRefused("This upload is imported already: withdraw its cases if they should not be used.", 409)
        if row.state != Upload.State.GIVEN_UP:
            row.state, row.reason = Upload.State.GIVEN_UP, reason
            row.save(update_fields=["state", "reason"])
            _audit(row, by, "upload.give_up", reason=reason)
            jobs.cancel(prefix=job_key(row), actor=actor(by))
    upload_files.remove(row.pk)
    return row


def clean_up() -> None:
    """Give up what nobody touched for a week, and remove folders that a killed process left."""
    before = timezone.now() - UNTOUCHED
    for upload in Upload.objects.filter(state__in=OPEN, touched_at__lt=before):
        if condition(upload).state in {Upload.State.RECEIVING, Upload.State.FAILED}:
            with suppress(UploadRefused):
                give_up(upload, None, f"Nothing arrived for {UNTOUCHED.days} days.")
    known = dict(Upload.objects.values_list("pk", "state"))
    for pk, changed in list(upload_files.folders()):
        # A folder without a row may be a minute old: its row is being written.
        if known[pk] not in OPEN if pk in known else changed < before.timestamp():
            upload_files.remove(pk)


def _stored(source: Source, by: User) -> Source:
    """A new source with its row; another person may have given the name away a moment ago."""
    try:
        return create_source(source, by) if source._state.adding else source
    except CaseError as error:
        raise UploadRefused(str(error)) from error


def _require_measure(count: int, total: int) -> None:
    if count == 0:
        raise UploadRefused("Choose a folder, files or one zip first.")
    if count > MOST_FILES:
        raise UploadRefused(
            f"There are {count:,} files, and {MOST_FILES:,} may come at once: upload a part of the folder, "
            "or pack it into one zip.", 413,
        )  # fmt: skip
    if total > settings.UPLOADS_MAX_BYTES:
        raise UploadRefused(
            f"The files have {filesizeformat(total)}, and {filesizeformat(settings.UPLOADS_MAX_BYTES)} may come at "
            "once: upload them in parts, or ask the administrator for “manage.py import_cases”.", 413,
        )  # fmt: skip


def _require_room(total: int) -> None:
    """Room for the files, for their pixels, and for what other uploads have still to send."""
    still = Upload.objects.filter(state=Upload.State.RECEIVING).aggregate(sum=Sum(F("bytes") - F("bytes_received")))
    free = upload_files.free_bytes() - (still["sum"] or 0) - SPARE_BYTES
    if 2 * total > free:
        raise UploadRefused(
            f"The files and their pixels need {filesizeformat(2 * total)}, and the server has "
            f"{filesizeformat(max(0, free))} to give: free some room on its disk, or upload fewer files.", 507,
        )  # fmt: skip


def _require_whole(upload: Upload) -> None:
    try:
        index = upload_files.index_of(upload.pk)
    except FileNotFoundError as error:
        raise UploadRefused(GONE, 410) from error
    missing = int((index["here"] != index["size"]).sum())
    if missing:
        raise UploadRefused(f"{missing} files are not here in full: send them, then finish.", 409, missing=missing)


def _disk_refusal(error: OSError) -> UploadRefused:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return UploadRefused(FULL, 507)
    log.error("An upload can't be written: %s", error.strerror)
    return UploadRefused("The server can't write to its disk: tell the administrator, then go on.", 503)


def _audit(upload: Upload, by: User | None, verb: str, **more: Any) -> None:
    data = {"source": upload.source.name, "files": upload.files, "bytes": upload.bytes, **more}
    record(INSTALLATION, actor(by), verb, f"upload:{upload.pk}", data)
