"""Addresses below ``/cases/``."""

from __future__ import annotations

from django.urls import path

from readerstudy.cases import fact_views, quarantine_views, source_views, upload_views, views

app_name = "cases"
urlpatterns = [
    path("", views.case_list, name="list"),
    path("import/", views.import_new, name="import_new"),
    path("uploads/", upload_views.begin, name="upload_begin"),
    path("uploads/<uuid:pk>/", upload_views.status, name="upload"),
    path("uploads/<uuid:pk>/<int:number>/<int:offset>/", upload_views.piece, name="upload_piece"),
    path("uploads/<uuid:pk>/finish/", upload_views.finish, name="upload_finish"),
    path("uploads/<uuid:pk>/give-up/", upload_views.give_up, name="upload_give_up"),
    path("imports/", views.import_list, name="imports"),
    path("imports/<uuid:pk>/", views.import_report, name="import"),
    path("sources/", source_views.source_list, name="sources"),
    path("sources/new/", source_views.source_new, name="source_new"),
    path("sources/<int:pk>/", source_views.source_edit, name="source"),
    path("quarantine/", quarantine_views.quarantine, name="quarantine"),
    path("quarantine/next/", quarantine_views.review_next, name="review_next"),
    path("quarantine/<uuid:pk>/", quarantine_views.review, name="review"),
    path("quarantine/<uuid:pk>/look/", quarantine_views.review_look, name="review_look"),
    path("quarantine/<uuid:pk>/withdraw/", quarantine_views.review_withdraw, name="review_withdraw"),
    path("<uuid:pk>/", views.case_detail, name="detail"),
    path("<uuid:pk>/edit/", fact_views.edit, name="edit"),
    path("<uuid:pk>/look/", views.open_images, name="look"),
    path("<uuid:pk>/release/", quarantine_views.release, name="release"),
    path("<uuid:pk>/withdraw/", views.withdraw, name="withdraw"),
    path("<uuid:pk>/slices/<int:index>/thumbnail.png", views.thumbnail, name="thumbnail"),
    path("<uuid:pk>/slices/<int:index>/preview.png", fact_views.preview, name="preview"),
    path("<uuid:pk>/slices/<int:index>/image.png", views.image, name="image"),
]
