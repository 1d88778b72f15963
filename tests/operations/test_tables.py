"""What copying and hashing rest on: the order of the tables, the columns of pixels, one form for every value."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.db.models import CharField

from readerstudy.cases import store
from readerstudy.operations import aliases, pixels, tables
from readerstudy.operations.manifest import key_mark
from tests.cases.bucket import serving


def test_what_a_table_refers_to_stands_before_it() -> None:
    ordered = [model._meta.db_table for model in tables.models()]
    assert len(ordered) == len(set(ordered)) > 50
    assert {"accounts_user_groups", "account_emailaddress", "mfa_authenticator", "django_session"} <= set(ordered)
    for model in tables.models():
        for field in tables.fields(model):
            if field.is_relation and field.related_model is not model:
                before = ordered.index(field.related_model._meta.db_table)
                assert before < ordered.index(model._meta.db_table), f"{model._meta.db_table}.{field.column}"


@pytest.mark.django_db
def test_every_table_of_the_database_is_known() -> None:
    assert set(tables.counts(connection)) - {"cache"} <= tables.own_tables()


def test_no_column_of_pixels_is_forgotten() -> None:
    """A name of 64 characters that isn't a hash of something else is that of a file."""
    hashes = ("hash", "sha256", "key", "head", "secret", "commitment", "digest", "previous", "physics")
    found = {
        (model, field.name)
        for model in tables.models()
        for field in tables.fields(model)
        if isinstance(field, CharField) and field.max_length == 64 and model.__module__.startswith("readerstudy.")
        and not any(word in field.name for word in (*hashes, "feature_network"))
    }  # fmt: skip
    assert found == set(pixels.COLUMNS)


def test_files_lie_where_the_store_keeps_them(settings: Any) -> None:
    name = store.put(b"some pixels")
    assert pixels.place(settings.PIXELS_DIR, name).read_bytes() == b"some pixels"
    assert pixels.holds(settings.PIXELS_DIR, name)
    assert not pixels.holds(settings.PIXELS_DIR, "../../etc/passwd")


@pytest.mark.parametrize(
    ("python", "postgresql"),
    [(1e16, 10**16), (1.2345678901234566e25, 12345678901234566000000000), (-0.0, 0.0), (1e-9, 1e-9), (2**60, 2**60)],
)
def test_json_numbers_have_one_form(python: float, postgresql: float) -> None:
    """PostgreSQL gives the second back for the first."""
    here, there = (tables._json({"a": [value]})["a"][0] for value in (python, postgresql))
    assert (repr(here), type(here)) == (repr(there), type(there))


def test_floats_differ_by_their_last_bit() -> None:
    assert tables._plain(0.1) != tables._plain(math.nextafter(0.1, 1))
    with pytest.raises(TypeError, match="has no canonical form"):
        tables._plain(object())


@pytest.mark.django_db
def test_the_pixel_store_is_put_back(settings: Any, tmp_path: Path) -> None:
    before = settings.PIXELS_DIR
    with pytest.raises(ZeroDivisionError), aliases.pixels_in(tmp_path):
        name = store.put(b"elsewhere")
        assert pixels.holds(tmp_path, name)
        raise ZeroDivisionError
    assert before == settings.PIXELS_DIR
    assert not store.exists(name)


def test_pixels_of_a_bucket_are_kept_and_put_back(settings: Any, tmp_path: Path) -> None:
    settings.PIXEL_CACHE_BYTES = 0
    with serving() as server:
        settings.PIXELS_BUCKET = server.bucket()
        assert pixels.live() is None
        good, damaged = (store.put(content) for content in (b"good", b"damaged"))
        server.objects = {key: b"other" if key.endswith(damaged[2:]) else x for key, x in server.objects.items()}
        assert pixels.keep_all([good, damaged], None, tmp_path, link=True) == [damaged]
        assert pixels.place(tmp_path, good).read_bytes() == b"good"
        assert not pixels.place(tmp_path, damaged).exists()

        server.objects.clear()
        assert pixels.put_all([good], tmp_path) == []
        assert store.get(good) == b"good"
        with aliases.pixels_in(tmp_path):
            assert pixels.live() == tmp_path
            store.verify(good)
        assert pixels.live() is None


def test_a_key_is_recognised_and_not_told() -> None:
    assert key_mark("a long signing key") == key_mark("a long signing key") != key_mark("another signing key")
    assert len(key_mark("a long signing key")) == 16
