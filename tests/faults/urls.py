"""One page, so that the web server of the fault tests has something to answer."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import path


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse("here")


urlpatterns = [path("", page)]
