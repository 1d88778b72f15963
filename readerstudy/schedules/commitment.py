"""The sealed envelope of a study: a hash shown at opening that fixes secret, orders and protocol."""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Any

from readerstudy.audit.canonical import canonical_json

SECRET_BYTES = 32


def commitment(secret: bytes, orders_json: Any, protocol_hash: str) -> str:
    """SHA-256 (hex) over canonical JSON of {"protocol": hash, "schedules": orders, "secret": hex}."""
    if len(secret) != SECRET_BYTES:
        raise ValueError(f"The secret has {len(secret)} bytes; make one of exactly {SECRET_BYTES} random bytes.")
    if not re.fullmatch(r"[0-9a-f]{64}", protocol_hash):
        raise ValueError("The protocol's hash must be 64 lower-case hexadecimal digits; give its SHA-256.")
    sealed = {"secret": secret.hex(), "schedules": orders_json, "protocol": protocol_hash}
    return hashlib.sha256(canonical_json(sealed)).hexdigest()


def verify(shown: str, secret: bytes, orders_json: Any, protocol_hash: str) -> bool:
    """Whether the commitment shown at opening fits what was revealed at unblinding."""
    return hmac.compare_digest(shown.encode(), commitment(secret, orders_json, protocol_hash).encode())
