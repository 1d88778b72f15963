"""A bucket that is away, full, refuses or breaks off: a sentence for everybody, and no 500."""

from __future__ import annotations

import errno
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.retries import standard
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from readerstudy import configuration
from readerstudy.accounts.models import User
from readerstudy.accounts.outages import outage_of
from readerstudy.cases import store, store_checks, stores_s3
from readerstudy.cases.models import Case
from readerstudy.jobs import health, metrics
from tests.cases.bucket import SECRET, Server, serving

AWAY = "The bucket pictures does not answer: start the storage, or correct READERSTUDY_S3_ENDPOINT."
S3 = {"READERSTUDY_PIXELS": "s3://pictures/studies/one/", "READERSTUDY_S3_ENDPOINT": "https://storage.example.org:9000"}


@pytest.fixture
def server(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The store's bucket, without its cache and without waiting between attempts."""
    monkeypatch.setattr(standard.ExponentialBackoff, "delay_amount", lambda *_: 0.0)
    settings.PIXEL_CACHE_BYTES = 0
    with serving() as made:
        settings.PIXELS_BUCKET = made.bucket()
        yield made


def failing(server: Server, times: int, status: int, code: str) -> None:
    left = [times]

    def fault(verb: str, key: str) -> tuple[int, str] | None:
        left[0] -= 1
        return (status, code) if left[0] >= 0 else None

    server.faults = fault


def away() -> Server:
    """A server that nobody listens at any more."""
    with serving() as made:
        pass
    return made


def test_nobody_listens(server: Server, settings: Any) -> None:
    settings.PIXELS_BUCKET = away().bucket()
    for ask in (lambda: store.put(b"x"), lambda: store.get("0" * 64), lambda: store.exists("0" * 64),
                lambda: store.verify("0" * 64), lambda: list(store.names())):  # fmt: skip
        with pytest.raises(store.PixelsAway, match="does not answer: start the storage") as told:
            ask()
        found = outage_of(told.value)
        assert found is not None and found.status == 503
    assert store.trouble() == AWAY


def test_a_server_that_never_answers_is_given_up(
    server: Server, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit in ("READ_SECONDS", "PROBE_SECONDS"):
        monkeypatch.setattr(stores_s3, limit, 0.2)
    settings.PIXELS_BUCKET = server.bucket(prefix="slow")
    ended = threading.Event()

    def never(verb: str, key: str) -> None:
        ended.wait(60)

    server.faults = never
    try:
        with pytest.raises(store.PixelsAway):
            store.get("0" * 64)
        assert len(server.calls) == stores_s3.ATTEMPTS
        assert store.trouble() == AWAY
    finally:
        ended.set()


def test_a_short_outage_is_waited_out_and_a_long_one_is_not(server: Server) -> None:
    failing(server, 2, 503, "SlowDown")
    name = store.put(b"pixels")
    failing(server, 1, 500, "InternalError")
    assert store.get(name) == b"pixels"
    failing(server, 99, 503, "SlowDown")
    server.calls.clear()
    with pytest.raises(store.PixelsAway, match=r"can't be used \(SlowDown\): look at the storage"):
        store.get(name)
    assert len(server.calls) == stores_s3.ATTEMPTS


def test_a_transfer_that_breaks_off_is_begun_again(server: Server) -> None:
    content = bytes(range(256)) * 400
    name = store.put(content)
    server.broken_off = 2
    assert store.get(name) == content
    server.broken_off = 3
    with pytest.raises(store.PixelsAway):
        store.get(name)


def test_what_arrives_changed_is_not_believed(server: Server) -> None:
    name = store.put(b"pixels")
    server.objects[next(iter(server.objects))] = b"pixelz"
    with pytest.raises(store.PixelsMissing, match="have changed since they were written"):
        store.get(name)


def test_a_put_that_was_cut_off_is_made_good(server: Server) -> None:
    name = store.put(b"pixels")
    server.objects[next(iter(server.objects))] = b"pix"
    store.put(b"pixels")
    assert store.get(name) == b"pixels"


@pytest.mark.parametrize("code", sorted(stores_s3.FULL - {"507"}))
def test_full_storage_is_told_as_a_full_disk(server: Server, code: str) -> None:
    server.faults = lambda verb, key: (507, code) if verb == "PUT" else None
    with pytest.raises(OSError, match="is full") as told:
        store.put(b"pixels")
    found = outage_of(told.value)
    assert told.value.errno == errno.EDQUOT and found is not None and found.status == 507
    assert store.trouble(writing=True) == f"The bucket pictures is full ({code}): make room in the storage."


def test_a_wrong_key_or_bucket_is_told_without_the_secret(server: Server, settings: Any) -> None:
    settings.PIXELS_BUCKET = server.bucket(secret_key="wrong")
    with pytest.raises(store.PixelsAway, match=r"refuses these keys \(403\): correct READERSTUDY_S3_ACCESS_KEY"):
        store.put(b"pixels")
    assert "(SignatureDoesNotMatch)" in store.trouble() and "wrong" not in store.trouble()
    settings.PIXELS_BUCKET = server.bucket(name="pixtures")
    assert store.trouble() == "The bucket pixtures does not exist: make it, or correct READERSTUDY_PIXELS."
    with pytest.raises(store.PixelsAway, match="does not exist"):
        store.get("0" * 64)
    assert SECRET not in repr(server.bucket())


def test_no_key_at_all_is_told(server: Server, settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    settings.PIXELS_BUCKET = server.bucket(access_key="", secret_key="")
    assert store.trouble() == (
        "The bucket pictures needs keys: set READERSTUDY_S3_ACCESS_KEY and READERSTUDY_S3_SECRET_KEY."
    )


def test_a_missing_library_is_told(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "botocore.exceptions", None)
    monkeypatch.setattr(store_checks, "find_spec", lambda name: None)
    assert "need the package boto3: install the extra s3" in store.trouble()
    assert [message.id for message in store_checks.library()] == ["cases.E001"] and store_checks.bucket() == []


def test_only_the_check_before_deployment_asks_and_writes(server: Server) -> None:
    assert not {message.id for message in run_checks()} & {"cases.E001", "cases.E002"}
    assert server.calls == []
    assert "cases.E002" not in {message.id for message in run_checks(include_deployment_checks=True)}
    assert list(server.objects) == ["studies/one/.check"]
    server.faults = lambda verb, key: (403, "AccessDenied") if verb == "PUT" else None
    found = [message for message in run_checks(include_deployment_checks=True) if message.id == "cases.E002"]
    assert len(found) == 1 and "refuses these keys (AccessDenied)" in found[0].msg


@pytest.mark.django_db
def test_readiness_asks_the_bucket_and_not_a_folder(
    server: Server, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "_up_to_date", True)
    assert Client().get("/readyz").status_code == 200 and server.calls == ["GET list"]
    assert not settings.PIXELS_DIR.exists() and [s[0] for s in metrics.disk().samples] == [{"folder": "data"}]
    settings.PIXELS_BUCKET = away().bucket()
    answer = Client().get("/readyz")
    assert (answer.status_code, answer.content.decode().strip()) == (503, AWAY)


def test_a_page_of_pixels_is_503_while_the_bucket_is_away(
    server: Server, settings: Any, one: Case, coordinator: User
) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(coordinator)
    address = f"/cases/{one.pk}/slices/0/image.png"
    settings.PIXELS_BUCKET = away().bucket()
    answer = client.get(address)
    text = answer.content.decode()
    assert answer.status_code == 503 and answer["Retry-After"] == "5"
    assert "The store of the images does not answer at the moment" in text and "127.0.0.1" not in text
    told = client.get(address, headers={"accept": "application/json"}).json()["error"]
    assert "Try again in a few seconds" in told


def test_the_settings_of_a_bucket(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("from a file\n")
    made = read(tmp_path, READERSTUDY_S3_ACCESS_KEY="a", READERSTUDY_S3_SECRET_KEY_FILE=str(file))
    assert made.bucket == configuration.Bucket(
        "pictures", "studies/one", "https://storage.example.org:9000", "us-east-1", "a", "from a file"
    )
    assert (made.pixel_cache, made.pixel_cache_mib) == (tmp_path / "pixel_cache", 1024)
    assert read(tmp_path, READERSTUDY_PIXELS="s3://pictures", READERSTUDY_S3_REGION="eu-1").bucket.prefix == ""
    plain = read(tmp_path, READERSTUDY_PIXELS=str(tmp_path / "there"))
    assert plain.bucket is None and plain.pixels == tmp_path / "there"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"READERSTUDY_PIXELS": "gs://pictures"}, "must be a folder or look like s3://bucket/prefix"),
        ({"READERSTUDY_PIXELS": "s3://"}, "must be a folder or look like s3://bucket/prefix"),
        ({"READERSTUDY_PIXELS": "s3://key:hidden@pictures/x"}, "must be a folder or look like s3://bucket/prefix"),
        ({"READERSTUDY_PIXELS": "s3://pictures/a//b"}, "must be a folder or look like s3://bucket/prefix"),
        ({"READERSTUDY_S3_ENDPOINT": "storage.example.org"}, "READERSTUDY_S3_ENDPOINT must look like https://"),
        ({"READERSTUDY_S3_ENDPOINT": "https://a:hidden@storage"}, "READERSTUDY_S3_ENDPOINT must look like https://"),
        ({"READERSTUDY_S3_SECRET_KEY": "hidden"}, "go together: set both"),
        ({"READERSTUDY_PIXEL_CACHE_MIB": "much"}, "READERSTUDY_PIXEL_CACHE_MIB must be a whole number"),
    ],
)
def test_a_wrong_setting_says_what_to_write(changes: dict[str, str], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(ImproperlyConfigured, match=sentence) as told:
        read(tmp_path, **changes)
    assert "hidden" not in str(told.value)


def read(data: Path, **changes: str) -> Any:
    return configuration.read({"READERSTUDY_DATA": str(data), **S3, **changes})
