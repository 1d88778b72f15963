from __future__ import annotations

from django.urls import path

from readerstudy.studies import planning_views, views

app_name = "studies"
urlpatterns = [
    path("", views.study_list, name="list"),
    path("new/", views.new, name="new"),
    path("plan/", planning_views.plan, name="plan"),
    path("plan/curve.svg", planning_views.curve, name="plan_curve"),
    path("<uuid:pk>/protocol/print/", views.print_protocol, name="print"),
    path("<uuid:pk>/copy/", views.copy, name="copy"),
    path("<uuid:pk>/preview/", views.preview, name="preview"),
    path("<uuid:pk>/preview/answers/", views.preview_answers, name="preview_answers"),
    path("<uuid:pk>/preview/<int:place>/<int:pane>/<int:frame>/", views.preview_frame, name="preview_frame"),
]
