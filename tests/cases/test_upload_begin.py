"""The beginning of an upload: who may, what is refused before a byte is sent, and what is cleaned up."""

from __future__ import annotations

import os
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from readerstudy.accounts.models import User
from readerstudy.audit.models import Entry
from readerstudy.cases import uploads
from readerstudy.cases.models import Source, Upload
from tests.cases.test_uploads import begin, begun, finish, put, status

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(client: Client, coordinator: User) -> Client:
    client.force_login(coordinator)
    return client


def test_only_who_began_it_sees_an_upload(
    desk: Client, source: Source, stranger: User, installation: Path, client: Client
) -> None:
    upload = begun(desk, [b"abc"], source)
    other = User.objects.create_user("cora", password="a long enough password", may_coordinate=True)
    for user in (stranger, other):
        foreign = Client()
        foreign.force_login(user)
        answers = [
            put(foreign, upload, 1, 0, b"abc"), finish(foreign, upload),
            foreign.post(reverse("cases:upload_give_up", args=[upload.pk])),
            foreign.get(reverse("cases:upload", args=[upload.pk])),
        ]  # fmt: skip
        assert [answer.status_code for answer in answers] == [404] * 4
        assert str(upload.pk) not in foreign.get(reverse("cases:import_new")).content.decode()
    assert begin(Client(), [b"abc"], source).status_code == 401
    assert status(desk, upload)["state"] == "receiving"
    assert str(upload.pk) in desk.get(reverse("cases:import_new")).content.decode()


class Refusal(NamedTuple):
    fields: dict[str, Any]
    code: int
    sentence: str


@pytest.mark.parametrize(
    "wrong",
    [
        Refusal({"files": []}, 400, "Choose a folder"),
        Refusal({"files": None}, 400, "State the size"),
        Refusal({"files": [[-1, "0" * 32]]}, 400, "State every file"),
        Refusal({"files": [[True, "0" * 32]]}, 400, "State every file"),
        Refusal({"files": [[1.5, "0" * 32]]}, 400, "State every file"),
        Refusal({"files": [["1", "0" * 32]]}, 400, "State every file"),
        Refusal({"files": [[1, "Doe^Jane"]]}, 400, "State every file"),
        Refusal({"files": [[1, "0" * 32, "Doe^Jane.dcm"]]}, 400, "State every file"),
        Refusal({"files": [[20 * 1024**3 + 1, "0" * 32]]}, 413, "upload them in parts"),
        Refusal({"files": [[0, "0" * 32]] * 100_001}, 413, "upload a part of the folder"),
        Refusal({"source": ""}, 400, "Choose a source, or give a new one a name."),
        Refusal({"source": "many"}, 400, "Select a valid choice"),
        Refusal({"source": {"a": 1}}, 400, "Select a valid choice"),
        Refusal({"expires_on": "soon"}, 400, "Enter a valid date"),
    ],
)
def test_a_wrong_beginning_is_refused_and_leaves_nothing(
    desk: Client, source: Source, installation: Path, wrong: Refusal
) -> None:
    answer = begin(desk, [b"abc"], None, **{"source": source.pk, **wrong.fields})
    assert (answer.status_code, wrong.sentence in answer.json()["error"]) == (wrong.code, True), answer.json()
    assert not Upload.objects.exists() and not Entry.objects.exists()
    assert not list(installation.glob("uploads/*"))


@pytest.mark.parametrize("body", ["", "[]", "nothing", "[" * 100_000, b"\xff\xfe"])
def test_what_is_no_json_of_an_upload(desk: Client, body: Any) -> None:
    answer = desk.post(reverse("cases:upload_begin"), body, content_type="application/json")
    assert (answer.status_code, "JSON of an upload" in answer.json()["error"]) == (400, True)


def test_a_new_source_comes_with_the_upload(desk: Client) -> None:
    answer = begin(desk, [b"abc"], name="Hospital B", approval="EK 1/26", expires_on="2999-01-01")
    upload = Upload.objects.get(pk=answer.json()["id"])
    assert (upload.source.name, upload.source.approval, upload.keep) == ("Hospital B", "EK 1/26", ["device"])


def test_an_ended_agreement_is_refused_at_the_beginning(desk: Client, source: Source) -> None:
    Source.objects.update(expires_on=timezone.localdate() - timedelta(days=1))
    answer = begin(desk, [b"abc"], source)
    assert (answer.status_code, "renew it" in answer.json()["error"]) == (400, True)
    answer = begin(desk, [b"abc"], name="Hospital B", expires_on="2020-01-01")
    assert answer.status_code == 400 and not Source.objects.filter(name="Hospital B").exists()


def test_room_on_the_disk_is_asked_for_first(
    desk: Client, source: Source, monkeypatch: pytest.MonkeyPatch, installation: Path
) -> None:
    usage = shutil.disk_usage(installation)
    free = uploads.SPARE_BYTES + 2_000
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=free))
    first = begin(desk, [b"a" * 1000], source)
    assert first.status_code == 201
    second = begin(desk, [b"a" * 1000], source)
    assert (second.status_code, "upload fewer files" in second.json()["error"]) == (507, True)


@pytest.mark.parametrize("when", ["another begins", "the hour is over"])
def test_what_nobody_touches_for_a_week_goes(when: str, desk: Client, source: Source, installation: Path) -> None:
    old, recent = begun(desk, [b"abc"], source), begun(desk, [b"abc"], source)
    Upload.objects.filter(pk=old.pk).update(touched_at=timezone.now() - timedelta(days=7, minutes=1))
    Upload.objects.filter(pk=recent.pk).update(touched_at=timezone.now() - timedelta(days=6))
    lost = installation / "uploads" / "0a3f1c9e-0000-4000-8000-000000000000"
    lost.mkdir()
    os.utime(lost, (0, 0))
    left = {str(recent.pk)}
    if when == "another begins":
        left.add(str(begun(desk, [b"abc"], source).pk))
    else:
        uploads.clean_up()
    assert {path.name for path in (installation / "uploads").iterdir()} == left
    old.refresh_from_db()
    assert (old.state, old.reason) == ("given_up", "Nothing arrived for 7 days.")
    assert Entry.objects.get(verb="upload.give_up").actor == "program"
