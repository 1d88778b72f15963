"""The analyst's pages: results after unblinding, figures and downloads; before it, what is missing."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from readerstudy.analytics import actions, exports, figures, progress, report
from readerstudy.analytics.compute import document_text
from readerstudy.analytics.filters import FilterError, Part, part_of
from readerstudy.analytics.inputs import inputs_of
from readerstudy.analytics.models import Snapshot
from readerstudy.analytics.queries import (
    StudyBlinded,
    analyst_study,
    failed_job,
    latest_snapshot,
    pending_job,
    unblinded_study,
)
from readerstudy.studies.models import Study


@login_required
@require_GET
def results(request: HttpRequest, study: UUID) -> HttpResponse:
    """The results; before unblinding, or without a snapshot, what is missing and who can do it."""
    found = analyst_study(request.user, study)
    if found.state != Study.State.UNBLINDED:
        return render(request, "analytics/blinded.html", {"study": found, "steps": progress.steps(found)})
    snapshot = latest_snapshot(found)
    if snapshot is None:
        return render(request, "analytics/pending.html", _job_context(found))
    try:
        part = part_of(snapshot, request.GET)
    except FilterError as error:
        return render(request, "error.html", {"title": "No such part", "sentence": str(error)}, status=400)
    return render(request, "analytics/results.html", {**_job_context(found), **_page(found, snapshot, part)})


@login_required
@require_POST
def compute(request: HttpRequest, study: UUID) -> HttpResponse:
    """Ask for a snapshot; the numbers are made by a worker, never in a request."""
    found = analyst_study(request.user, study)
    try:
        actions.request_snapshot(found, request.user)  # type: ignore[arg-type]
    except StudyBlinded as error:
        context = {"title": "Not unblinded yet", "sentence": str(error)}
        return render(request, "error.html", context, status=409)
    if request.headers.get("HX-Request"):
        return render(request, "analytics/_status.html", _job_context(found))
    return redirect("analytics:results", study=found.pk)


@login_required
@require_GET
def status(request: HttpRequest, study: UUID) -> HttpResponse:
    """The fragment that a waiting page asks for; once the job has ended the page is loaded anew."""
    found = analyst_study(request.user, study)
    response = render(request, "analytics/_status.html", _job_context(found))
    if pending_job(found) is None and failed_job(found) is None:
        response["HX-Refresh"] = "true"
    return response


@login_required
@require_GET
def figure(request: HttpRequest, study: UUID, name: str, kind: str) -> HttpResponse:
    found, snapshot = unblinded_study(request.user, study)
    if name not in figures.FIGURES or kind not in figures.FORMATS:
        raise Http404
    try:
        part = part_of(snapshot, request.GET)
    except FilterError as error:
        raise Http404 from error
    statistics = document_text(part.document) if part.chosen else snapshot.statistics
    response = HttpResponse(figures.rendered(name, statistics, kind), content_type=figures.FORMATS[kind])
    if "download" in request.GET or kind == "pdf":
        response["Content-Disposition"] = f'attachment; filename="{_stem(found)}-{name}.{kind}"'
    return _private(response)


@login_required
@require_GET
def export(request: HttpRequest, study: UUID) -> HttpResponse:
    found, snapshot = unblinded_study(request.user, study)
    content = actions.export_snapshot(snapshot, request.user)  # type: ignore[arg-type]
    return _download(content, "application/zip", f"{_stem(found)}.zip")


@login_required
@require_GET
def statistics(request: HttpRequest, study: UUID) -> HttpResponse:
    found, snapshot = unblinded_study(request.user, study)
    return _download(snapshot.statistics.encode(), "application/json", f"{_stem(found)}-statistics.json")


@login_required
@require_GET
def table(request: HttpRequest, study: UUID, name: str) -> HttpResponse:
    """One CSV table of the export."""
    found, snapshot = unblinded_study(request.user, study)
    made = exports.tables(inputs_of(snapshot.statistics, snapshot.tables))
    if name not in made or not name.endswith(".csv"):
        raise Http404
    return _download(made[name].encode(), "text/csv; charset=utf-8", f"{_stem(found)}-{name}")


def _job_context(study: Study) -> dict[str, Any]:
    return {"study": study, "job": pending_job(study), "failed": failed_job(study)}


def _page(study: Study, snapshot: Snapshot, part: Part) -> dict[str, Any]:
    document = part.document
    return {
        "study": study,
        "snapshot": snapshot,
        "part": part,
        "document": document,
        "opinions": report.opinions(document),
        "coefficients": ["Fleiss' kappa", *report.COEFFICIENTS.values()],
        "agreements": report.agreements(document),
        "comparisons": report.comparisons(document),
        "omnibus": report.omnibus(document),
        "mixed_models": report.mixed_models(document),
        "metrics": report.metrics(document),
        "metrics_by_modality": report.metrics_by_modality(document),
        "modalities": list(document["modalities"]),
        "modality_means": report.modality_means(document),
        "readers": report.readers(document),
        "regression": report.regression(document, "correlation", "fid_med"),
        "regression_by_modality": report.regression(document, "correlation_by_modality"),
        "figures": [(name, kind.title, kind.caption) for name, kind in figures.FIGURES.items()],
        "figure_kinds": list(figures.FORMATS),
        "secondary": report.secondary(document),
        "warnings": report.warnings(document),
        "slice_metrics": report.slice_metrics(document),
        "tables": exports.table_names(inputs_of(snapshot.statistics, snapshot.tables)),
        "facts": report.facts(document),
    }


def _stem(study: Study) -> str:
    return f"study-{str(study.pk)[:8]}"


def _download(content: bytes, kind: str, name: str) -> HttpResponse:
    response = HttpResponse(content, content_type=kind)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return _private(response)


def _private(response: HttpResponse) -> HttpResponse:
    response["Cache-Control"] = "private, no-store"
    return response
