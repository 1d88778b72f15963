from __future__ import annotations

from django.urls import path

from readerstudy.analytics import views

app_name = "analytics"
urlpatterns = [
    path("", views.results, name="results"),
    path("compute/", views.compute, name="compute"),
    path("status/", views.status, name="status"),
    path("figures/<slug:name>.<slug:kind>", views.figure, name="figure"),
    path("export.zip", views.export, name="export"),
    path("statistics.json", views.statistics, name="statistics"),
    path("tables/<str:name>", views.table, name="table"),
]
