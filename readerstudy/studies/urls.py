from __future__ import annotations

from django.urls import path

from readerstudy.studies import views

app_name = "studies"
urlpatterns = [
    path("", views.study_list, name="list"),
    path("new/", views.new, name="new"),
]
