"""The API of results: the same permissions as the pages, and nothing per arm before unblinding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from functools import lru_cache
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework.exceptions import NotFound, ParseError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.permissions import AllowAny
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from readerstudy.accounts.models import Scope, User
from readerstudy.analytics import actions, figures
from readerstudy.analytics.api_formats import (
    CsvRenderer,
    FileNegotiation,
    Negotiation,
    Pages,
    ProblemSerializer,
    chosen,
    require_known,
)
from readerstudy.analytics.api_serializers import (
    STATISTICS,
    ImageRow,
    MarkRow,
    PairRow,
    ScoreRow,
    StudyFactsSerializer,
    StudySerializer,
)
from readerstudy.analytics.compute import document_text
from readerstudy.analytics.filters import FilterError, Part, choices, part_of
from readerstudy.analytics.inputs import TABLES, Inputs, inputs_of
from readerstudy.analytics.lines import to_csv
from readerstudy.analytics.models import Snapshot
from readerstudy.analytics.queries import StudyBlinded, analyst_study, require_unblinded
from readerstudy.studies.models import Study
from readerstudy.studies.queries import studies_of

REFUSALS = {
    400: OpenApiResponse(ProblemSerializer, "A parameter has no such value; the sentence names the choices."),
    401: OpenApiResponse(ProblemSerializer, "Nobody is signed in, or the token is wrong, expired or revoked."),
    403: OpenApiResponse(ProblemSerializer, "The token lacks the scope."),
    429: OpenApiResponse(ProblemSerializer, "Too many wrong tokens came from this address."),
}
NOT_FOUND = OpenApiResponse(ProblemSerializer, "You have no such study, or it has no numbers yet.")
FILTERS = {
    "arm": "Key of an arm.",
    "reader": "Pseudonym of a reader, such as R1.",
    "modality": "CT, MR or US.",
    "criterion": "Key of a criterion.",
    "session": "Number of a sitting.",
    "repeat": "0: first readings; 1: the same images again.",
    "label": "What marks stand for.",
    "phase": "When marks were drawn.",
}
FIXED = {"repeat": ("0", "1"), "phase": ("scores", "repeat", "fidelity")}
STUDY = OpenApiParameter("study", UUID, "path", description="Id of a study, as the list of studies gives it.")
PART = ("modality", "reader", "session")


def _filters(*names: str) -> list[OpenApiParameter]:
    return [
        OpenApiParameter(name, str, many=True, enum=FIXED.get(name), description=f"{FILTERS[name]} May be repeated.")
        for name in names
    ]


class ApiView(APIView):
    """Reading only; ``scope`` is what a token needs, ``parameters`` what an address may say."""

    http_method_names = ["get", "head"]
    renderer_classes: Sequence[type[BaseRenderer]] = [JSONRenderer]
    content_negotiation_class: type[BaseContentNegotiation] = Negotiation
    scope: Scope
    parameters: tuple[str, ...] = ()

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        made = super().finalize_response(request, response, *args, **kwargs)
        made["Cache-Control"] = "private, no-store"
        return made

    def study(self, request: Request, pk: UUID) -> Study:
        """The study for its coordinators and analysts, or 404; only then are parameters looked at."""
        found = analyst_study(request.user, pk)
        require_known(request, {*self.parameters, "format"})
        return found

    def snapshot(self, request: Request, pk: UUID) -> Snapshot:
        """The latest numbers without their text, or 404 with what is missing."""
        study = self.study(request, pk)
        try:
            require_unblinded(study)
        except StudyBlinded as error:
            raise NotFound(str(error)) from error
        made = study.snapshots.order_by("-made_at").defer("statistics", "tables").first()
        if made is None:
            raise NotFound("The numbers of this study are not computed yet: ask for them on its page of results.")
        return made


class StudyList(ApiView):
    """The studies that you coordinate or analyse, the newest first."""

    scope = Scope.STUDIES
    pagination_class = Pages
    parameters = ("state", "search", "page", "page_size", "format")

    @extend_schema(
        summary="List studies",
        parameters=[
            OpenApiParameter("state", str, enum=Study.State.values, many=True, description="May be repeated."),
            OpenApiParameter("search", str, description="Part of the title, in small or capital letters."),
        ],
        responses={200: StudySerializer(many=True), **REFUSALS},
    )
    def get(self, request: Request) -> Response:
        require_known(request, self.parameters)
        assert isinstance(request.user, User)
        found: QuerySet[Study] = studies_of(request.user).prefetch_related("readers")
        if "state" in request.query_params:
            found = found.filter(state__in=chosen(request, "state", Study.State.values))
        if search := request.query_params.get("search", "").strip():
            found = found.filter(title__icontains=search)
        pages = Pages()
        rows = pages.paginate_queryset(found, request, self)
        return pages.get_paginated_response(StudySerializer(rows, many=True).data)


class StudyFacts(ApiView):
    """State, hashes, dates, criteria and readers of one study; its arms once it is unblinded."""

    scope = Scope.STUDIES

    @extend_schema(
        summary="One study", parameters=[STUDY], responses={200: StudyFactsSerializer, **REFUSALS, 404: NOT_FOUND}
    )
    def get(self, request: Request, study: UUID) -> Response:
        return Response(StudyFactsSerializer(self.study(request, study)).data)


class Statistics(ApiView):
    """All statistics of an unblinded study in full double precision; of a part of it, where one is asked for.

    An estimate is `{"value", "ci_low", "ci_high", "method"}`; what is not defined is
    `{"value": null, "undefined": "why"}`. The numbers of a part are exploratory.
    """

    scope = Scope.RESULTS
    parameters = PART

    @extend_schema(
        summary="Statistics", parameters=[STUDY, *_filters(*PART)],
        responses={200: STATISTICS, **REFUSALS, 404: NOT_FOUND},
    )  # fmt: skip
    def get(self, request: Request, study: UUID) -> Response:
        return Response(_part(request, self.snapshot(request, study)).document)


OF_READINGS = ("arm", "reader", "modality", "criterion", "session", "repeat")
OF_IMAGES = ("arm", "modality")
OF_MARKS = ("arm", "reader", "modality", "session", "label", "phase")


class TableView(ApiView):
    """One table of the latest snapshot: pages of rows as JSON, or all chosen rows as one CSV."""

    scope = Scope.RESULTS
    renderer_classes = [JSONRenderer, CsvRenderer]
    pagination_class = Pages
    table: ClassVar[str]
    filters: ClassVar[tuple[str, ...]]

    def get(self, request: Request, study: UUID) -> Response:
        self.parameters = (*self.filters, "page", "page_size")
        inputs = lines_of(self.snapshot(request, study).pk)
        lines: tuple[Any, ...] = getattr(inputs, self.table)
        for name in self.filters:
            if name in request.query_params:
                wanted = chosen(request, name, _offered(name, inputs))
                lines = tuple(line for line in lines if _values(line, name) & wanted)
        kind = TABLES[self.table]
        if isinstance(request.accepted_renderer, CsvRenderer):
            if {"page", "page_size"} & request.query_params.keys():
                raise ParseError("A CSV holds all chosen rows: leave out page and page_size.")
            return Response(to_csv(kind, lines))
        pages, columns = Pages(), [field.name for field in fields(kind)]
        rows = pages.paginate_queryset(lines, request, self) or []
        return pages.get_paginated_response([{name: getattr(row, name) for name in columns} for row in rows])


def _described(summary: str, row: Any, filters: tuple[str, ...]) -> Any:
    answers: dict[Any, Any] = {
        (200, "application/json"): row(many=True),
        (200, "text/csv"): OpenApiResponse(OpenApiTypes.STR, "All chosen rows, with a header."),
        **REFUSALS,
        404: NOT_FOUND,
    }
    described = extend_schema(summary=summary, parameters=[STUDY, *_filters(*filters)], responses=answers)
    return extend_schema_view(get=described)


@_described("Scores", ScoreRow, OF_READINGS)
class Scores(TableView):
    """The scores of an unblinded study: one row per planned reading and criterion."""

    table, filters = "scores", OF_READINGS


@_described("Choices between pairs", PairRow, OF_READINGS)
class Pairs(TableView):
    """The choices of an unblinded pairwise study: one row per planned comparison; `arm` keeps either side."""

    table, filters = "pairs", OF_READINGS


@_described("Image metrics", ImageRow, OF_IMAGES)
class Metrics(TableView):
    """PSNR, SSIM, NMSE, feature distance and latency of every image of an unblinded study."""

    table, filters = "images", OF_IMAGES


@_described("Annotations", MarkRow, OF_MARKS)
class Annotations(TableView):
    """The marks that readers of an unblinded study drew, in pixels of the image."""

    table, filters = "marks", OF_MARKS


class Figure(ApiView):
    """A figure of the results page as SVG, PNG or PDF; of a part of the study, where one is asked for."""

    scope = Scope.RESULTS
    parameters = PART
    content_negotiation_class = FileNegotiation

    @extend_schema(
        summary="A figure",
        parameters=[
            STUDY,
            OpenApiParameter("name", str, "path", enum=list(figures.FIGURES)),
            OpenApiParameter("kind", str, "path", enum=list(figures.FORMATS)),
            *_filters(*PART),
        ],
        responses={
            **{(200, media): OpenApiTypes.BINARY for media in figures.FORMATS.values()},
            **REFUSALS,
            404: NOT_FOUND,
        },
    )
    def get(self, request: Request, study: UUID, name: str, kind: str) -> HttpResponse:
        snapshot = self.snapshot(request, study)
        if name not in figures.FIGURES or kind not in figures.FORMATS:
            names, kinds = ", ".join(figures.FIGURES), ", ".join(figures.FORMATS)
            raise NotFound(f"There is no such figure: the figures are {names}, as {kinds}.")
        part = _part(request, snapshot)
        if not figures.FIGURES[name].applies(part.document):
            raise NotFound("This study has nothing for that figure to show.")
        statistics = document_text(part.document) if part.chosen else snapshot.statistics
        return HttpResponse(figures.rendered(name, statistics, kind), content_type=figures.FORMATS[kind])


class Export(ApiView):
    """The zip that recomputes without a database; every download is an entry of the study's audit."""

    http_method_names = ["get"]
    scope = Scope.EXPORTS
    content_negotiation_class = FileNegotiation

    @extend_schema(
        summary="The whole export",
        parameters=[STUDY],
        responses={(200, "application/zip"): OpenApiTypes.BINARY, **REFUSALS, 404: NOT_FOUND},
    )
    def get(self, request: Request, study: UUID) -> HttpResponse:
        snapshot = self.snapshot(request, study)
        assert isinstance(request.user, User)
        response = HttpResponse(actions.export_snapshot(snapshot, request.user), content_type="application/zip")
        response["Content-Disposition"] = f'attachment; filename="study-{str(study)[:8]}.zip"'
        return response


class Nothing(ApiView):
    """Addresses that do not exist answer like all others."""

    permission_classes = [AllowAny]
    schema = None

    def get(self, request: Request, rest: str) -> Response:
        raise NotFound("There is nothing at this address: /api/ lists what there is.")


def _part(request: Request, snapshot: Snapshot) -> Part:
    try:
        return part_of(snapshot, request.query_params, request.user)
    except FilterError as error:
        raise ParseError(str(error)) from error


@lru_cache(maxsize=2)
def lines_of(snapshot: UUID) -> Inputs:
    """The tables of a snapshot, read once for all pages of a script: they never change."""
    made = Snapshot.objects.get(pk=snapshot)
    return inputs_of(made.statistics, made.tables)


def _offered(name: str, inputs: Inputs) -> list[str]:
    """What a filter can keep in this study, whether or not the table has such rows."""
    if name in FIXED:
        return list(FIXED[name])
    facts, known = inputs.facts, choices(inputs)
    offered: dict[str, Any] = {
        "arm": [arm.key for arm in facts.arms], "criterion": list(facts.criteria), "reader": facts.readers,
        "modality": known.modalities, "session": [str(number) for number in known.sessions],
        "label": list(dict.fromkeys([*facts.labels, *(mark.label for mark in inputs.marks)])),
    }  # fmt: skip
    return list(offered[name])


def _values(line: Any, name: str) -> set[str]:
    if name == "arm" and not hasattr(line, "arm"):
        return {line.left, line.right}
    return {str(getattr(line, name))}
