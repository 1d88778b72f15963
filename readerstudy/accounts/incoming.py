"""What every request gets: an id that ties its log lines together, headers, and a line when it was answered."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from uuid import uuid4

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from readerstudy import logs

log = logging.getLogger("readerstudy.requests")
HEADER = "X-Request-ID"
GIVEN = re.compile(r"[A-Za-z0-9._-]{8,64}")
# Asked every few seconds by programs; only what went wrong is worth a line.
PROBES = {"healthz", "readyz", "metrics"}
_told_of_proxy = False


class RequestMiddleware:
    """The outermost one, so that whatever happens inside has the request's id."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        begun = time.monotonic()
        given = request.headers.get(HEADER, "")
        request_id = given if GIVEN.fullmatch(given) else uuid4().hex
        request.request_id = request_id  # type: ignore[attr-defined]
        with logs.during(request):
            tell_of_proxy(request)
            response = self.get_response(request)
            _note(request, response.status_code, time.monotonic() - begun)
        if _ours(request, response) and not has_fixed_headers(request):
            response[HEADER] = request_id
            response["Permissions-Policy"] = settings.PERMISSIONS_POLICY
        return response


def view_name(request: HttpRequest) -> str:
    """The name of the view that answers, with its namespace; empty where none does."""
    return request.resolver_match.view_name if request.resolver_match else ""


def has_fixed_headers(request: HttpRequest) -> bool:
    """Whether the response may bear nothing that this one request has and another of its kind hasn't."""
    return view_name(request) in settings.FIXED_HEADERS_VIEWS


def tell_of_proxy(request: HttpRequest) -> None:
    """Warn once when a proxy stands in front that the settings don't know of: all readers would share its address."""
    global _told_of_proxy
    if _told_of_proxy or settings.TRUSTED_PROXIES or "HTTP_X_FORWARDED_FOR" not in request.META:
        return
    _told_of_proxy = True
    log.warning(
        "Requests come through a proxy (X-Forwarded-For is set) but READERSTUDY_TRUSTED_PROXIES is 0: set it to the "
        "number of proxies, or limits on wrong passwords count all people as one."
    )


def _ours(request: HttpRequest, response: HttpResponseBase) -> bool:
    """Not a static file, which is the same for everybody and kept for ever."""
    return request.resolver_match is not None or response.status_code >= 400


def _note(request: HttpRequest, status: int, seconds: float) -> None:
    name = view_name(request)
    if status < 400 and (not name or name in PROBES):
        return
    log.info(
        "%s %s %d", request.method, logs.pattern_of(request) or "an unknown address", status,
        extra={"method": request.method, "status": status, "milliseconds": round(seconds * 1000)},
    )  # fmt: skip
