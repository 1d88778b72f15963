"""Readers choose their language; the desk, which is not translated yet, keeps to one."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest
from django.middleware.locale import LocaleMiddleware
from django.utils import translation

TRANSLATED = ("/reading/", "/accounts/", "/invitations/", "/people/", "/language/")
DESK = "/accounts/tokens/"


class ReaderLanguageMiddleware(LocaleMiddleware):
    def process_request(self, request: HttpRequest) -> None:
        if request.path_info.startswith(TRANSLATED) and not request.path_info.startswith(DESK):
            super().process_request(request)
            return
        translation.activate(settings.LANGUAGE_CODE)
        request.LANGUAGE_CODE = translation.get_language()
