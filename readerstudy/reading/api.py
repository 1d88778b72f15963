"""The reading room's own interface: frames as raw bytes, answers as JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.utils.dateparse import parse_datetime
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from readerstudy.cases import store
from readerstudy.reading import actions
from readerstudy.reading.queries import frame_for

FILE_NAME = 'inline; filename="frame.raw"'
LARGEST_ANSWER = 64 * 1024


@require_GET
def frame(request: HttpRequest, presentation: str, pane: int, index: int) -> HttpResponse:
    """One frame: little-endian uint16, rows x columns x 2 bytes, the same headers for every arm."""
    if not request.user.is_authenticated:
        return _sign_in()
    found = frame_for(request.user, presentation, pane, index)
    response = HttpResponse(store.get(found.pixels), content_type="application/octet-stream")
    response["Cache-Control"] = "private, no-store"
    response["Content-Disposition"] = FILE_NAME
    response["Content-Encoding"] = "identity"
    return response


@require_GET
@never_cache
def csrf(request: HttpRequest) -> HttpResponse:
    """A fresh token after signing in again."""
    return JsonResponse({"token": get_token(request), "signed_in": request.user.is_authenticated})


@require_POST
def answers(request: HttpRequest) -> HttpResponse:
    """Store one answer; 200 only after commit."""
    if not request.user.is_authenticated:
        return _sign_in()
    try:
        given = _read(request)
        stored = actions.record_answer(request.user, given)
    except Http404:
        return _error(404, "This image is not in your schedule.")
    except actions.Conflict as error:
        return JsonResponse({"error": str(error), "stored": error.stored}, status=409)
    except actions.Closed as error:
        return _error(423, str(error))
    except actions.ReadingError as error:
        return _error(400, str(error))
    return JsonResponse({"key": str(stored.key), "stored": True, "duplicate": stored.duplicate})


@dataclass(frozen=True)
class _Body:
    """The answer's JSON, read field by field with one sentence for what is wrong."""

    data: dict[str, Any]

    def text(self, name: str, limit: int) -> str:
        value = self.data.get(name, "")
        if not isinstance(value, str) or len(value) > limit:
            raise actions.ReadingError(f"{name} must be text of at most {limit} characters.")
        return value

    def milliseconds(self, name: str) -> int | None:
        value = self.data.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**31:
            raise actions.ReadingError(f"{name} must be a number of milliseconds.")
        return round(value)

    def moment(self, name: str) -> datetime | None:
        value = self.data.get(name)
        if value is None:
            return None
        try:
            moment = parse_datetime(value) if isinstance(value, str) else None
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            raise actions.ReadingError(f"{name} must be a moment in ISO 8601 with its time zone.")
        return moment

    def table(self, name: str) -> dict[str, Any]:
        value = self.data.get(name) or {}
        if not isinstance(value, dict):
            raise actions.ReadingError(f"{name} must be an object.")
        return value


def _read(request: HttpRequest) -> actions.Given:
    if int(request.META.get("CONTENT_LENGTH") or 0) > LARGEST_ANSWER:
        raise actions.ReadingError("The answer is too long.")
    try:
        data = json.loads(request.body, parse_constant=_refuse_constant)
        _require_storable(data)
        key = UUID(data["key"])
        presentation = data["presentation"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise actions.ReadingError("An answer is a JSON object with key (a UUID) and presentation.") from error
    body = _Body(data)
    answers = body.table("answers")
    if not isinstance(presentation, str) or not all(isinstance(a, dict) for a in answers.values()):
        raise actions.ReadingError("presentation must be text and every answer an object.")
    timing = actions.Timing(
        body.moment("painted_at"), body.moment("scored_at"), body.milliseconds("elapsed_ms"),
        body.milliseconds("idle_ms") or 0, data.get("too_fast") is True,
    )  # fmt: skip
    viewport = {**body.table("viewport"), "window_changes": body.milliseconds("window_changes") or 0}
    return actions.Given(
        key, presentation, answers, body.text("comment", 2000), bool(data.get("replaces")), timing, viewport
    )


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _require_storable(data: object) -> None:
    """Text that no database or hash could take: broken surrogates and NUL; raises ``ValueError``."""
    text = json.dumps(data, ensure_ascii=False)
    text.encode()
    if "\\u0000" in text:
        raise ValueError("NUL")


def _sign_in() -> JsonResponse:
    return _error(401, "Sign in again: nothing is lost.")


def _error(status: int, sentence: str) -> JsonResponse:
    return JsonResponse({"error": sentence}, status=status)
