"""Sessions end: after a while without activity, and at the latest after a working day."""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import SESSION_KEY, logout
from django.contrib.sessions.backends.base import SessionBase, UpdateError
from django.db import OperationalError
from django.http import HttpRequest
from django.utils.deprecation import MiddlewareMixin
from django.utils.translation import gettext as _

from readerstudy.accounts.incoming import has_fixed_headers, view_name

BEGAN, SEEN = "began", "seen"
# Activity is written down at most once a minute, so that a score isn't a write more.
EVERY_SECONDS = 60


def begin(request: HttpRequest, **_: Any) -> None:
    """A sign-in starts both clocks; connected to Django's signal."""
    request.session[BEGAN] = request.session[SEEN] = int(time.time())


def is_over(session: SessionBase, now: float) -> bool:
    """Whether the person was away too long or has been signed in for too long."""
    began, seen = session.get(BEGAN, now), session.get(SEEN, now)
    return bool(now - seen > settings.SESSION_IDLE_SECONDS or now - began > settings.SESSION_LONGEST_SECONDS)


class SessionLimitMiddleware(MiddlewareMixin):
    """Whoever's session is over is signed out before the view, which then answers as it does to nobody.

    For an answer from the reading room that is a 401, on which the outbox keeps the answer until the next sign-in.
    """

    def process_view(self, request: HttpRequest, *_: Any) -> None:
        session = request.session
        if settings.SESSION_COOKIE_NAME not in request.COOKIES or SESSION_KEY not in session:
            return
        now = time.time()
        if is_over(session, now):
            logout(request)
            if _is_page(request):
                messages.info(request, _over())
        elif not has_fixed_headers(request) and view_name(request) not in settings.SESSION_IDLE_VIEWS:
            _note(request, int(now))


def _note(request: HttpRequest, now: int) -> None:
    """Write the activity down at once, so that the response needs no cookie and no later write can undo another's."""
    session = request.session
    if BEGAN in session and 0 <= now - session.get(SEEN, 0) < EVERY_SECONDS:
        return
    changed = session.modified
    session.setdefault(BEGAN, now)
    session[SEEN] = now
    try:
        session.save()
    except UpdateError as error:
        # Django raises this for a session that another request has ended, and for a database that is busy or away.
        if not isinstance(error.__context__, OperationalError):
            logout(request)
            return
    session.modified = changed


def _is_page(request: HttpRequest) -> bool:
    """A page that a person opened, not something that a script fetched."""
    fetched = "HX-Request" in request.headers or request.headers.get("Sec-Fetch-Mode", "navigate") != "navigate"
    return request.method == "GET" and not fetched and "text/html" in request.headers.get("Accept", "")


def _over() -> str:
    return _("Your sign-in has ended, as it does after a while. What you saved is safe: sign in and go on.")
