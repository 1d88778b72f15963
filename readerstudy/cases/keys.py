"""Keyed hashes of the sources' identifiers: equal ones are recognised, none can be guessed."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.crypto import salted_hmac

SALT = "readerstudy.cases"


def patient_key(identifier: str) -> str:
    return _keyed("patient", identifier)


def series_key(identifier: str, hashes: Iterable[str]) -> str:
    """The key of a case: its series and its pixels, so that two groups of one series are two cases."""
    return _keyed("series", "\n".join([identifier, *hashes]))


def source_hash(source_id: str) -> str:
    """A source id as a case keeps it: the fingerprint of the key, a colon, the keyed hash.

    An unkeyed hash would give a patient's number away to anyone who counts through all numbers.
    """
    return f"{fingerprint()}:{_keyed('source', source_id)}"


def fingerprint() -> str:
    """Eight digits that change with the installation's secret key, so that a changed key is noticed."""
    return _keyed("fingerprint", "")[:8]


def _keyed(kind: str, value: str) -> str:
    return salted_hmac(f"{SALT}.{kind}", value, algorithm="sha256").hexdigest()
