"""Row 12: no planted name reaches a reader, nothing but the pixels tells an arm; what is planted is found."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.load.paced import Place
from bench.load.site import Site, site
from bench.report import Figure
from bench.room.leak import planted, record
from bench.room.world import Shown, World, say
from tests.security.leak import LARGEST_AUC, PLANTED_AUC, examine

SLICES, SIDE, STILL_SEEN = 50, 64, "Canary arm title 0"


def leaks(folder: Path, place: Place, full: bool) -> dict[str, Figure]:
    """The canaries' crawl, and the classifier on 2,000 (4,000) responses of the running product."""
    count = 4000 if full else 2000
    with site(folder / "canaries", place.database, place.broker) as here:
        found = here.ask("crawl")
    # A page that broke off shows nothing, and proves nothing.
    assert not found["broken"], found["broken"]
    for where in found["leaks"]:
        say(f"leak: {where}")
    with site(folder / "frames", place.database, place.broker) as here, _world(here) as world:
        responses = record(world, count)
        verdict = examine(responses)
        say(str(verdict))
        if verdict.leaks:
            # Chance alone fails one recording in a hundred: only what a second one confirms is a leak.
            verdict = examine(record(world, count, seed=2))
            say(f"once more: {verdict}")
    arms = sorted({row.arm for row in responses})
    missed = [arm for arm in arms if examine(planted(responses, arm), 199).auc[arm] <= PLANTED_AUC]
    say(f"{found['pages']} answers crawled; planted leaks missed: {missed + found['missed'] or 'none'}")
    return {
        "f12_leak_count": Figure(len(found["leaks"]) + verdict.leaks, "leaks"),
        "f12_auc": Figure(verdict.largest, "AUC", LARGEST_AUC, "limit"),
        "f12_p": Figure(verdict.p, "p"),
        "f12_planted_missed": Figure(len(missed) + len(found["missed"]), "leaks"),
    }


@contextmanager
def _world(here: Site) -> Iterator[World]:
    made = here.ask("open", SLICES, SIDE, 1)
    here.up("--no-worker")
    shown = [Shown(**row) for row in made["shown"]]
    yield World(here, here.url(), made["study"], made["reader"], made["password"], shown)


def crawled() -> dict[str, Any]:
    """In the tool: every URL as a reader in every state of a study full of canaries, each in a transaction undone."""
    from django.conf import settings
    from django.db import transaction
    from django.test import Client, override_settings
    from django.test.utils import setup_test_environment

    from readerstudy.reading.actions import start_session
    from readerstudy.studies.models import Study
    from tests.factories import answer, read_all
    from tests.security import test_canary as canary

    setup_test_environment()
    # Nobody reads the tool's log while it works: a full pipe would stop it.
    logging.disable(logging.CRITICAL)
    plain = settings.STORAGES | {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
    found: dict[str, Any] = {"leaks": [], "missed": [], "broken": [], "pages": 0}
    for state in canary.STATES:
        with override_settings(STORAGES=plain), transaction.atomic():
            world = canary.make_canaries()
            if state == "open":
                start_session(world.readers[0], world.sessions()[0])
                answer(world.readers[0], world.presentations()[0])
            else:
                read_all(world)
            canary.advance(world, state)
            words, maps = [word.encode() for word in canary.canaries(world)], canary.sd_maps()
            client = Client(raise_request_exception=False)
            client.force_login(world.readers[0])
            for where, content in canary.crawl(client, world):
                found["pages"] += 1
                if where.endswith(" 500"):
                    found["broken"].append(f"{state}: {where}")
                text = content.lower()
                if any(word in text for word in words) or any(one in content for one in maps):
                    found["leaks"].append(f"{state}: {where}")
            if state == "open":
                Study.objects.filter(pk=world.study.pk).update(title=STILL_SEEN)
                if not canary.told(client, world, {"canary"}):
                    found["missed"].append("a study's title that names an arm")
            transaction.set_rollback(True)
    return found
