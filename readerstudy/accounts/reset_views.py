"""A lost password: the administrator's page that makes a link, and the page the link leads to."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from readerstudy.accounts.forms import PasswordForm
from readerstudy.accounts.limits import count_wrong, too_many
from readerstudy.accounts.models import User
from readerstudy.accounts.resets import HOURS, ResetError, make_reset_link, person_of, use_reset_link
from readerstudy.accounts.views import SignedInRequest

GONE = {
    "title": "This link can't be used",
    "sentence": "It was used, has expired or never existed: ask the administrator for a new one.",
}


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def make(request: SignedInRequest, handle: str) -> HttpResponse:
    """Make a link for a person who lost their password; it is shown this one time."""
    if not request.user.is_superuser:
        raise Http404
    person = get_object_or_404(User, handle=handle)
    link = error = ""
    if request.method == "POST":
        try:
            token = make_reset_link(person, request.user)
            link = request.build_absolute_uri(reverse("people:new_password", args=[token]))
        except ResetError as refused:
            error = str(refused)
    return render(request, "account/reset_link.html", {"person": person, "link": link, "error": error, "hours": HOURS})


@sensitive_post_parameters("password", "again")
@never_cache
@require_http_methods(["GET", "POST"])
def use(request: HttpRequest, token: str) -> HttpResponse:
    """Write a new password, once."""
    person = None if too_many(request) else person_of(token)
    if person is None:
        return _gone(request)
    form = ResetForm(request.POST or None, whose=person)
    if request.method == "POST" and form.is_valid():
        try:
            use_reset_link(token, form.cleaned_data["password"])
        except ResetError:
            return _gone(request)
        messages.success(request, "Your password is changed: sign in with it.")
        return redirect("account_login")
    return render(request, "account/new_password.html", {"form": form})


def _gone(request: HttpRequest) -> HttpResponse:
    count_wrong(request)
    return render(request, "error.html", GONE, status=404)


class ResetForm(PasswordForm):
    def __init__(self, *args: object, whose: User) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self.whose = whose

    def person(self) -> User:
        return self.whose
