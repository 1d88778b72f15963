"""Sign-in through allauth: people are invited, they don't register themselves."""

from __future__ import annotations

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from django.http import HttpRequest
from django.shortcuts import render
from django.utils.translation import gettext as _

from readerstudy.accounts.mail import MailAway, is_set_up
from readerstudy.accounts.sealing import seal, unseal


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def send_mail(self, *arguments: object) -> None:
        """A page instead of the mail where no e-mail is set up, and ``MailAway`` where the server is away.

        Both for a known address as for an unknown one.
        """
        try:
            super().send_mail(*arguments)
        except OSError as error:
            raise MailAway from error
        if not is_set_up():
            raise ImmediateHttpResponse(render(self.request, "error.html", _not_set_up(), status=503))


def _not_set_up() -> dict[str, str]:
    return {
        "title": _("This installation sends no e-mail"),
        "sentence": _("Ask the administrator for a one-time link: with it you set a new password."),
    }


class FactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """Second factors whose secrets are stored encrypted."""

    def encrypt(self, text: str) -> str:
        return seal(text)

    def decrypt(self, encrypted_text: str) -> str:
        return unseal(encrypted_text)
