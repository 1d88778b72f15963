"""Addresses below ``/cases/``."""

from __future__ import annotations

from django.urls import path

from readerstudy.cases import views

app_name = "cases"
urlpatterns = [
    path("", views.case_list, name="list"),
    path("import/", views.import_new, name="import_new"),
    path("imports/", views.import_list, name="imports"),
    path("imports/<uuid:pk>/", views.import_report, name="import"),
    path("<uuid:pk>/", views.case_detail, name="detail"),
    path("<uuid:pk>/look/", views.open_images, name="look"),
    path("<uuid:pk>/release/", views.release, name="release"),
    path("<uuid:pk>/withdraw/", views.withdraw, name="withdraw"),
    path("<uuid:pk>/slices/<int:index>/thumbnail.png", views.thumbnail, name="thumbnail"),
    path("<uuid:pk>/slices/<int:index>/image.png", views.image, name="image"),
]
