"""The planner: power, precision and reading time of a study that does not exist yet."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from readerstudy.accounts.views import SignedInRequest
from readerstudy.cases.queries import require_coordinator
from readerstudy.statistics.estimate import Undefined
from readerstudy.statistics.planning_document import PlanDocument
from readerstudy.statistics.planning_document import plan as planned
from readerstudy.studies.planning_figure import curve_svg
from readerstudy.studies.planning_forms import DEFAULTS, OWN, STARTS, PlanForm, UploadForm, pilot_fields


@login_required
@require_http_methods(["GET", "POST"])
def plan(request: SignedInRequest) -> HttpResponse:
    """The plan in the address; a posted table of scores becomes numbers in a new address and is not kept."""
    user = require_coordinator(request.user)
    upload = UploadForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and upload.is_valid():
        pilot = upload.pilot
        messages.success(
            request,
            f"Estimated from {pilot.slices} slices, {pilot.arms} arms and {pilot.readers} readers; "
            "the file was not kept.",
        )
        kept = {name: request.GET[name] for name in DEFAULTS if name in request.GET}
        query = {**DEFAULTS, **kept, **pilot_fields(pilot), "source": OWN}
        return redirect(f"{reverse('studies:plan')}?{urlencode(query)}")
    form = PlanForm(request.GET.dict(), user)
    document = planned(form.inputs) if form.is_valid() and form.inputs else None
    context: dict[str, Any] = {"form": form, "upload": upload, "document": document, "starts": STARTS}
    if document is not None:
        context |= {"figure": f"{reverse('studies:plan_curve')}?{form.query()}", **_shown(document)}
    return render(request, "studies/plan.html", context)


@login_required
@require_GET
def curve(request: SignedInRequest) -> HttpResponse:
    """The curves of the plan in the address as SVG; an address that is no plan gets the sentence why."""
    form = PlanForm(request.GET.dict(), require_coordinator(request.user))
    if not form.is_valid() or form.inputs is None:
        sentence = next(iter(form.errors.values()))[0]
        return HttpResponse(str(sentence), status=400, content_type="text/plain; charset=utf-8")
    response = HttpResponse(curve_svg(form.inputs), content_type="image/svg+xml")
    response["Cache-Control"] = "private, max-age=300"
    return response


def _shown(document: PlanDocument) -> dict[str, Any]:
    """Shares as percentages, and what is undefined as its reason."""
    kappa, time = document.kappa, document.reading_time
    own = document.curve_readers.index(document.inputs.readers)
    return {
        "power_percent": 100 * document.power.power,
        "closed_form_percent": 100 * document.power.closed_form,
        "kappa": None if isinstance(kappa, Undefined) else kappa,
        "kappa_reason": kappa.reason if isinstance(kappa, Undefined) else "",
        "kappa_sentence": getattr(document.kappa_saturation, "sentence", ""),
        "minutes_per_reader": round(60 * time.hours_per_reader),
        "rows": [
            (row.slices, row.slices == document.inputs.slices,
             [(index == own, 100 * value) for index, value in enumerate(row.power)],
             [(index == own, value) for index, value in enumerate(row.kappa)])
            for row in document.curve
        ],
    }  # fmt: skip
