from __future__ import annotations

from django.urls import path

from readerstudy.accounts import reset_views

app_name = "people"
urlpatterns = [
    path("<str:handle>/reset/", reset_views.make, name="reset"),
    path("password/<str:token>/", reset_views.use, name="new_password"),
]
