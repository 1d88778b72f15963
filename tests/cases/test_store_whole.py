"""The product with its pixels in a bucket: import, reconstruction and reading never touch a folder of pixels."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from readerstudy.cases import queries, store
from readerstudy.cases.models import Case
from readerstudy.jobs.claims import claim, finish
from readerstudy.reading.actions import start_session
from readerstudy.reconstructions import actions, tasks
from readerstudy.reconstructions.models import Reconstruction
from readerstudy.schedules.models import Frame
from tests.cases.bucket import Server, serving
from tests.cases.factories import SIZE, write_dicom
from tests.factories import LEVELS, make_open, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def server(settings: Any) -> Iterator[Server]:
    settings.PIXEL_CACHE_DIR = settings.DATA_DIR / "pixel_cache"
    with serving() as made:
        settings.PIXELS_BUCKET = made.bucket()
        yield made


@pytest.mark.slow
def test_a_case_is_imported_reconstructed_and_looked_at(server: Server, settings: Any, tmp_path: Path) -> None:
    for number in (1, 2):
        write_dicom(tmp_path / "in" / f"{number}.dcm", number=number)
    call_command("import_cases", tmp_path / "in", source="Hospital A", stdout=io.StringIO(), stderr=io.StringIO())
    person, case = make_user(may_coordinate=True), Case.objects.get()
    assert len(server.objects) == case.slices.count() == 2
    run = actions.request_runs([case], ["degraded"], LEVELS, person)[0]
    taken = claim("cpu", "")
    assert taken is not None
    tasks.reconstruct(taken)
    finish(taken)
    for row in Reconstruction.objects.filter(run=run):
        assert row.failure == "" and store.get_slice(row.pixels, SIZE, SIZE).shape == (SIZE, SIZE)
        for name in (row.pixels, row.features):
            store.verify(name)
    client = Client()
    client.force_login(person)
    for row in case.slices.all():
        assert queries.pixels(row).max() > 0
        assert client.get(f"/cases/{case.pk}/slices/{row.index}/image.png").content.startswith(b"\x89PNG")
    assert len(server.objects) == 2 + 2 * 2 and not settings.PIXELS_DIR.exists()


def test_a_reader_reads_from_the_bucket_and_waits_while_it_is_away(server: Server, settings: Any) -> None:
    world = make_open()
    start_session(world.readers[0], world.sessions()[0])
    row = world.presentations()[0]
    frame = Frame.objects.get(pane__presentation=row)
    reader = Client(raise_request_exception=False)
    reader.force_login(world.readers[0])
    url = f"/reading/p/{row.pk}/0/0/"
    for _ in range(2):
        assert hashlib.sha256(reader.get(url).content).hexdigest() == frame.pixels
    assert not settings.PIXELS_DIR.exists()
    server.faults = lambda verb, key: (403, "AccessDenied")
    settings.PIXEL_CACHE_BYTES = 0
    answer = reader.get(url)
    assert answer.status_code == 503 and answer["Retry-After"] == "5" and "pictures" not in answer.content.decode()
    server.faults = lambda verb, key: None
    assert reader.get(url).status_code == 200
