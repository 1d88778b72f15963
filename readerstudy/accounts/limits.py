"""How often a machine may try a secret (a link's or a token) that turns out to be wrong."""

from __future__ import annotations

from allauth.account.adapter import get_adapter
from django.core.cache import cache
from django.http import HttpRequest

TRIES = 20
SECONDS = 600
LINKS, TOKENS = "links", "tokens"


def _key(request: HttpRequest, what: str) -> str:
    return f"wrong-{what}:{get_adapter(request).get_client_ip(request)}"


def too_many(request: HttpRequest, what: str = LINKS) -> bool:
    """Whether this machine has tried too many wrong secrets in the last minutes."""
    tries: int = cache.get(_key(request, what), 0)
    return tries >= TRIES


def count_wrong(request: HttpRequest, what: str = LINKS) -> None:
    key = _key(request, what)
    if not cache.add(key, 1, SECONDS):
        try:
            cache.incr(key)
        except ValueError:
            cache.set(key, 1, SECONDS)
