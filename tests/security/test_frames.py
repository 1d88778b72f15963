"""A frame's bytes and headers are the same in kind for every arm."""

from __future__ import annotations

import hashlib

import pytest
from django.test import Client

from readerstudy.conduct.actions import close_study
from readerstudy.reading.actions import start_session
from readerstudy.schedules.models import Frame
from tests.factories import SIDE, World, make_open

pytestmark = pytest.mark.django_db
ALLOWED = {
    "Content-Type", "Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Length",
    "X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy", "Cross-Origin-Opener-Policy", "Vary",
    "Content-Security-Policy", "Content-Language",
}  # fmt: skip


@pytest.fixture
def world() -> World:
    made = make_open()
    start_session(made.readers[0], made.sessions()[0])
    return made


@pytest.fixture
def reader(world: World) -> Client:
    client = Client()
    client.force_login(world.readers[0])
    return client


def urls(world: World) -> list[str]:
    return [f"/reading/p/{row.pk}/0/0/" for row in world.presentations()]


def test_all_arms_have_one_length_and_the_same_headers(world: World, reader: Client) -> None:
    arms = {row.panes.get().arm_id for row in world.presentations()}
    assert len(arms) == 4
    responses = [reader.get(url) for url in urls(world)]
    assert {len(r.content) for r in responses} == {SIDE * SIDE * 2}
    headers = [dict(r.headers) for r in responses]
    assert all(h == headers[0] for h in headers)
    assert set(headers[0]) <= ALLOWED


def test_nothing_may_be_kept_or_compared(world: World, reader: Client) -> None:
    response = reader.get(urls(world)[0], headers={"accept-encoding": "gzip"})
    assert response["Cache-Control"] == "private, no-store"
    assert "ETag" not in response.headers
    assert "Last-Modified" not in response.headers
    assert response["Content-Encoding"] == "identity"


def test_the_bytes_are_those_that_were_frozen(world: World, reader: Client) -> None:
    for row, url in zip(world.presentations(), urls(world), strict=True):
        frame = Frame.objects.get(pane__presentation=row)
        assert hashlib.sha256(reader.get(url).content).hexdigest() == frame.pixels


def test_a_frame_of_a_session_not_yet_open_is_not_there(world: World, reader: Client) -> None:
    later = world.presentations(session=1)[0]
    assert reader.get(f"/reading/p/{later.pk}/0/0/").status_code == 404


def test_frames_end_with_the_study(world: World, reader: Client) -> None:
    close_study(world.study, world.coordinator)
    assert reader.get(urls(world)[0]).status_code == 404


def test_ids_of_two_readers_are_unrelated(world: World) -> None:
    mine = {row.pk for row in world.presentations(0)}
    theirs = {row.pk for row in world.presentations(1)}
    assert not mine & theirs
    assert all(len(pk) >= 22 for pk in mine | theirs)
