from __future__ import annotations

from django.urls import path

from readerstudy.accounts import token_views

app_name = "tokens"
urlpatterns = [
    path("", token_views.tokens, name="list"),
    path("new/", token_views.new, name="new"),
    path("<uuid:pk>/revoke/", token_views.revoke, name="revoke"),
]
