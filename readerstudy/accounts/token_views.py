"""The pages of a person's tokens: what there is, a new one (shown once), and its end."""

from __future__ import annotations

from uuid import UUID

from allauth.account.decorators import reauthentication_required
from django import forms
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from readerstudy.accounts.models import Scope, Token
from readerstudy.accounts.tokens import DAYS, MOST_DAYS, TokenError, create_token, desk_person, revoke_token
from readerstudy.accounts.views import SignedInRequest

LIVES = {30: "30 days", DAYS: f"{DAYS} days", 180: "180 days", MOST_DAYS: "1 year"}


class TokenForm(forms.Form):
    """What a new token may do, and for how long."""

    name = forms.CharField(
        label="Name", max_length=60, help_text="What it is for, such as the script or the machine.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )  # fmt: skip
    days = forms.TypedChoiceField(
        label="It works for", coerce=int, choices=list(LIVES.items()), initial=DAYS,
        help_text="Revoke it earlier at any time.",
    )  # fmt: skip
    scopes = forms.MultipleChoiceField(
        label="It may", choices=Scope.choices, initial=[Scope.STUDIES, Scope.RESULTS],
        widget=forms.CheckboxSelectMultiple, error_messages={"required": "Choose at least one scope."},
    )  # fmt: skip


@login_required
@require_GET
@never_cache
def tokens(request: SignedInRequest) -> HttpResponse:
    """A person's tokens, the newest first; never their secrets."""
    person = desk_person(request.user)
    return render(request, "accounts/tokens.html", {"tokens": Token.objects.filter(owner=person)})


@login_required
@require_http_methods(["GET", "POST"])
@never_cache
def new(request: SignedInRequest) -> HttpResponse:
    """Make a token; strangers to the desk get their 404 before they are asked for a password."""
    desk_person(request.user)
    response: HttpResponse = _make(request)
    return response


@reauthentication_required  # type: ignore[untyped-decorator, unused-ignore]
def _make(request: SignedInRequest) -> HttpResponse:
    form = TokenForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            made, secret = create_token(request.user, data["name"], data["scopes"], data["days"])
        except TokenError as error:
            form.add_error(None, str(error))
        else:
            return render(request, "accounts/token_made.html", {"token": made, "secret": secret})
    return render(request, "accounts/token_new.html", {"form": form})


@login_required
@require_POST
def revoke(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """End one of one's own tokens at once."""
    person = desk_person(request.user)
    revoke_token(get_object_or_404(Token, pk=pk, owner=person), person)
    return redirect("tokens:list")
