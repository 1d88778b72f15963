"""The list of studies, a new one, and what can be made of a study's protocol: a page to print, a rehearsal, a copy."""

from __future__ import annotations

import json
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from readerstudy.accounts.views import SignedInRequest
from readerstudy.cases.queries import require_coordinator
from readerstudy.studies import actions, rehearsal
from readerstudy.studies.desk import protocol_page
from readerstudy.studies.document import document
from readerstudy.studies.models import Study
from readerstudy.studies.outlook import reading
from readerstudy.studies.presets import preset
from readerstudy.studies.protocol import Protocol
from readerstudy.studies.queries import COORDINATOR, protocol_of, studies_of, study_for

PER_PAGE = 50
REHEARSED = {Study.State.DRAFT, Study.State.OPEN}


@login_required
@require_GET
def study_list(request: SignedInRequest) -> HttpResponse:
    """The studies in which the person coordinates or analyses."""
    rows = studies_of(request.user).prefetch_related("arms", "readers")
    page = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "studies/list.html", {"page": page})


@login_required
@require_http_methods(["GET", "POST"])
def new(request: SignedInRequest) -> HttpResponse:
    """A draft from a protocol: from a preset, changed in the form or in the file."""
    user = require_coordinator(request.user)
    chosen = preset(request.GET.get("preset", ""))

    def save(protocol: Protocol) -> HttpResponse:
        study = actions.create_study(protocol, user)
        return redirect("conduct:study", pk=study.pk)

    return protocol_page(
        request, chosen.protocol, save, "studies/new.html", {"chosen": chosen if request.method == "GET" else None}
    )


@login_required
@require_GET
def print_protocol(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Protocol and plan as one clean page, before opening too: for the ethics board and the registry."""
    study, _ = study_for(request.user, pk, COORDINATOR)
    protocol = protocol_of(study)
    context = {
        "study": study, "parts": document(protocol), "reading": reading(protocol), "now": timezone.now(),
        "amendments": study.amendments.all(),
    }  # fmt: skip
    return render(request, "studies/print.html", context)


@login_required
@require_POST
def copy(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """A new draft with the same protocol and plan."""
    study, _ = study_for(request.user, pk, COORDINATOR)
    try:
        made = actions.copy_study(study, request.user)
    except actions.StudyError as error:
        messages.error(request, str(error))
        return redirect("conduct:study", pk=pk)
    messages.success(request, "This is the copy: a draft with the same protocol and plan, without readers and scores.")
    return redirect("conduct:protocol", pk=made.pk)


@login_required
@never_cache
@require_GET
def preview(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """The reading room as readers will see it, on graded images; nothing is stored."""
    study, _ = study_for(request.user, pk, COORDINATOR)
    protocol = protocol_of(study)
    shown = rehearsal.specimens(protocol) if study.state in REHEARSED else []
    if not shown:
        closed = study.state not in REHEARSED
        messages.error(
            request,
            "A study can be previewed while it is a draft or open."
            if closed
            else "No slice is eligible yet: import cases or widen the frame, then preview.",
        )
        return redirect("conduct:protocol", pk=pk)
    back = reverse("conduct:protocol", args=[pk])
    urls = {
        "csrf": reverse("reading:csrf"), "worklist": back, "login": reverse("account_login"), "finish": back,
        "answer": reverse("studies:preview_answers", args=[pk]),
    }  # fmt: skip
    data = rehearsal.room(study, protocol, shown) | {"urls": urls}
    return render(request, "studies/preview.html", {"room": data, "study": study})


@login_required
@require_GET
def preview_frame(request: SignedInRequest, pk: UUID, place: int, pane: int, frame: int) -> HttpResponse:
    """The pixels of one graded image, in the shape of any frame of the reading room."""
    study, _ = study_for(request.user, pk, COORDINATOR)
    response = HttpResponse(
        rehearsal.pixels(study, request.user, place, pane, frame), content_type="application/octet-stream"
    )
    response["Cache-Control"] = "private, no-store"
    response["Content-Encoding"] = "identity"
    return response


@login_required
@require_POST
def preview_answers(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Says what the room expects to hear and keeps nothing: a rehearsal has no data."""
    study_for(request.user, pk, COORDINATOR)
    try:
        key = json.loads(request.body).get("key", "")
    except (ValueError, AttributeError, RecursionError):
        key = ""
    return JsonResponse({"key": str(key)[:36], "stored": True, "duplicate": False})
