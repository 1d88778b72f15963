"""The API of results: the same permissions as the pages, and nothing before unblinding."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from readerstudy.analytics.lines import ScoreLine, from_csv
from readerstudy.analytics.models import Snapshot
from readerstudy.analytics.queries import analyst_study, latest_snapshot
from readerstudy.studies.models import Study
from readerstudy.studies.queries import studies_of


class StudySerializer(serializers.ModelSerializer[Study]):
    """What a list of studies shows; arms and scores come from the results only."""

    class Meta:
        model = Study
        fields = ("id", "title", "state", "protocol_hash", "plan_hash", "opened_at", "unblinded_at")


class ScoreSerializer(serializers.Serializer[ScoreLine]):
    """One row of the long table of scores; empty: not read, NA: cannot judge."""

    slice = serializers.CharField()
    arm = serializers.CharField()
    reader = serializers.CharField()
    score = serializers.CharField(allow_blank=True)
    patient = serializers.CharField()
    modality = serializers.CharField()
    session = serializers.IntegerField()
    repeat = serializers.IntegerField()
    criterion = serializers.CharField()


class StudyList(generics.ListAPIView[Study]):
    """The studies that you coordinate or analyse, the newest first."""

    serializer_class = StudySerializer
    queryset = Study.objects.none()

    def get_queryset(self) -> QuerySet[Study]:
        return studies_of(self.request.user)  # type: ignore[arg-type]


class Statistics(APIView):
    """All statistics of an unblinded study, in the digits of its latest snapshot."""

    @extend_schema(responses={200: OpenApiTypes.OBJECT})
    def get(self, request: Request, study: UUID) -> Response:
        document: dict[str, Any] = json.loads(_snapshot(request, study).statistics)
        return Response(document)


class Scores(generics.ListAPIView[Any]):
    """The scores of an unblinded study, one row per slice, arm, reader and criterion."""

    serializer_class = ScoreSerializer
    queryset = Study.objects.none()

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        rows = from_csv(ScoreLine, _snapshot(request, kwargs["study"]).tables["scores"], "scores")
        page = self.paginator.paginate_queryset(rows, request, view=self)  # type: ignore[union-attr]
        return self.get_paginated_response([ScoreSerializer(row).data for row in page or ()])


def _snapshot(request: Request, study: UUID) -> Snapshot:
    """The latest numbers, or 404: before unblinding there is nothing to fetch."""
    found = analyst_study(request.user, study)
    snapshot = latest_snapshot(found) if found.state == Study.State.UNBLINDED else None
    if snapshot is None:
        raise Http404
    return snapshot
