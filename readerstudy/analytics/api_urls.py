from __future__ import annotations

from django.urls import path
from drf_spectacular.views import SpectacularAPIView

from readerstudy.analytics import api

app_name = "api"
urlpatterns = [
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("studies/", api.StudyList.as_view(), name="studies"),
    path("studies/<uuid:study>/statistics/", api.Statistics.as_view(), name="statistics"),
    path("studies/<uuid:study>/scores/", api.Scores.as_view(), name="scores"),
]
