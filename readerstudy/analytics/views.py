"""The analyst's pages: results after unblinding, figures and downloads; before it, what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from readerstudy.accounts.models import User
from readerstudy.accounts.views import SignedInRequest
from readerstudy.analytics import actions, behind, exports, figures, images, progress
from readerstudy.analytics.circumstances import circumstances, record_table
from readerstudy.analytics.compute import document_text
from readerstudy.analytics.definitions import definition
from readerstudy.analytics.downloads import download, private, stem
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
from readerstudy.analytics.rows import designs, marks, metrics, people, scores
from readerstudy.studies.models import Study


@login_required
@require_GET
def results(request: SignedInRequest, study: UUID) -> HttpResponse:
    """The results; before unblinding, or without a snapshot, what is missing and who can do it."""
    found = analyst_study(request.user, study)
    if found.state != Study.State.UNBLINDED:
        return render(request, "analytics/blinded.html", {"study": found, "steps": progress.steps(found)})
    snapshot = latest_snapshot(found)
    if snapshot is None:
        return render(request, "analytics/pending.html", _job_context(found))
    try:
        part = part_of(snapshot, request.GET, request.user)
    except FilterError as error:
        return render(request, "error.html", {"title": "No such part", "sentence": str(error)}, status=400)
    return render(
        request, "analytics/results.html", {**_job_context(found), **_page(found, snapshot, part, request.user)}
    )


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
def figure(request: SignedInRequest, study: UUID, name: str, kind: str) -> HttpResponse:
    found, snapshot = unblinded_study(request.user, study)
    if name not in figures.FIGURES or kind not in figures.FORMATS:
        raise Http404
    try:
        part = part_of(snapshot, request.GET, request.user)
    except FilterError as error:
        raise Http404 from error
    if not figures.FIGURES[name].applies(part.document):
        raise Http404
    statistics = document_text(part.document) if part.chosen else snapshot.statistics
    response = HttpResponse(figures.rendered(name, statistics, kind), content_type=figures.FORMATS[kind])
    if "download" in request.GET or kind == "pdf":
        response["Content-Disposition"] = f'attachment; filename="{stem(found)}-{name}.{kind}"'
    return private(response)


@login_required
@require_GET
def export(request: HttpRequest, study: UUID) -> HttpResponse:
    found, snapshot = unblinded_study(request.user, study)
    content = actions.export_snapshot(snapshot, request.user)  # type: ignore[arg-type]
    return download(content, "application/zip", f"{stem(found)}.zip")


@login_required
@require_GET
def statistics(request: HttpRequest, study: UUID) -> HttpResponse:
    found, snapshot = unblinded_study(request.user, study)
    return download(snapshot.statistics.encode(), "application/json", f"{stem(found)}-statistics.json")


@login_required
@require_GET
def table(request: HttpRequest, study: UUID, name: str) -> HttpResponse:
    """One CSV table of the export."""
    found, snapshot = unblinded_study(request.user, study)
    made = exports.tables(inputs_of(snapshot.statistics, snapshot.tables))
    if name not in made or not name.endswith(".csv"):
        raise Http404
    return download(made[name].encode(), "text/csv; charset=utf-8", f"{stem(found)}-{name}")


def _job_context(study: Study) -> dict[str, Any]:
    return {"study": study, "job": pending_job(study), "failed": failed_job(study)}


def _page(study: Study, snapshot: Snapshot, part: Part, user: User) -> dict[str, Any]:
    document = part.document
    inputs = inputs_of(snapshot.statistics, snapshot.tables)
    return {
        "study": study,
        "circumstances": circumstances(inputs.facts),
        "records": record_table(inputs.records),
        "snapshot": snapshot,
        "part": part,
        "document": document,
        "opinions": scores.opinions(document),
        "against_reference": scores.against_reference(document),
        "details": scores.details(document),
        "leave_one_out": people.leave_one_out(document),
        "coefficients": ["Fleiss' kappa", *scores.COEFFICIENTS.values()],
        "agreements": scores.agreements(document),
        "comparisons": scores.comparisons(document),
        "omnibus": scores.omnibus(document),
        "mixed_models": scores.mixed_models(document),
        "metrics": metrics.metrics(document),
        "metrics_by_modality": metrics.metrics_by_modality(document),
        "modalities": list(document["modalities"]),
        "modality_means": scores.modality_means(document),
        "readers": people.readers(document),
        "paces": people.paces(document),
        "sensitivity": people.sensitivity(document),
        "guesses": people.guesses(document),
        "chance": f"{100 * document['blinding'].get('chance', 0):.0f}",
        "rates": marks.rates(document),
        "ledger": marks.ledger(document),
        "contrasts": marks.contrasts(document),
        "ledger_images": next(iter(behind.strips(definition("fidelity/arms"), behind.Scope(), part.inputs)), None),
        "opened": images.opened(study, user),
        "titles": images.titles(study),
        "pairs": designs.pairs(document),
        "ladders": designs.ladders(document),
        "contents": _contents(document),
        "regression": metrics.regression(document, "correlation", "fid_med"),
        "regression_by_modality": metrics.regression(document, "correlation_by_modality"),
        "figures": [
            (name, kind.title, kind.caption) for name, kind in figures.FIGURES.items() if kind.applies(document)
        ],
        "figure_kinds": list(figures.FORMATS),
        "secondary": scores.secondary(document),
        "warnings": scores.warnings(document),
        "slice_metrics": metrics.slice_metrics(document),
        "tables": exports.table_names(inputs),
        "facts": scores.facts(document),
    }


def _contents(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Anchor and title of every section that this document has."""
    scored = bool(document["arms"])
    sections = [
        ("opinion", "Scores", scored),
        ("comparisons", "Comparisons", scored),
        ("pairs", "Pairs", bool(document["pairs"])),
        ("ladders", "Dose ladders", bool(document["ladders"])),
        ("figures", "Figures", True),
        ("agreement", "Agreement", scored),
        ("metrics", "Image metrics", True),
        ("relation", "FID-Med", scored),
        ("annotations", "Annotations", "undefined" not in document["annotations"]),
        ("ledger", "Hallucination ledger", "arms" in document["fidelity"]),
        ("readers", "Readers", scored),
        ("blinding", "Blinding", "arms" in document["blinding"]),
        ("downloads", "Downloads", True),
    ]
    return [(anchor, title) for anchor, title, there in sections if there]
