"""Uploads in pieces: what arrives is kept, what was promised is checked, and nothing bears a file's name."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from readerstudy.accounts.models import User
from readerstudy.audit.models import Entry
from readerstudy.cases.models import Source, Upload

pytestmark = pytest.mark.django_db
RAW = "application/octet-stream"


@pytest.fixture
def desk(client: Client, coordinator: User) -> Client:
    client.force_login(coordinator)
    return client


def fingerprint(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]


def begin(desk: Client, contents: list[bytes], known: Source | None = None, **fields: Any) -> Any:
    files = [[len(content), fingerprint(content)] for content in contents]
    body = {"files": files, "keep_device": "on", "source": known.pk if known else "", **fields}
    return desk.post(reverse("cases:upload_begin"), json.dumps(body), content_type="application/json")


def begun(desk: Client, contents: list[bytes], source: Source) -> Upload:
    answer = begin(desk, contents, source)
    assert answer.status_code == 201, answer.content
    return Upload.objects.get(pk=answer.json()["id"])


def put(desk: Client, upload: Upload, number: int, offset: int, content: bytes, kind: str = RAW) -> Any:
    address = reverse("cases:upload_piece", args=[upload.pk, number, offset])
    return desk.post(address, content, content_type=kind)


def finish(desk: Client, upload: Upload) -> Any:
    return desk.post(reverse("cases:upload_finish", args=[upload.pk]))


def status(desk: Client, upload: Upload, files: bool = False) -> dict[str, Any]:
    found: dict[str, Any] = desk.get(reverse("cases:upload", args=[upload.pk]) + ("?files" if files else "")).json()
    return found


def stored(installation: Path, upload: Upload, number: int) -> bytes:
    return (installation / "uploads" / str(upload.pk) / "files" / f"{number:06d}").read_bytes()


def test_pieces_in_order_and_where_the_server_stands(desk: Client, source: Source, installation: Path) -> None:
    contents = [b"a" * 10, b"b" * 7, b""]
    upload = begun(desk, contents, source)
    assert put(desk, upload, 1, 0, b"a" * 4).json() == {"here": 4}
    assert put(desk, upload, 1, 4, b"a" * 6).json() == {"here": 10}
    assert put(desk, upload, 2, 0, b"b" * 3).json() == {"here": 3}
    now = status(desk, upload, files=True)
    assert now["entries"] == [
        [10, 10, fingerprint(contents[0])],
        [7, 3, fingerprint(contents[1])],
        [0, 0, fingerprint(b"")],
    ]
    assert (now["files_received"], now["bytes_received"], now["state"]) == (2, 13, "receiving")
    assert stored(installation, upload, 1) == contents[0]


def test_the_same_piece_again_is_harmless_and_a_gap_is_refused(
    desk: Client, source: Source, installation: Path
) -> None:
    upload = begun(desk, [b"0123456789"], source)
    put(desk, upload, 1, 0, b"01234")
    assert put(desk, upload, 1, 0, b"01234").json() == {"here": 5}
    assert put(desk, upload, 1, 2, b"234").json() == {"here": 5}
    gap = put(desk, upload, 1, 6, b"6789")
    assert (gap.status_code, gap.json()["offset"]) == (409, 5)
    assert put(desk, upload, 1, 3, b"3456789").json() == {"here": 10}, "a piece that overlaps what is here"
    assert stored(installation, upload, 1) == b"0123456789"


def test_a_part_that_was_not_acknowledged_is_written_again(desk: Client, source: Source, installation: Path) -> None:
    """A process killed while it wrote leaves bytes that its index does not count."""
    upload = begun(desk, [b"0123456789"], source)
    (installation / "uploads" / str(upload.pk) / "files" / "000001").write_bytes(b"01\0\0\0")
    assert status(desk, upload, files=True)["entries"][0][1] == 0
    assert put(desk, upload, 1, 0, b"0123456789").json() == {"here": 10}
    assert stored(installation, upload, 1) == b"0123456789"


@pytest.mark.parametrize(
    ("number", "offset", "content", "kind", "code", "sentence"),
    [
        (1, 0, b"x" * 11, RAW, 400, "longer than stated"),
        (3, 0, b"x", RAW, 400, "files 1 to 2, no other"),
        (0, 0, b"x", RAW, 400, "files 1 to 2, no other"),
        (10**30, 0, b"x", RAW, 400, "files 1 to 2, no other"),
        (1, 10**30, b"x", RAW, 409, "begins at 0"),
        (1, 0, b"x", "text/plain", 415, "application/octet-stream"),
        (1, 0, b"PK\x03\x04", RAW, 400, "Send a zip by itself"),
    ],
)
def test_a_wrong_piece_is_refused_with_a_sentence(
    desk: Client, source: Source, number: int, offset: int, content: bytes, kind: str, code: int, sentence: str
) -> None:
    upload = begun(desk, [b"a" * 10, b"b"], source)
    answer = put(desk, upload, number, offset, content, kind)
    assert (answer.status_code, sentence in answer.json()["error"]) == (code, True), answer.json()
    assert status(desk, upload, files=True)["bytes_received"] == 0


@pytest.mark.parametrize("length", ["0", "", "many"])
def test_an_empty_piece_is_refused(desk: Client, source: Source, length: str) -> None:
    upload = begun(desk, [b"a" * 10], source)
    address = reverse("cases:upload_piece", args=[upload.pk, 1, 0])
    answer = desk.post(address, CONTENT_TYPE=RAW, CONTENT_LENGTH=length)
    assert (answer.status_code, "empty" in answer.json()["error"]) == (400, True)


def test_a_piece_has_a_largest_size(desk: Client, source: Source) -> None:
    most = 4 * 1024 * 1024
    upload = begun(desk, [b"a" * (most + 1)], source)
    assert put(desk, upload, 1, 0, b"a" * (most + 1)).status_code == 413
    assert put(desk, upload, 1, 0, b"a" * most).json() == {"here": most}


def test_a_broken_request_is_asked_for_again(desk: Client, source: Source) -> None:
    upload = begun(desk, [b"a" * 10], source)
    address = reverse("cases:upload_piece", args=[upload.pk, 1, 0])
    answer = desk.generic("POST", address, b"aaa", RAW, CONTENT_LENGTH="10", **{"wsgi.input": BytesIO(b"aaa")})
    assert (answer.status_code, status(desk, upload, files=True)["bytes_received"]) == (408, 0)


def test_a_piece_needs_a_csrf_token_and_takes_it_from_its_header(coordinator: User, source: Source) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(coordinator)
    page = strict.get(reverse("cases:import_new"))
    token = str(page.context["csrf_token"])
    relaxed = Client()
    relaxed.force_login(coordinator)
    upload = begun(relaxed, [b"abc"], source)
    assert put(strict, upload, 1, 0, b"abc").status_code == 403
    address = reverse("cases:upload_piece", args=[upload.pk, 1, 0])
    assert strict.post(address, b"abc", content_type=RAW, headers={"X-CSRFToken": token}).json() == {"here": 3}


def test_a_full_disk_is_told_and_keeps_what_is_here(
    desk: Client, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = begun(desk, [b"0123456789"], source)
    put(desk, upload, 1, 0, b"01234")

    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, "pwrite", full)
        answer = put(desk, upload, 1, 5, b"56789")
        assert (answer.status_code, "free some room" in answer.json()["error"]) == (507, True)
    assert put(desk, upload, 1, 5, b"56789").json() == {"here": 10}


def test_giving_up_removes_the_files_and_is_final(desk: Client, source: Source, installation: Path) -> None:
    upload = begun(desk, [b"abc"], source)
    put(desk, upload, 1, 0, b"ab")
    assert desk.post(reverse("cases:upload_give_up", args=[upload.pk])).json()["state"] == "given_up"
    assert not list((installation / "uploads").iterdir())
    assert [put(desk, upload, 1, 2, b"c").status_code, finish(desk, upload).status_code] == [409, 409]
    assert desk.post(reverse("cases:upload_give_up", args=[upload.pk])).status_code == 200
    verbs = list(Entry.objects.filter(verb__startswith="upload.").values_list("verb", flat=True))
    assert verbs == ["upload.begin", "upload.give_up"]


def test_a_piece_says_that_the_upload_is_alive(desk: Client, source: Source) -> None:
    upload = begun(desk, [b"abc"], source)
    Upload.objects.update(touched_at=timezone.now() - timedelta(days=6))
    put(desk, upload, 1, 0, b"ab")
    upload.refresh_from_db()
    assert timezone.now() - upload.touched_at < timedelta(minutes=1) and upload.bytes_received == 2


def test_an_upload_with_a_part_missing_is_not_finished(desk: Client, source: Source) -> None:
    upload = begun(desk, [b"abc", b"de"], source)
    put(desk, upload, 1, 0, b"abc")
    answer = finish(desk, upload)
    assert (answer.status_code, answer.json()["missing"]) == (409, 1)
    assert status(desk, upload)["state"] == "receiving"


def test_files_that_are_gone_are_told(desk: Client, source: Source, installation: Path) -> None:
    upload = begun(desk, [b"abc"], source)
    shutil.rmtree(installation / "uploads" / str(upload.pk))
    answers = [put(desk, upload, 1, 0, b"abc"), finish(desk, upload)]
    assert [answer.status_code for answer in answers] == [410, 410]
    assert desk.get(reverse("cases:upload", args=[upload.pk]) + "?files").status_code == 410
