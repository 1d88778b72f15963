"""Addresses below ``/review/``: what a reviewer without an account opens."""

from __future__ import annotations

from django.urls import path

from readerstudy.analytics import review_views

app_name = "review"
urlpatterns = [
    path("<str:token>/", review_views.review_report, name="report"),
    path("<str:token>/export.zip", review_views.review_export, name="export"),
]
