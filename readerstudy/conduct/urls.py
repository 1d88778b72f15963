from __future__ import annotations

from django.urls import path

from readerstudy.conduct import amend_views, people_views, views

app_name = "conduct"
urlpatterns = [
    path("", views.study, name="study"),
    path("progress/", views.monitor, name="monitor"),
    path("protocol/", views.protocol, name="protocol"),
    path("balance/", views.order_balance, name="balance"),
    path("members/", views.members, name="members"),
    path("people/", people_views.people, name="people"),
    path("people/invite/", people_views.invite, name="invite"),
    path("people/invitations/<int:invitation>/revoke/", people_views.revoke, name="revoke"),
    path("readers/<int:number>/", people_views.reader, name="reader"),
    path("readers/<int:number>/withdraw/", people_views.withdraw, name="withdraw"),
    path("readers/<int:number>/replace/", people_views.replace, name="replace"),
    path("amendments/", amend_views.amendments, name="amendments"),
    path("extend/", amend_views.extend, name="extend"),
    path("look/", amend_views.look, name="look"),
    path("pause/", views.pause, name="pause"),
    path("sessions/<int:session>/waive/", views.waive, name="waive"),
    path("do/<slug:verb>/", views.transition, name="transition"),
]
