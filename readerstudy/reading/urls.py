from __future__ import annotations

from django.urls import path

from readerstudy.reading import api, views

app_name = "reading"
urlpatterns = [
    path("", views.worklist, name="worklist"),
    path("answers/", api.answers, name="answers"),
    path("csrf/", api.csrf, name="csrf"),
    path("p/<str:presentation>/<int:pane>/<int:index>/", api.frame, name="frame"),
    path("<str:token>/", views.room, name="room"),
    path("<str:token>/finish/", views.finish, name="finish"),
]
