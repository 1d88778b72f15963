"""The pages of sources: where cases come from and until when they may come."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Count, Q
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from readerstudy.accounts.views import SignedInRequest
from readerstudy.cases import queries, sources
from readerstudy.cases.actions import CaseError
from readerstudy.cases.models import Case, Source
from readerstudy.cases.source_forms import SourceForm

SOURCES_PER_PAGE = 50
LAST_IMPORTS = 10


@login_required
@require_GET
def source_list(request: SignedInRequest) -> HttpResponse:
    queries.require_coordinator(request.user)
    page = Paginator(Source.objects.order_by("name"), SOURCES_PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "cases/sources.html", {"page": page, "rows": queries.source_rows(page.object_list)})


@login_required
@require_http_methods(["GET", "POST"])
def source_new(request: SignedInRequest) -> HttpResponse:
    user = queries.require_coordinator(request.user)
    form = SourceForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = sources.create_source(Source(**form.cleaned_data), user)
        except CaseError as error:
            form.add_error(error.field or None, str(error))
        else:
            messages.success(request, _("%(name)s is a source now.") % {"name": made.name})
            return redirect("cases:sources")
    return render(request, "cases/source.html", {"form": form}, status=400 if form.errors else 200)


@login_required
@require_http_methods(["GET", "POST"])
def source_edit(request: SignedInRequest, pk: int) -> HttpResponse:
    source = queries.source_for(request.user, pk)
    initial = {name: getattr(source, name) for name in sources.FIELDS}
    form = SourceForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            kept = sources.change_source(source, request.user, form.cleaned_data)
        except CaseError as error:
            form.add_error(error.field or None, str(error))
        else:
            messages.success(request, _("%(name)s is saved.") % {"name": kept.name})
            return redirect("cases:sources")
    context = {
        "form": form,
        "source": source,
        "days": queries.days_left(source),
        "numbers": source.cases.aggregate(
            all=Count("pk"),
            used=Count("pk", filter=Q(frozen_at__isnull=False)),
            quarantined=Count("pk", filter=Q(state=Case.State.QUARANTINED)),
        ),
        "imports": source.imports.select_related("started_by")[:LAST_IMPORTS],
    }
    return render(request, "cases/source.html", context, status=400 if form.errors else 200)
