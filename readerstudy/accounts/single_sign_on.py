"""Sign-in through the institution's OpenID Connect provider, for people who have an account here already."""

from __future__ import annotations

import logging
from typing import Any

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.providers.base import AuthProcess
from django.http import HttpRequest
from django.shortcuts import render
from django.utils.translation import gettext as _
from requests import RequestException, Response, Session

from readerstudy.accounts.models import User
from readerstudy.audit.actions import INSTALLATION, record

log = logging.getLogger(__name__)


class SingleSignOnAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """No sign-up and no connecting by hand: the provider's verified address must be that of one living account."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        return False

    def authenticate_by_email(self, sociallogin: Any) -> tuple[User, str] | None:
        """The one account with an address for which the provider vouches; two with the same address are none."""
        for address in sociallogin.email_addresses:
            if address.verified is not True and str(address.verified).lower() != "true":
                continue
            people = User.objects.filter(email__iexact=address.email, is_active=True, simulated=False)[:2]
            if len(people) == 1:
                return people[0], address.email
        return None

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        user = sociallogin.user if sociallogin.is_existing else None
        if sociallogin.state.get("process") == AuthProcess.CONNECT or not _may(user):
            raise ImmediateHttpResponse(_refusal(request))
        if isinstance(user, User) and sociallogin.account.pk is None:
            record(INSTALLATION, user.handle, "account.single_sign_on", f"user:{user.handle}", {})

    def get_requests_session(self) -> Session:
        """Asks the provider; one that is away is a page that says so, not an error of the product."""
        session: Session = super().get_requests_session()
        plain = session.request

        def request(*args: Any, **options: Any) -> Response:
            try:
                answer = plain(*args, **options)
            except RequestException as error:
                raise self._unreachable(type(error).__name__) from error
            if answer.status_code >= 500:
                raise self._unreachable(f"status {answer.status_code}")
            return answer

        session.request = request  # type: ignore[method-assign]
        return session

    def _unreachable(self, why: str) -> ImmediateHttpResponse:
        log.warning("The provider of single sign-on does not answer (%s): see READERSTUDY_OIDC_ISSUER.", why)
        return ImmediateHttpResponse(render(self.request, "socialaccount/authentication_error.html", status=503))

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: Any,
        error: Any = None,
        exception: BaseException | None = None,
        extra_context: Any = None,
    ) -> None:
        kind = type(exception).__name__ if exception else "no exception"
        log.warning("The provider of single sign-on gave no answer that can be used (%s, %s).", error, kind)


def _may(user: Any) -> bool:
    return isinstance(user, User) and user.is_active and not user.simulated


def _refusal(request: HttpRequest) -> Any:
    context = {
        "title": _("No account here has this address"),
        "sentence": _(
            "Single sign-on works for accounts whose e-mail address your institution confirms: ask the study's "
            "coordinator for an invitation, or sign in with your password."
        ),
    }
    return render(request, "error.html", context, status=403)
