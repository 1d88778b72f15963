"""No value of a patient's header reaches an export, a page, a log or the data folder on the way from import to zip."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pydicom
import pytest
from django.apps import apps
from django.core.management import call_command
from django.core.serializers import serialize
from django.test import Client
from django.urls import reverse

from readerstudy.cases.actions import record_look, release_quarantine
from readerstudy.cases.models import Case, Import
from readerstudy.reconstructions import exports, importing
from tests.cases.test_markers import marked
from tests.factories import LEVELS, make_user
from tests.reconstructions.test_exports import exported

pytestmark = pytest.mark.django_db
IDENTIFYING = re.compile(rb"QZX\d|Doe\^|ID-[12]\b")  # four bytes and more: shorter ones occur in pixels by chance


def unpacked(content: bytes) -> Iterator[bytes]:
    """The bytes as they are, and those of every member of an archive, also of one inside another."""
    yield content
    if content.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                yield name.encode()
                yield from unpacked(archive.read(name))


def test_no_planted_marker_leaves_with_an_export(
    tmp_path: Path, settings: Any, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    settings.DATA_DIR = tmp_path / "data"
    settings.PIXELS_DIR = settings.DATA_DIR / "pixels"
    settings.DATA_DIR.mkdir()
    numbers, planted = count(1), ["QZX0000"]
    for name, modality, series in (("QZX0000_jane", "CT", "1"), ("QZX0000/QZX0000", "US", "2")):
        marked(tmp_path / "in" / f"{name}.dcm", modality, series, numbers, planted)
    assert len(set(planted)) >= 200
    originals = [str(pydicom.dcmread(path).SOPInstanceUID) for path in (tmp_path / "in").rglob("*.dcm")]
    call_command("import_cases", tmp_path / "in", source="Hospital A", stdout=io.StringIO(), stderr=io.StringIO())
    person = make_user(may_coordinate=True)
    for case in Case.objects.filter(state=Case.State.QUARANTINED):
        record_look(case, person)
        release_quarantine(case, person, "no text on any image")
    assert Case.objects.filter(state=Case.State.READY).count() == 2

    made = exports.request_inputs(Case.objects.all(), LEVELS, person)
    manifest, files = exported(made)
    assert len(manifest["items"]) == 2
    back = tmp_path / "back.zip"
    with zipfile.ZipFile(back, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    report = importing.import_reconstructions(back, method="outside", version="1", by=person)
    assert report.accepted == 2
    _, again = exported(exports.request_reconstructions(report.runs, person))

    client.force_login(person)
    pages = [
        client.get(url).content
        for url in (
            reverse("reconstructions:exports"), reverse("reconstructions:import"), reverse("reconstructions:list"),
            reverse("cases:list"), reverse("cases:import", args=[Import.objects.get().pk]),
            *(reverse("cases:detail", args=[case.pk]) for case in Case.objects.all()),
        )
    ]  # fmt: skip
    rows = [serialize("json", model._default_manager.all()).encode() for model in apps.get_models()]
    kept = [path.read_bytes() for path in settings.DATA_DIR.rglob("*") if path.is_file()]
    names = [str(path.relative_to(settings.DATA_DIR)).encode() for path in settings.DATA_DIR.rglob("*")]
    everything = [*files.values(), *again.values(), *pages, *rows, *kept, *names, caplog.text.encode()]
    everything += [str(manifest).encode(), *(name.encode() for name in (*files, *again))]
    identifying = re.compile(b"|".join([IDENTIFYING.pattern, *(re.escape(uid.encode()) for uid in originals)]))
    for content in (part for whole in everything for part in unpacked(whole)):
        if found := identifying.search(content):
            raise AssertionError(f"{found[0]!r} in {content[max(0, found.start() - 60) :][:120]!r}")
