"""The secrets of second factors, encrypted in the database with a key derived from the installation's own.

Whoever gets hold of the database alone (a copy, a dump) can't make anybody's one-time codes.
"""

from __future__ import annotations

import base64
import logging
import secrets

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.utils.crypto import salted_hmac

SALT = "readerstudy.accounts.sealing"
MARK = "sealed:"

log = logging.getLogger(__name__)


def seal(text: str) -> str:
    """The text encrypted, with a mark before it; what is sealed already stays as it is."""
    return text if text.startswith(MARK) else MARK + _keys().encrypt(text.encode()).decode()


def unseal(sealed: str) -> str:
    """The text behind ``seal``. One sealed with another key gives a random secret, which no code fits."""
    if not sealed.startswith(MARK):
        return sealed
    try:
        return _keys().decrypt(sealed.removeprefix(MARK).encode()).decode()
    except InvalidToken:
        log.error(
            "A second factor was stored with another READERSTUDY_SECRET_KEY: delete it, so that it is set up anew."
        )
        return base64.b32encode(secrets.token_bytes(20)).decode()


def _keys() -> MultiFernet:
    """The installation's key, and those it had before."""
    found = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return MultiFernet([Fernet(base64.urlsafe_b64encode(_derived(key))) for key in found])


def _derived(key: str | bytes) -> bytes:
    digest: bytes = salted_hmac(SALT, "second factor", secret=key, algorithm="sha256").digest()
    return digest
