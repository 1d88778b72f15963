"""Whether pixels can be kept where the settings say; only ``manage.py check --deploy`` asks the bucket itself."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error

from readerstudy.cases.stores import NO_LIBRARY


def library(**_: Any) -> list[CheckMessage]:
    if settings.PIXELS_BUCKET is None or find_spec("boto3"):
        return []
    return [Error(NO_LIBRARY, id="cases.E001")]


def bucket(**_: Any) -> list[CheckMessage]:
    """Reaches the bucket with the keys of the settings, lists it and writes one small object into it."""
    from readerstudy.cases import store

    if settings.PIXELS_BUCKET is None or not find_spec("boto3"):
        return []
    sentence = store.trouble(writing=True)
    return [Error(sentence, id="cases.E002")] if sentence else []
