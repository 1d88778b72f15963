"""The reading room's own interface: frames as raw bytes, answers as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from readerstudy.accounts.models import User
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
    return _raw(frame_for(request.user, presentation, pane, index).pixels)


@require_GET
def practice_frame(request: HttpRequest, image: str) -> HttpResponse:
    """The pixels of a practice image, in the shape of any other frame."""
    if not request.user.is_authenticated:
        return _sign_in()
    return _raw(actions.see_practice(request.user, image).pixels)


def _raw(pixels: str) -> HttpResponse:
    response = HttpResponse(store.get(pixels), content_type="application/octet-stream")
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
    """Store one answer or one mark; 200 only after commit."""
    return _acknowledged(request, _store)


@require_POST
def practice_answers(request: HttpRequest) -> HttpResponse:
    """Keep one answer of the training phase."""
    return _acknowledged(request, _store_practice)


def _acknowledged(request: HttpRequest, keep: Callable[[User, _Body], actions.Stored]) -> HttpResponse:
    if not request.user.is_authenticated:
        return _sign_in()
    try:
        stored = keep(request.user, _read(request))
    except Http404:
        return _error(404, _("This image is not in your schedule."))
    except actions.Conflict as error:
        return JsonResponse({"error": str(error), "stored": error.stored}, status=409)
    except actions.Paused as error:
        # Not 423: the browser must keep the answer and send it again, as when the server is away.
        return JsonResponse({"error": str(error), "paused": True}, status=503, headers={"Retry-After": "30"})
    except actions.Closed as error:
        return _error(423, str(error))
    except actions.ReadingError as error:
        return _error(400, str(error))
    return JsonResponse({"key": str(stored.key), "stored": True, "duplicate": stored.duplicate})


def _store(user: User, body: _Body) -> actions.Stored:
    if "mark" in body.data:
        return actions.record_mark(user, body.key(), body.required_text("presentation"), _mark(body))
    timing = actions.Timing(
        body.moment("painted_at"), body.moment("scored_at"), body.milliseconds("elapsed_ms"),
        body.milliseconds("idle_ms") or 0, body.data.get("too_fast") is True,
    )  # fmt: skip
    viewport = {**body.table("viewport"), "window_changes": body.milliseconds("window_changes") or 0}
    given = actions.Given(
        body.key(), body.required_text("presentation"), body.answers(), body.text("comment", 2000),
        bool(body.data.get("replaces")), timing, viewport,
    )  # fmt: skip
    return actions.record_answer(user, given)


def _store_practice(user: User, body: _Body) -> actions.Stored:
    return actions.record_practice(user, body.key(), body.required_text("presentation"), body.answers())


def _mark(body: _Body) -> actions.Mark:
    """The mark of the body; what is wrong in it is said by the verb, what can't be read here."""
    data = _Body(body.table("mark"))
    points = data.data.get("points")
    try:
        read = [(float(x), float(y)) for x, y in points]  # type: ignore[union-attr]
        return actions.Mark(
            data.key("id"), data.count("pane"), data.count("frame"), data.required_text("shape"), read,
            data.required_text("label"), data.text("comment", 2000), data.data.get("confidence"),
            data.text("consequence", 40), data.data.get("deleted") is True, data.count("revision"),
        )  # fmt: skip
    except (TypeError, ValueError, OverflowError) as error:
        if isinstance(error, actions.ReadingError):
            raise
        raise actions.ReadingError(_("The points of a mark are pairs of numbers.")) from error


@dataclass(frozen=True)
class _Body:
    """The answer's JSON, read field by field with one sentence for what is wrong."""

    data: dict[str, Any]

    def key(self, name: str = "key") -> UUID:
        try:
            return UUID(self.data[name])
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise actions.ReadingError(f"{name} must be a UUID.") from error

    def required_text(self, name: str) -> str:
        value = self.data.get(name)
        if not isinstance(value, str) or not 0 < len(value) <= 100:
            raise actions.ReadingError(f"{name} must be text of 1 to 100 characters.")
        return value

    def count(self, name: str) -> int:
        value = self.data.get(name)
        if type(value) is not int or not 0 <= value < 2**31:
            raise actions.ReadingError(f"{name} must be a whole number of 0 or more.")
        return value

    def answers(self) -> dict[str, Any]:
        answers = self.table("answers")
        if not all(isinstance(answer, dict) for answer in answers.values()):
            raise actions.ReadingError("every answer must be an object.")
        return answers

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


def _read(request: HttpRequest) -> _Body:
    if int(request.META.get("CONTENT_LENGTH") or 0) > LARGEST_ANSWER:
        raise actions.ReadingError(_("The answer is too long."))
    try:
        data = json.loads(request.body, parse_constant=_refuse_constant)
        _require_storable(data)
    except (ValueError, RecursionError) as error:
        raise actions.ReadingError("An answer is a JSON object with key (a UUID) and presentation.") from error
    if not isinstance(data, dict):
        raise actions.ReadingError("An answer is a JSON object with key (a UUID) and presentation.")
    return _Body(data)


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _require_storable(data: object) -> None:
    """Text that no database or hash could take: broken surrogates and NUL; raises ``ValueError``."""
    text = json.dumps(data, ensure_ascii=False)
    text.encode()
    if "\\u0000" in text:
        raise ValueError("NUL")


def _sign_in() -> JsonResponse:
    return _error(401, _("Sign in again: nothing is lost."))


def _error(status: int, sentence: str) -> JsonResponse:
    return JsonResponse({"error": sentence}, status=status)
