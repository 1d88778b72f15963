"""The front door: where each person starts, and the pages of what went wrong."""

from __future__ import annotations

import sys

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from readerstudy.accounts.models import User
from readerstudy.accounts.outages import RETRY_SECONDS, outage_of


class SignedInRequest(HttpRequest):
    """A request behind ``login_required``: the user is a person."""

    user: User


@login_required
def home(request: SignedInRequest) -> HttpResponse:
    """Readers start at their worklist, everyone else at the list of studies."""
    if request.user.may_coordinate or request.user.is_superuser:
        return redirect("studies:list")
    return redirect("reading:worklist" if request.user.reads else "studies:list")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    context = {
        "title": _("This page was open for too long"),
        "sentence": _("Go back, reload the page and send it again; nothing that was saved is lost."),
    }
    return render(request, "error.html", context, status=403)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    context = {
        "title": _("There is nothing here"),
        "sentence": _("Check the address, or start again from the first page."),
    }
    return render(request, "error.html", context, status=404)


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    sentence = getattr(exception, "sentence", "") or _("Ask the study's coordinator if you should have access.")
    context = {"title": _("Not allowed"), "sentence": sentence}
    return render(request, "error.html", context, status=403)


def server_error(request: HttpRequest) -> HttpResponse:
    """The last page: an outage below the product says so, and programs get the sentence as JSON."""
    outage = outage_of(sys.exc_info()[1])
    title = outage.title if outage else _("Something went wrong here")
    sentence = outage.sentence if outage else _("Nothing that was saved is lost. Try again in a minute.")
    status = outage.status if outage else 500
    response: HttpResponse
    if _wants_json(request):
        words = f"{title}. {sentence}"
        response = JsonResponse({"error": words, "detail": words}, status=status)
    else:
        response = render(request, "error.html", {"title": title, "sentence": sentence}, status=status)
    if outage:
        response["Retry-After"] = str(RETRY_SECONDS)
    return response


def _wants_json(request: HttpRequest) -> bool:
    return request.path.startswith("/api/") or request.get_preferred_type(["text/html", "application/json"]) == (
        "application/json"
    )
