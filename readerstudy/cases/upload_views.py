"""The interface by which a browser uploads scans: JSON, and raw pieces of files; for who began the upload only."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast
from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from readerstudy.accounts.views import SignedInRequest
from readerstudy.cases import upload_files, uploads
from readerstudy.cases.forms import UploadForm
from readerstudy.cases.models import Upload
from readerstudy.cases.queries import require_coordinator
from readerstudy.cases.upload_files import Stated
from readerstudy.cases.upload_queries import condition, upload_for
from readerstudy.cases.uploads import LARGEST_PIECE, UploadRefused

LARGEST_LIST = 16 * 1024 * 1024
LARGEST_FILE = 2**53
FINGERPRINT = re.compile(r"[0-9a-f]{32}")
BROKEN = "The request arrived in part: send it again."
RAW = "application/octet-stream"
P = ParamSpec("P")


def _for_coordinators(
    view: Callable[Concatenate[SignedInRequest, P], HttpResponse],
) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
    """Refusals as JSON; who is not signed in is told so, since the upload goes on afterwards."""

    @wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not request.user.is_authenticated:
            return JsonResponse({"error": "Sign in again, then go on: what has arrived is kept."}, status=401)
        require_coordinator(request.user)
        try:
            return view(cast(SignedInRequest, request), *args, **kwargs)
        except UploadRefused as error:
            return JsonResponse({"error": str(error), **error.facts}, status=error.status)
        except UnreadablePostError:
            return JsonResponse({"error": BROKEN}, status=408)

    return guarded


@require_POST
@_for_coordinators
def begin(request: SignedInRequest) -> HttpResponse:
    """JSON with the fields of ``UploadForm`` and ``files``: a size and a fingerprint for each, and no name."""
    sent = _read_json(request)
    files = _stated(sent.pop("files", None))
    form = UploadForm(sent)
    if not form.is_valid():
        sentences = [sentence for errors in form.errors.values() for sentence in errors]
        raise UploadRefused(" ".join(map(str, sentences)), fields=list(form.errors))
    source, keep = form.get_source(), form.get_keep()
    upload = uploads.begin_upload(by=request.user, source=source, keep=keep, files=files)
    return JsonResponse(_facts(upload), status=201)


@require_GET
@never_cache
@_for_coordinators
def status(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Where the upload stands; with ``?files`` also ``[size, bytes here, fingerprint]`` of every file."""
    upload = upload_for(request.user, pk)
    facts = _facts(upload)
    if "files" in request.GET and upload.state == Upload.State.RECEIVING:
        try:
            uploads.count_received(upload)
            index = upload_files.index_of(pk)
        except FileNotFoundError as error:
            raise UploadRefused(uploads.GONE, 410) from error
        facts = _facts(upload)
        facts["entries"] = [[int(row[0]), int(row[1]), bytes(row[2]).hex()] for row in index.tolist()]
    return JsonResponse(facts)


@require_POST
@_for_coordinators
def piece(request: SignedInRequest, pk: UUID, number: int, offset: int) -> HttpResponse:
    """The raw bytes of file ``number`` from ``offset`` on; the answer comes when they are safe on the disk."""
    upload = upload_for(request.user, pk)
    if request.content_type != RAW:
        raise UploadRefused(f"Send the piece as {RAW}.", 415)
    content = _read(request, LARGEST_PIECE)
    return JsonResponse({"here": uploads.put_piece(upload, number, offset, content)})


@require_POST
@_for_coordinators
def finish(request: SignedInRequest, pk: UUID) -> HttpResponse:
    upload = uploads.finish_upload(upload_for(request.user, pk), request.user)
    return JsonResponse(_facts(upload))


@require_POST
@_for_coordinators
def give_up(request: SignedInRequest, pk: UUID) -> HttpResponse:
    upload = uploads.give_up(upload_for(request.user, pk), request.user)
    return JsonResponse(_facts(upload))


def _facts(upload: Upload) -> dict[str, Any]:
    now = condition(upload)
    return {
        "id": str(upload.pk),
        "state": now.state,
        "reason": now.reason,
        "share": round(now.share, 3),
        "worker": now.worker,
        "source": upload.source.name,
        "files": upload.files,
        "bytes": upload.bytes,
        "files_received": upload.files_received,
        "bytes_received": upload.bytes_received,
        "batch": str(upload.batch_id or ""),
        "report": reverse("cases:import", args=[upload.batch_id]) if upload.batch_id else "",
    }


def _read(request: HttpRequest, most: int) -> bytes:
    """The body, past Django's own limit, which holds for forms."""
    length = str(request.META.get("CONTENT_LENGTH") or "0")
    stated = int(length) if length.isdecimal() else 0
    if stated > most:
        raise UploadRefused(f"Send at most {most} bytes at once.", 413, most=most)
    body = request.read(stated)
    if len(body) < stated:
        raise UploadRefused(BROKEN, 408)
    return body


def _read_json(request: HttpRequest) -> dict[str, Any]:
    try:
        sent = json.loads(_read(request, LARGEST_LIST))
    except (ValueError, RecursionError) as error:
        raise UploadRefused("This is not the JSON of an upload.") from error
    if not isinstance(sent, dict):
        raise UploadRefused("This is not the JSON of an upload.")
    return sent


def _stated(sent: Any) -> list[Stated]:
    if not isinstance(sent, list):
        raise UploadRefused("State the size and the fingerprint of every file.")
    return [_stated_file(entry) for entry in sent]


def _stated_file(entry: Any) -> Stated:
    match entry:
        case [int(size), str(fingerprint)] if (
            not isinstance(size, bool) and 0 <= size < LARGEST_FILE and FINGERPRINT.fullmatch(fingerprint)
        ):
            return Stated(size, fingerprint)
    raise UploadRefused("State every file as [bytes, fingerprint of 32 hexadecimal digits].")
