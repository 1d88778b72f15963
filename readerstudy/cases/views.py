"""The coordinator's pages of cases; everyone else gets 404 from the getters of ``queries``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.files.uploadedfile import UploadedFile
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from readerstudy.accounts.models import User
from readerstudy.accounts.views import SignedInRequest
from readerstudy.cases import actions, pictures, queries
from readerstudy.cases.facts import fixed
from readerstudy.cases.forms import ImportForm, UploadForm, is_zip
from readerstudy.cases.models import Case, Import, ImportedFile, Modality, Source
from readerstudy.cases.scratch import scratch
from readerstudy.cases.sources import create_source
from readerstudy.cases.store import PixelsMissing
from readerstudy.cases.upload_queries import condition, counted, open_uploads
from readerstudy.cases.uploads import LARGEST_PIECE, MOST_FILES

CASES_PER_PAGE = 50
IMAGES_PER_PAGE = 48
FILES_PER_PAGE = 200
KEEP_ORDER = ("patient", "device", "acquisition")


@login_required
@require_GET
def case_list(request: SignedInRequest) -> HttpResponse:
    queries.require_coordinator(request.user)
    modality, state, source = (request.GET.get(name, "") for name in ("modality", "state", "source"))
    page = Paginator(queries.case_list(modality, state, source), CASES_PER_PAGE).get_page(request.GET.get("page"))
    slices = queries.slice_counts(page.object_list)
    context = {
        "page": page,
        "rows": [(case, slices.get(case.pk, 0)) for case in page.object_list],
        "counts": queries.counts(),
        "modalities": Modality.choices,
        "states": Case.State.choices,
        "modality": modality,
        "state": state,
        "sources": [(str(pk), name) for pk, name in Source.objects.order_by("name").values_list("pk", "name")],
        "source": source,
    }
    return render(request, "cases/list.html", context)


@login_required
@require_GET
@never_cache
def case_detail(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Facts at once; images only after the person has said that they may be seen."""
    case = queries.case_for(request.user, pk)
    context = image_context(request, case) | {
        "looks": case.looks.count(),
        "siblings": case.patient.cases.exclude(pk=case.pk).order_by("pseudonym"),
        "batch": Import.objects.filter(files__case=case).order_by("started_at").first(),
        "acquisition": sorted(case.acquisition.items()),
        "fixed": fixed(case),
    }
    return render(request, "cases/detail.html", context)


def image_context(request: SignedInRequest, case: Case) -> dict[str, Any]:
    """A page of the case's images, and whether the person has opened them."""
    slices = case.slices.order_by("index")
    return {
        "case": case,
        "slice_count": slices.count(),
        "page": Paginator(slices, IMAGES_PER_PAGE).get_page(request.GET.get("page")),
        "looked": case.looks.filter(user=request.user).exists(),
    }


@login_required
@require_POST
def open_images(request: SignedInRequest, pk: UUID) -> HttpResponse:
    case = queries.case_for(request.user, pk)
    actions.record_look(case, request.user)
    return redirect("cases:detail", pk=case.pk)


@login_required
@require_POST
def withdraw(request: SignedInRequest, pk: UUID) -> HttpResponse:
    case = queries.case_for(request.user, pk)
    decide(request, case, actions.withdraw, _("%(case)s is withdrawn."))
    return redirect("cases:detail", pk=case.pk)


def decide(request: SignedInRequest, case: Case, verb: Callable[[Case, User, str], Case], done: str) -> bool:
    """Do a verb for the reason that was posted and say how it went; whether it was done."""
    try:
        verb(case, request.user, request.POST.get("reason", ""))
    except actions.CaseError as error:
        messages.error(request, str(error))
        return False
    messages.success(request, done % {"case": case.pseudonym})
    return True


@login_required
@require_GET
def thumbnail(request: SignedInRequest, pk: UUID, index: int) -> HttpResponse:
    return _picture(request, pk, index, pictures.THUMBNAIL)


@login_required
@require_GET
def image(request: SignedInRequest, pk: UUID, index: int) -> HttpResponse:
    return _picture(request, pk, index, None)


def _picture(request: SignedInRequest, pk: UUID, index: int, longest: int | None) -> HttpResponse:
    row = queries.slice_for(request.user, pk, index)
    actions.record_look(row.case, request.user)
    try:
        response = HttpResponse(pictures.png(row, longest), content_type="image/png")
    except PixelsMissing as error:
        return HttpResponse(f"{error}\n", content_type="text/plain", status=503)
    response["Cache-Control"] = "private, no-store"
    return response


@login_required
@require_GET
def import_list(request: SignedInRequest) -> HttpResponse:
    queries.require_coordinator(request.user)
    batches = Import.objects.select_related("source", "started_by")
    page = Paginator(batches, CASES_PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "cases/imports.html", {"page": page})


@login_required
@require_GET
def import_report(request: SignedInRequest, pk: UUID) -> HttpResponse:
    batch = queries.import_for(request.user, pk)
    status = request.GET.get("status", "")
    files = batch.files.select_related("case")
    if status in ImportedFile.Status.values:
        files = files.filter(status=status)
    page = Paginator(files, FILES_PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "batch": batch, "page": page, "status": status, "statuses": ImportedFile.Status.choices, "kept": _kept(batch)
    }  # fmt: skip
    return render(request, "cases/report.html", context)


def _kept(batch: Import) -> str:
    """What an import kept beside the pixels, as the form calls it."""
    keep = batch.options.get("keep")
    if keep is None:
        return "–"
    labels = [str(UploadForm.base_fields[f"keep_{part}"].label) for part in KEEP_ORDER if part in keep]
    return ", ".join(labels) or _("nothing")


@login_required
@require_http_methods(["GET", "POST"])
def import_new(request: SignedInRequest) -> HttpResponse:
    user = queries.require_coordinator(request.user)
    form = ImportForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        try:
            batch = _import_uploads(form, user)
        except actions.CaseError as error:
            form.add_error(None, str(error))
        else:
            return redirect("cases:import", pk=batch.pk)
    context = {
        "form": form,
        "keep_fields": [form[f"keep_{part}"] for part in KEEP_ORDER],
        "most_files": settings.DATA_UPLOAD_MAX_NUMBER_FILES,
        "uploads": [(counted(upload), condition(upload)) for upload in open_uploads(user)],
        "limits": {
            "bytes": settings.UPLOADS_MAX_BYTES,
            "piece": LARGEST_PIECE,
            "files": MOST_FILES,
            "files_in_words": f"{MOST_FILES:,}",
        },
    }
    return render(request, "cases/import.html", context, status=400 if form.errors else 200)


def _import_uploads(form: ImportForm, user: User) -> Import:
    """Files go to disk under their place in the upload: a name may name a patient, or point elsewhere."""
    files: list[UploadedFile[Any]] = form.cleaned_data["scans"]
    with scratch() as root:
        for number, file in enumerate(files, start=1):
            path = root / (f"{number:06d}.zip" if is_zip(file) else f"{number:06d}")
            with path.open("wb") as stream:
                stream.writelines(file.chunks())
        only_zip = root / "000001.zip"
        found = only_zip if only_zip.exists() else root
        source = form.get_source()
        actions.require_valid(source)
        if source._state.adding:
            create_source(source, user)
        return actions.import_cases(found, source=source, by=user, keep=form.get_keep())
