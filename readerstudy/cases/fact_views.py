"""The page on which the facts of a case are corrected, and the pictures that show what a window does."""

from __future__ import annotations

import copy
import math
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from readerstudy.accounts.views import SignedInRequest
from readerstudy.cases import facts, pictures, queries
from readerstudy.cases.actions import CaseError, record_look
from readerstudy.cases.fact_forms import PLANES, FactsForm
from readerstudy.cases.models import Case, Slice
from readerstudy.cases.store import PixelsMissing

LONGEST = 384


@login_required
@require_http_methods(["GET", "POST"])
@never_cache
def edit(request: SignedInRequest, pk: UUID) -> HttpResponse:
    case = queries.case_for(request.user, pk)
    if sentence := facts.fixed(case):
        messages.error(request, sentence)
        return redirect("cases:detail", pk=case.pk)
    stays = facts.measured(case)
    form = FactsForm(request.POST or None, case=case, stays=bool(stays))
    if request.method == "POST" and form.is_valid():
        try:
            facts.change_case(case, request.user, form.changes(), form.cleaned_data["reason"])
        except CaseError as error:
            form.add_error(error.field or None, str(error))
        else:
            messages.success(request, _("The facts of %(case)s are corrected.") % {"case": case.pseudonym})
            return redirect("cases:detail", pk=case.pk)
    context = {
        "case": case,
        "form": form,
        "stays": stays,
        "looked": case.looks.filter(user=request.user).exists(),
        "slices": _spread(case),
        "anatomies": Case.objects.exclude(anatomy="").order_by("anatomy").values_list("anatomy", flat=True).distinct(),
        "planes": PLANES,
    }
    return render(request, "cases/edit.html", context, status=400 if form.errors else 200)


@login_required
@require_GET
def preview(request: SignedInRequest, pk: UUID, index: int) -> HttpResponse:
    """One slice as it would look with ``center``, ``width``, ``row`` and ``column``; what is no number is left out.

    ``anatomy`` instead of a window: in the automatic one.
    """
    row = queries.slice_for(request.user, pk, index)
    record_look(row.case, request.user)
    asked = {name: _number(request.GET.get(name, "")) for name in ("center", "width", "row", "column")}
    shown = copy.copy(row.case)
    if _is_spacing(asked["row"]) and _is_spacing(asked["column"]):
        shown.row_spacing, shown.column_spacing = asked["row"], asked["column"]
    try:
        stored = queries.pixels(row)
    except PixelsMissing as error:
        return HttpResponse(f"{error}\n", content_type="text/plain", status=503)
    center, width = asked["center"], asked["width"]
    if "anatomy" in request.GET:
        window = facts.automatic_window(row.case, request.GET["anatomy"], stored)
        center, width = window.center, window.width
    elif center is None or width is None or width <= 0:
        center, width = row.window_center, row.window_width
    content = pictures.png_of(stored, shown, center, width, LONGEST)
    return HttpResponse(content, content_type="image/png", headers={"Cache-Control": "private, no-store"})


def _spread(case: Case) -> list[Slice]:
    """A few slices from all over the case."""
    rows = list(case.slices.order_by("index"))
    places = sorted({round((len(rows) - 1) * share) for share in (0.25, 0.5, 0.75)}) if rows else []
    return [rows[place] for place in places]


def _number(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if math.isfinite(found) and abs(found) <= facts.LARGEST_VALUE else None


def _is_spacing(value: float | None) -> bool:
    return value is not None and 0 < value <= facts.LARGEST_SPACING
