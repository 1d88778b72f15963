from __future__ import annotations

from django.urls import path

from readerstudy.reconstructions import export_views, views

app_name = "reconstructions"
urlpatterns = [
    path("", views.run_list, name="list"),
    path("live/", views.live, name="live"),
    path("rows/", views.run_rows, name="rows"),
    path("new/", views.new, name="new"),
    path("new/cases/", views.new_cases, name="new_cases"),
    path("new/estimate/", views.new_estimate, name="new_estimate"),
    path("retry-failed/", views.retry_failed, name="retry_failed"),
    path("metrics/", views.metrics, name="metrics"),
    path("compare/<uuid:pk>/", views.compare, name="compare"),
    path("compare/<uuid:pk>/open/", views.open_comparison, name="open_comparison"),
    path("pixels/<int:pk>/", views.pixels, name="pixels"),
    path("pixels/<int:pk>/uncertainty/", views.uncertainty, name="uncertainty"),
    path("pixels/reference/<int:pk>/", views.reference_pixels, name="reference_pixels"),
    path("exports/", export_views.exports, name="exports"),
    path("exports/<uuid:pk>/", export_views.download, name="export"),
    path("exports/<uuid:pk>/retry/", export_views.retry, name="retry_export"),
    path("import/", export_views.import_results, name="import"),
    path("<uuid:pk>/", views.detail, name="detail"),
    path("<uuid:pk>/retry/", views.retry, name="retry"),
    path("<uuid:pk>/cancel/", views.cancel, name="cancel"),
]
