"""Speaks to the installation of the load benches: opens a study of many readers, keeps writing, says what is stored."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from itertools import count
from random import Random
from typing import Any

import django

from bench.room import tool as room

ROWS_PER_TRANSACTION = 8
READERS_PER_STUDY = 70  # a protocol takes 100 at most


def open_crowd(readers: int, slices: int, side: int) -> dict[str, Any]:
    """Opened studies for so many readers, every first session started; each reader's cookie and presentations."""
    for first in range(0, slices, room.SLICES_PER_CASE):
        room.add_case(range(first, min(slices, first + room.SLICES_PER_CASE)), side)
    studies: list[str] = []
    people: list[dict[str, Any]] = []
    while len(people) < readers:
        study, found = _open_study(min(READERS_PER_STUDY, readers - len(people)), slices)
        studies.append(study)
        people += found
    return {"studies": studies, "readers": people}


def _open_study(readers: int, slices: int) -> tuple[str, list[dict[str, Any]]]:
    from readerstudy.conduct.actions import open_study
    from readerstudy.reading.actions import start_session
    from readerstudy.schedules.models import Session
    from readerstudy.studies.actions import add_member, create_study
    from tests.factories import make_protocol, make_user

    protocol = make_protocol(
        study={"title": "Load", "seed": 7}, slices={"number": slices}, sessions={"number": 1},
        design={"readers": readers, "reserves": 0, "minimum_gap": 2},
    )  # fmt: skip
    coordinator, people = make_user(may_coordinate=True), [make_user() for _ in range(readers)]
    study = create_study(protocol, coordinator)
    for person in people:
        add_member(study, person, "reader", coordinator)
    study = open_study(study, coordinator)
    found = []
    for number, person in enumerate(people, start=1):
        session = Session.objects.get(schedule__study=study, schedule__reader__number=number, number=1)
        start_session(person, session)
        shown = session.presentations.order_by("position").values_list("pk", flat=True)
        found.append({"cookie": cookie_of(person), "shown": [str(pk) for pk in shown]})
    return str(study.pk), found


def open_desk() -> dict[str, Any]:
    """A coordinator's cookie and a source to upload under."""
    from readerstudy.cases.models import Source
    from tests.factories import make_user

    source = Source.objects.create(name="Hostile")
    return {"cookie": cookie_of(make_user(may_coordinate=True)), "source": source.pk}


def cookie_of(person: Any) -> str:
    """A session signed in as by the form, without the cost of 200 password hashes, and a CSRF cookie beside it."""
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore
    from django.middleware.csrf import _get_new_csrf_string

    store = SessionStore()
    store[SESSION_KEY] = str(person.pk)
    store[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    store[HASH_SESSION_KEY] = person.get_session_auth_hash()
    store.save()
    names = (settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME)
    return f"{names[0]}={store.session_key}; {names[1]}={_get_new_csrf_string()}"


def write(seconds: float) -> int:
    """What a busy worker does to the database, without pause: 8 rows per transaction; how many transactions."""
    from readerstudy.reconstructions.models import Reconstruction
    from readerstudy.reconstructions.recording import counted
    from tests import factories
    from tests.factories import ARMS, make_case, make_run

    factories._numbers = count(1_000_000)  # another process has counted its cases from 1
    case = make_case("CT", slices=ROWS_PER_TRANSACTION)
    runs = [make_run(case, method) for method in ARMS]
    chance, until, done = Random(1), time.monotonic() + seconds, 0
    while time.monotonic() < until:
        run = chance.choice(runs)
        with counted(run):
            for row in Reconstruction.objects.filter(run=run):
                row.latency_ms = chance.uniform(1, 100)
                row.save(update_fields=["latency_ms"])
        done += 1
    return done


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "readerstudy.settings"
    django.setup()
    verbs: dict[str, Callable[..., Any]] = {
        "prepare": room.prepare,
        "crowd": open_crowd,
        "desk": open_desk,
        "scores": room.scores,
        "write": write,
    }
    for line in sys.stdin:
        verb, arguments = json.loads(line)
        print(json.dumps(verbs[verb](*arguments)), flush=True)
