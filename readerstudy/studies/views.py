"""The list of studies, and a new one from its protocol."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from readerstudy.accounts.views import SignedInRequest
from readerstudy.cases.queries import require_coordinator
from readerstudy.studies import actions
from readerstudy.studies.forms import ProtocolForm
from readerstudy.studies.queries import studies_of

PER_PAGE = 50
TEMPLATE: Path = settings.BASE_DIR / "readerstudy" / "studies" / "protocol.toml"


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
    """A draft from a protocol; the template to start from is filled in."""
    user = require_coordinator(request.user)
    form = ProtocolForm(request.POST or None, request.FILES or None, initial={"text": TEMPLATE.read_text()})
    if request.method == "POST" and form.is_valid():
        study = actions.create_study(form.cleaned_data["protocol"], user)
        return redirect("conduct:study", pk=study.pk)
    return render(request, "studies/new.html", {"form": form})
