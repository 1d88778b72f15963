"""How often a machine may try a secret link that turns out to be wrong."""

from __future__ import annotations

from allauth.account.adapter import get_adapter
from django.core.cache import cache
from django.http import HttpRequest

TRIES = 20
SECONDS = 600


def _key(request: HttpRequest) -> str:
    return f"wrong-links:{get_adapter(request).get_client_ip(request)}"


def too_many(request: HttpRequest) -> bool:
    """Whether this machine has opened too many wrong links in the last minutes."""
    tries: int = cache.get(_key(request), 0)
    return tries >= TRIES


def count_wrong(request: HttpRequest) -> None:
    key = _key(request)
    if not cache.add(key, 1, SECONDS):
        try:
            cache.incr(key)
        except ValueError:
            cache.set(key, 1, SECONDS)
