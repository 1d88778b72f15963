"""How the API says things: JSON or CSV, pages of rows, and one sentence for whatever went wrong."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import NotAuthenticated, NotFound, ParseError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.pagination import PageNumberPagination
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView, exception_handler

SIGN_IN = "Sign in, or send a token: Authorization: Bearer rs_…"
LONGEST = 200


class ProblemSerializer(serializers.Serializer[Any]):
    """What went wrong and what to do, in one sentence."""

    detail = serializers.CharField()


class CsvRenderer(BaseRenderer):
    """A table as ``lines.to_csv`` wrote it; what went wrong goes out as JSON."""

    media_type = "text/csv"
    format = "csv"
    charset = "utf-8"

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> Any:
        return str(data).encode()


class Negotiation(DefaultContentNegotiation):
    """An unknown ?format= gets a sentence that names the known ones."""

    def filter_renderers(self, renderers: Iterable[BaseRenderer], format: str) -> list[BaseRenderer]:
        offered = list(renderers)
        found = [renderer for renderer in offered if renderer.format == format]
        if not found:
            names = ", ".join(renderer.format or "" for renderer in offered)
            raise ParseError(f"There is no format “{format[:40]}” here: choose among {names}.")
        return found


class FileNegotiation(DefaultContentNegotiation):
    """Files have one form each, whatever the program says that it accepts."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        first = next(iter(renderers))
        return first, first.media_type or ""


class Pages(PageNumberPagination):
    """Pages from 1 on; a wrong number is said and not put right in silence."""

    page_size = 100
    page_size_query_param = "page_size"
    max_page_size = 5000
    page_query_description = "Number of the page, from 1."
    page_size_query_description = "Rows of a page, 1 to 5000."

    def get_page_size(self, request: Request) -> int:
        return whole_number(request, "page_size", self.page_size, self.max_page_size)

    def get_page_number(self, request: Request, paginator: Any) -> int:
        return whole_number(request, "page", 1, 10**9)

    def paginate_queryset(self, queryset: Any, request: Request, view: APIView | None = None) -> list[Any] | None:
        try:
            return super().paginate_queryset(queryset, request, view)
        except NotFound as error:
            raise ParseError("There is no such page: follow “next” until it is null.") from error

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = super().get_schema_operation_parameters(view)
        for parameter in found:
            most = {"maximum": self.max_page_size, "default": self.page_size} if "size" in parameter["name"] else {}
            parameter["schema"] = {"type": "integer", "minimum": 1, **most}
        return found


def whole_number(request: Request, name: str, default: int, largest: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 12 and 1 <= int(text) <= largest):
        raise ParseError(f"{name}={text[:40]} is no whole number from 1 to {largest}.")
    return int(text)


def require_known(request: Request, known: Collection[str]) -> None:
    """Refuse a parameter that would be passed over in silence: a filter with a typing error filters nothing."""
    for name, values in request.query_params.lists():
        if name not in known:
            choices = f"choose among {', '.join(sorted(known))}" if known else "there are none here"
            raise ParseError(f"There is no parameter “{name[:40]}”: {choices}.")
        if any("\x00" in value or len(value) > LONGEST for value in values):
            raise ParseError(f"The value of {name} can't be read: leave out zero bytes, at most {LONGEST} characters.")


def chosen(request: Request, name: str, offered: Sequence[str]) -> set[str]:
    """The values of a filter, all where it is not given; raises 400 naming the choices."""
    asked = request.query_params.getlist(name)
    for value in asked:
        if value not in offered:
            choices = ", ".join(offered) or "none"
            raise ParseError(f"This study has no {name} “{value[:40]}”: choose among {choices}.")
    return set(asked or offered)


def problem(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """Every refusal as JSON with a sentence, in whatever format the answer would have been."""
    response = exception_handler(error, dict(context))
    if response is None:
        return None
    if isinstance(error, NotAuthenticated):
        response.data = {"detail": SIGN_IN}
    request = context.get("request")
    if request is not None:
        request.accepted_renderer, request.accepted_media_type = JSONRenderer(), "application/json"
    return response
