from __future__ import annotations

from django.urls import path

from readerstudy.conduct import views

app_name = "conduct"
urlpatterns = [
    path("", views.study, name="study"),
    path("progress/", views.monitor, name="monitor"),
    path("protocol/", views.protocol, name="protocol"),
    path("balance/", views.order_balance, name="balance"),
    path("members/", views.members, name="members"),
    path("pause/", views.pause, name="pause"),
    path("sessions/<int:session>/waive/", views.waive, name="waive"),
    path("do/<slug:verb>/", views.transition, name="transition"),
]
