"""One way to write JSON, so that a hash over it is the same on every machine and in every version."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any


def canonical_json(value: Any) -> bytes:
    """UTF-8 JSON with sorted keys and no spaces: one byte string per value, on every machine.

    Keys are text; numbers are integers or finite floats, the latter in Python's shortest exact form.
    Raises ValueError for anything else, saying where it stands.
    """
    _check(value, "value")
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8")


def _check(value: Any, where: str) -> None:
    if value is None or isinstance(value, bool | int):
        return
    if isinstance(value, str):
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise ValueError(f"{where} holds text that isn't valid Unicode; replace the broken character.") from None
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{where} is {value}; only finite numbers can be hashed, so leave it out or use null.")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            _check(item, f"{where}[{index}]")
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise ValueError(f"{where} has the key {key!r}; turn every key into text first.")
            _check(key, f"A key of {where}")
            _check(item, f"{where}.{key}")
    else:
        raise ValueError(f"{where} is a {type(value).__name__}; turn it into text, numbers, lists or objects first.")


def sha256_of(value: Any) -> str:
    """SHA-256 (hex) over the canonical JSON of ``value``."""
    return hashlib.sha256(canonical_json(value)).hexdigest()
