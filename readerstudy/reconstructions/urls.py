from __future__ import annotations

from django.urls import path

from readerstudy.reconstructions import views

app_name = "reconstructions"
urlpatterns = [
    path("", views.run_list, name="list"),
    path("live/", views.live, name="live"),
    path("<uuid:pk>/", views.detail, name="detail"),
    path("<uuid:pk>/retry/", views.retry, name="retry"),
    path("<uuid:pk>/cancel/", views.cancel, name="cancel"),
]
