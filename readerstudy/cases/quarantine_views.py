"""The pages of the quarantine: case after case is looked at, then released or withdrawn."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from readerstudy.accounts.views import SignedInRequest
from readerstudy.cases import actions, queries
from readerstudy.cases.blinding import LookRefused
from readerstudy.cases.models import Case
from readerstudy.cases.views import decide, image_context

CASES_PER_PAGE = 50


@login_required
@require_GET
@never_cache
def quarantine(request: SignedInRequest) -> HttpResponse:
    queries.require_coordinator(request.user)
    page = Paginator(queries.quarantined(), CASES_PER_PAGE).get_page(request.GET.get("page"))
    slices, imports = queries.slice_counts(page.object_list), queries.first_imports(page.object_list)
    rows = [(case, slices.get(case.pk, 0), imports.get(case.pk)) for case in page.object_list]
    return render(request, "cases/quarantine.html", {"page": page, "rows": rows})


@login_required
@require_GET
@never_cache
def review(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """One case with its images; another state than quarantined leads to the case's own page."""
    case = queries.case_for(request.user, pk)
    if case.state != Case.State.QUARANTINED:
        return redirect("cases:detail", pk=case.pk)
    context = image_context(request, case) | {
        "waiting": queries.quarantined().count(),
        "batch": queries.first_imports([case]).get(case.pk),
    }
    return render(request, "cases/review.html", context)


@login_required
@require_POST
def review_look(request: SignedInRequest, pk: UUID) -> HttpResponse:
    case = queries.case_for(request.user, pk)
    actions.record_look(case, request.user)
    return redirect("cases:review", pk=case.pk)


@login_required
@require_POST
def review_next(request: SignedInRequest) -> HttpResponse:
    """Open the case that waits longest, or the one behind the case of ``after``, and record the look."""
    queries.require_coordinator(request.user)
    after = request.POST.get("after")
    return _next(request, queries.case_for(request.user, after) if after else None)


@login_required
@require_POST
def release(request: SignedInRequest, pk: UUID) -> HttpResponse:
    case = queries.case_for(request.user, pk)
    done = decide(request, case, actions.release_quarantine, _("%(case)s is released and ready for studies."))
    return _next(request, case) if done else redirect("cases:review", pk=case.pk)


@login_required
@require_POST
def review_withdraw(request: SignedInRequest, pk: UUID) -> HttpResponse:
    case = queries.case_for(request.user, pk)
    done = decide(request, case, actions.withdraw, _("%(case)s is withdrawn."))
    return _next(request, case) if done else redirect("cases:review", pk=case.pk)


def _next(request: SignedInRequest, after: Case | None) -> HttpResponse:
    """The next case that the person may see, or the list once there is none."""
    refusal = ""
    for case in queries.quarantined_after(after):
        try:
            actions.record_look(case, request.user)
        except LookRefused as error:
            refusal = error.sentence
            continue
        return redirect("cases:review", pk=case.pk)
    if refusal:
        messages.warning(request, refusal)
    return redirect("cases:quarantine")
