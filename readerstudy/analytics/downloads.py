"""Files that leave the results pages: named after the study, kept by no cache."""

from __future__ import annotations

from django.http import HttpResponse

from readerstudy.studies.models import Study


def stem(study: Study) -> str:
    return f"study-{str(study.pk)[:8]}"


def download(content: bytes, kind: str, name: str) -> HttpResponse:
    response = HttpResponse(content, content_type=kind)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return private(response)


def private(response: HttpResponse) -> HttpResponse:
    response["Cache-Control"] = "private, no-store"
    return response
