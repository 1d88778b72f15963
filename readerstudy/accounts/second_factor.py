"""Coordinators and administrators sign in with a second factor; without one they get no further than setting it up."""

from __future__ import annotations

from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.deprecation import MiddlewareMixin
from django.utils.translation import gettext as _

from readerstudy.accounts.incoming import view_name
from readerstudy.accounts.models import User

FACTORS = [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]
# Signing in and out, setting the factor up, and the reading room, where a coordinator has no power.
OPEN = ("account_", "mfa_", "socialaccount_", "openid_connect_", "reading:")
OPEN_VIEWS = {"language", "healthz", "readyz", "metrics", "invitation"}


def needs_second_factor(user: User) -> bool:
    """Whether the person may change or see what others must not: an administrator or any study's coordinator."""
    if user.is_superuser or user.is_staff or user.may_coordinate:
        return True
    return user.memberships.filter(role="coordinator").exists()


def has_second_factor(user: User) -> bool:
    """One-time codes or a passkey; recovery codes alone are none."""
    return bool(is_mfa_enabled(user, types=FACTORS))


class SecondFactorMiddleware(MiddlewareMixin):
    """Programs with a token have no session and are not asked."""

    def process_view(self, request: HttpRequest, *_: Any) -> HttpResponse | None:
        if not settings.REQUIRE_MFA or settings.SESSION_COOKIE_NAME not in request.COOKIES:
            return None
        name = view_name(request)
        if name.startswith(OPEN) or name in OPEN_VIEWS:
            return None
        user = request.user
        if not isinstance(user, User) or not needs_second_factor(user) or has_second_factor(user):
            return None
        return _refusal(request)


def _refusal(request: HttpRequest) -> HttpResponse:
    sentence = _("Set up a second factor first: coordinators and administrators sign in with one.")
    if request.path.startswith("/api/"):
        return JsonResponse({"detail": sentence}, status=403)
    page = reverse("mfa_index")
    if "HX-Request" in request.headers:
        return HttpResponse(status=204, headers={"HX-Redirect": page})
    messages.warning(request, sentence)
    return redirect(page)
