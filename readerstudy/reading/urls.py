from __future__ import annotations

from django.urls import path

from readerstudy.reading import api, entrance, guess_views, views

app_name = "reading"
urlpatterns = [
    path("", views.worklist, name="worklist"),
    path("answers/", api.answers, name="answers"),
    path("csrf/", api.csrf, name="csrf"),
    path("practice/answers/", api.practice_answers, name="practice_answers"),
    path("practice/<str:image>/", api.practice_frame, name="practice_frame"),
    path("p/<str:presentation>/<int:pane>/<int:index>/", api.frame, name="frame"),
    path("<str:token>/", views.room, name="room"),
    path("<str:token>/compare/", views.compare, name="compare"),
    path("<str:token>/finish/", views.finish, name="finish"),
    path("<str:token>/practice/", views.practice, name="practice"),
    path("<str:token>/consent/", entrance.consent, name="consent"),
    path("<str:token>/record/", entrance.record, name="record"),
    path("<str:token>/check/", entrance.check, name="check"),
    path("<str:token>/check/<int:step>/", entrance.check_step, name="check_step"),
    path("<str:token>/guess/", guess_views.guess, name="guess"),
]
