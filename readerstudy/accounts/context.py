"""What every page knows about the installation."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest


def installation(request: HttpRequest) -> dict[str, object]:
    providers: dict[str, Any] = settings.SOCIALACCOUNT_PROVIDERS  # type: ignore[assignment, unused-ignore]
    apps = providers.get("openid_connect", {}).get("APPS", [])
    return {"demo": settings.DEMO, "single_sign_on": apps[0] if apps else None}
