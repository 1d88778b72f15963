"""Reviewers' links: made and taken back by analysts, opened by whoever has one."""

from __future__ import annotations

from uuid import UUID

from csp.decorators import csp_replace
from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from readerstudy.accounts.views import SignedInRequest
from readerstudy.analytics.models import ReviewLink
from readerstudy.analytics.queries import unblinded_study
from readerstudy.analytics.report.build import build_report
from readerstudy.analytics.report.views import STYLE_POLICY
from readerstudy.analytics.reviewing import (
    LONGEST_DAYS,
    ReviewError,
    anonymous_zip,
    make_review_link,
    revoke_review_link,
    usable_link,
)


class ReviewForm(forms.Form):
    """What a reviewer sees as the study's title, and for how long."""

    title = forms.CharField(max_length=200, label=_("Title that tells nobody whose study it is"))
    days = forms.IntegerField(min_value=1, max_value=LONGEST_DAYS, initial=60, label=_("Days until it ends"))


@login_required
@require_http_methods(["GET", "POST"])
@never_cache
def review_links(request: SignedInRequest, study: UUID) -> HttpResponse:
    """The links of a study; a new one is shown once, right after it was made."""
    found, snapshot = unblinded_study(request.user, study)
    form, address = ReviewForm(request.POST or None), ""
    if request.method == "POST" and form.is_valid():
        try:
            _made, token = make_review_link(snapshot, request.user, **form.cleaned_data)
        except ReviewError as error:
            form.add_error(None, str(error))
        else:
            address = request.build_absolute_uri(reverse("review:report", args=[token]))
            form = ReviewForm()
    links = ReviewLink.objects.filter(snapshot__study=found).select_related("made_by", "snapshot")
    context = {"study": found, "form": form, "address": address, "links": links}
    return render(request, "analytics/review_links.html", context, status=400 if form.errors else 200)


@login_required
@require_POST
def revoke_link(request: SignedInRequest, study: UUID, pk: int) -> HttpResponse:
    found, _snapshot = unblinded_study(request.user, study)
    link = get_object_or_404(ReviewLink, pk=pk, snapshot__study=found)
    revoke_review_link(link, request.user)
    messages.success(request, "The link is taken back: it opens nothing any more.")
    return redirect("analytics:review_links", study=found.pk)


@require_GET
@never_cache
@csp_replace(STYLE_POLICY)  # type: ignore[arg-type]
def review_report(request: HttpRequest, token: str) -> HttpResponse:
    """The report without what tells whose it is; nothing for a link that is over."""
    link = _link(token)
    return _private(HttpResponse(build_report(link.snapshot, link)))


@require_GET
@never_cache
def review_export(request: HttpRequest, token: str) -> HttpResponse:
    response = HttpResponse(anonymous_zip(_link(token)), content_type="application/zip")
    response["Content-Disposition"] = 'attachment; filename="review.zip"'
    return _private(response)


def _link(token: str) -> ReviewLink:
    found = usable_link(token)
    if found is None:
        raise Http404
    return found


def _private(response: HttpResponse) -> HttpResponse:
    """Nobody learns the address from this page, and no search engine keeps it."""
    response["Cache-Control"] = "private, no-store"
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex, nofollow"
    return response
