"""What is looked at when the product starts: settings that each are right and don't go together."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning


def proxies(**_: Any) -> list[CheckMessage]:
    """HTTPS ends at a proxy, which has to be counted."""
    if not settings.SECURE_SSL_REDIRECT or settings.TRUSTED_PROXIES:
        return []
    return [
        Warning(
            "READERSTUDY_HTTPS is on but READERSTUDY_TRUSTED_PROXIES is 0: every page would lead to itself.",
            hint="Set READERSTUDY_TRUSTED_PROXIES to the number of proxies in front, usually 1.",
            id="accounts.W001",
        )
    ]


def mail(**_: Any) -> list[CheckMessage]:
    if not settings.EMAIL_BACKEND.endswith("dummy.EmailBackend"):
        return []
    return [
        Warning(
            "No e-mail leaves this installation, neither invitations nor the commitment of an order.",
            hint="Set READERSTUDY_EMAIL_URL, or hand over the links that the pages show.",
            id="accounts.W002",
        )
    ]


def second_factor(**_: Any) -> list[CheckMessage]:
    if settings.CONFIGURATION.require_mfa or not settings.SECURE_SSL_REDIRECT:
        return []
    return [
        Warning(
            "Coordinators and administrators may sign in with a password alone.",
            hint="Remove READERSTUDY_REQUIRE_MFA=0.",
            id="accounts.W003",
        )
    ]


CHECKS = (proxies, mail, second_factor)
