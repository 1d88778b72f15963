from __future__ import annotations

from django.urls import path, re_path
from drf_spectacular.views import SpectacularAPIView

from readerstudy.analytics import api, api_docs

app_name = "api"
urlpatterns = [
    path("", api_docs.docs, name="docs"),
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("studies/", api.StudyList.as_view(), name="studies"),
    path("studies/<uuid:study>/", api.StudyFacts.as_view(), name="study"),
    path("studies/<uuid:study>/statistics/", api.Statistics.as_view(), name="statistics"),
    path("studies/<uuid:study>/scores/", api.Scores.as_view(), name="scores"),
    path("studies/<uuid:study>/pairs/", api.Pairs.as_view(), name="pairs"),
    path("studies/<uuid:study>/metrics/", api.Metrics.as_view(), name="metrics"),
    path("studies/<uuid:study>/annotations/", api.Annotations.as_view(), name="annotations"),
    path("studies/<uuid:study>/figures/<slug:name>.<slug:kind>", api.Figure.as_view(), name="figure"),
    path("studies/<uuid:study>/export.zip", api.Export.as_view(), name="export"),
    re_path(r"^(?P<rest>.*/)$", api.Nothing.as_view(), name="nothing"),
]
