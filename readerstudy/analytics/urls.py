from __future__ import annotations

from django.urls import path

from readerstudy.analytics import deposit_views, explore_views, panel_views, review_views, views
from readerstudy.analytics.report.views import report

app_name = "analytics"
urlpatterns = [
    path("", views.results, name="results"),
    path("compute/", views.compute, name="compute"),
    path("status/", views.status, name="status"),
    path("figures/<slug:name>.<slug:kind>", views.figure, name="figure"),
    path("export.zip", views.export, name="export"),
    path("deposit/", deposit_views.deposit, name="deposit"),
    path("statistics.json", views.statistics, name="statistics"),
    path("tables/<str:name>", views.table, name="table"),
    path("review/", review_views.review_links, name="review_links"),
    path("review/<int:pk>/revoke/", review_views.revoke_link, name="revoke_link"),
    path("report/", report, name="report"),
    path("panels/", panel_views.builder, name="panels"),
    path("panels/figure.<slug:kind>", panel_views.figure, name="panel_figure"),
    path("number/", explore_views.number_behind, name="number"),
    path("images/", explore_views.open_images, name="open_images"),
    path("slices/<str:name>/", explore_views.slice_view, name="slice"),
    path("slices/<str:name>/<str:arm>.png", explore_views.thumbnail, name="thumbnail"),
    path("slices/<str:name>/<str:arm>/pixels/", explore_views.pixels, name="pixels"),
]
