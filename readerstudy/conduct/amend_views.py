"""Pages of a protocol after opening: numbered amendments, the looks of a stopping rule, and extension studies."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from readerstudy.accounts.views import SignedInRequest
from readerstudy.conduct import actions
from readerstudy.conduct.actions.amendments import may_change
from readerstudy.conduct.forms import AmendmentForm
from readerstudy.studies.actions import StudyError
from readerstudy.studies.desk import protocol_page
from readerstudy.studies.models import Study
from readerstudy.studies.protocol import Protocol
from readerstudy.studies.queries import COORDINATOR, protocol_of, study_for
from readerstudy.studies.toml import write_data

AMENDABLE = (Study.State.OPEN, Study.State.CLOSED)


@login_required
@require_http_methods(["GET", "POST"])
def amendments(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Every amendment with its differences, and the file of what may still change."""
    found, _ = study_for(request.user, pk, COORDINATOR)
    if found.state == Study.State.DRAFT:
        raise Http404
    form = AmendmentForm(request.POST or None, now=protocol_of(found), initial={"text": _changeable(found)})
    changes: list[actions.Change] = []
    if request.method == "POST" and form.is_valid():
        changes = actions.changes_between(found, form.cleaned_data["protocol"])
        if request.POST.get("act") == "amend":
            try:
                protocol, reason = form.cleaned_data["protocol"], form.cleaned_data["reason"]
                made = actions.amend_study(found, request.user, protocol, reason)
                messages.success(request, f"Amendment {made.number} holds from now on.")
                return redirect("conduct:amendments", pk=pk)
            except StudyError as error:
                form.add_error(None, str(error))
        elif not changes:
            form.add_error(None, "Nothing differs from the protocol and plan as they are: change a value first.")
    context = {
        "study": found, "amendments": found.amendments.order_by("-number"), "form": form, "changes": changes,
        "amendable": found.state in AMENDABLE, "next": found.amendments.count() + 1,
    }  # fmt: skip
    return render(request, "conduct/amendments.html", context)


def _changeable(study: Study) -> str:
    """The keys that may still change, as a file."""
    protocol = protocol_of(study)
    data: dict[str, Any] = {**protocol.as_data(), "plan": protocol.plan_as_data()}
    kept: dict[str, Any] = {}
    for section, part in data.items():
        if isinstance(part, dict):
            values = {name: value for name, value in part.items() if may_change(f"{section}.{name}")}
            if values and (study.state == Study.State.OPEN or section == "plan"):
                kept[section] = values
    return write_data(kept)


@login_required
@require_POST
def look(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Look at the half-width that the stopping rule watches; the look is recorded."""
    found, _ = study_for(request.user, pk, COORDINATOR)
    try:
        seen = actions.look_at_agreement(found, request.user)
        if seen.half_width is None:
            messages.info(request, f"No half-width yet: {seen.reason}. The look is recorded.")
        else:
            messages.info(
                request,
                f"Half-width of the pooled agreement interval: {seen.half_width:.3f} over {seen.images} images. "
                "The look is recorded.",
            )
    except StudyError as error:
        messages.error(request, str(error))
    return redirect("conduct:study", pk=pk)


@login_required
@require_http_methods(["GET", "POST"])
def extend(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """A new draft over the same slices."""
    found, _ = study_for(request.user, pk, COORDINATOR)
    if found.state == Study.State.DRAFT:
        raise Http404

    def save(written: Protocol) -> HttpResponse:
        made = actions.extend_study(found, request.user, written)
        messages.success(request, "The extension is a draft: bring its readers in.")
        return redirect("conduct:study", pk=made.pk)

    return protocol_page(request, lambda: protocol_of(found), save, "conduct/extend.html", {"study": found})
