"""Speaks to the installation of the rows on disk, clock, API and leaks: does work, says what is stored."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any
from uuid import UUID

import django

from bench.load import tool as load
from bench.room import tool as room
from tests.faults import reconstruct_tool


def open_crowd(readers: int, slices: int, side: int) -> dict[str, Any]:
    """The crowd's study; its patients get names as an import gives them, so that one can come after it."""
    from readerstudy.cases.models import Case, Patient

    made = load.open_crowd(readers, slices, side)
    for number, patient in enumerate(Patient.objects.filter(pseudonym__startswith="P-T"), start=1001):
        Patient.objects.filter(pk=patient.pk).update(pseudonym=f"P-{number}")
        Case.objects.filter(patient=patient).update(pseudonym=f"CT-{number}")
    return made


def stored() -> dict[str, Any]:
    """Imported slices, reconstructions and jobs as the database has them; pixels that are missing count as faults."""
    from readerstudy.cases import store
    from readerstudy.cases.models import Slice
    from readerstudy.jobs.models import Job
    from readerstudy.jobs.queries import counts
    from readerstudy.reconstructions.models import Reconstruction

    imported = list(Slice.objects.filter(case__source__name="Hostile").values_list("pixels", flat=True))
    made = list(Reconstruction.objects.filter(run__measurement__case__source__name="Faults"))
    kept = [row for row in made if row.pixels]
    faults = []
    for name in [*imported, *(row.pixels for row in kept)]:
        try:
            store.verify(name)
        except store.PixelsMissing as error:
            faults.append(str(error))
    now = counts("reconstruct:")
    return {
        "imported": len(imported), "made": len(kept), "unique": len({(row.run_id, row.slice_id) for row in kept}),
        "failures": sorted({row.failure for row in made if row.failure}), "faults": faults, "open": now.open,
        "jobs": [[j.key, j.state, j.attempts, j.interruptions, j.reason] for j in Job.objects.order_by("key")],
    }  # fmt: skip


def retry() -> int:
    """What a coordinator's button does: every failed run once more."""
    from readerstudy.reconstructions.actions import retry_failed
    from tests.factories import make_user

    return retry_failed(make_user("retrying", may_coordinate=True))


def deaf(keys: list[str], seconds: float) -> None:
    """Jobs that compute for ``seconds`` without looking at their claim."""
    from readerstudy.jobs.actions import Submission, submit_many

    submit_many(Submission(key, "test-deaf", {"seconds": seconds}, queue="cpu", priority=100) for key in keys)


def cookies(study: str) -> dict[str, Any]:
    """Everyone signs in anew: the readers in the order of their numbers, and the coordinator."""
    from readerstudy.studies.models import Membership, Reader

    readers = Reader.objects.filter(study__pk=UUID(study)).order_by("number").select_related("membership__user")
    members = Membership.objects.filter(study__pk=UUID(study), role="coordinator").select_related("user")
    return {
        "readers": [load.cookie_of(row.membership.user) for row in readers if row.membership],
        "coordinator": load.cookie_of(members[0].user),
    }


def pages(study: str) -> dict[str, list[str]]:
    """The paths that a reader and a coordinator look at."""
    from readerstudy.schedules.models import Session

    session = Session.objects.get(schedule__study__pk=UUID(study), schedule__reader__number=1, number=1)
    desk = ["", "progress/", "protocol/", "people/", "readers/1/", "balance/"]
    return {
        "reader": ["/reading/", f"/reading/{session.token}/", f"/reading/{session.token}/finish/"],
        "coordinator": ["/cases/", "/runs/", "/studies/", *(f"/studies/{study}/{page}" for page in desk)],
    }


def verify(study: str) -> dict[str, Any]:
    """What ``verify_study`` finds, and the keys of all score events in the order of the chain."""
    from readerstudy.audit.models import Entry
    from readerstudy.conduct.verify import verify_study
    from readerstudy.studies.models import Study

    row = Study.objects.get(pk=study)
    events = Entry.objects.filter(chain__name=row.chain, verb="score").order_by("sequence")
    return {"faults": list(verify_study(row)), "keys": [entry.data["key"] for entry in events]}


def open_api() -> dict[str, Any]:
    """An unblinded study with numbers and one that is still open; the headers of every role and of tokens."""
    from readerstudy.accounts.models import Scope
    from readerstudy.accounts.tokens import create_token
    from readerstudy.analytics import gathering
    from readerstudy.analytics.actions import make_snapshot
    from tests import factories
    from tests.analytics.factories import Shape, add_member, make_study

    gathering.DRAWS = 50
    running = factories.make_open()
    study = make_study(Shape(slices=6, readers=2))
    make_snapshot(study, None)
    people = {role: add_member(study, role) for role in ("coordinator", "analyst")}
    reader = study.readers.all()[0].membership
    assert reader is not None
    people |= {"reader": reader.user, "stranger": factories.make_user()}
    people["administrator"] = factories.make_user(is_superuser=True, is_staff=True)
    headers: dict[str, dict[str, str]] = {"nobody": {}} | {
        role: {"Cookie": load.cookie_of(person)} for role, person in people.items()
    }
    for role in ("coordinator", "analyst"):
        _, secret = create_token(people[role], "bench", Scope.values)
        headers[f"{role}'s token"] = {"Authorization": f"Bearer {secret}"}
    return {"studies": [str(study.pk), str(running.study.pk)], "headers": headers}


def crawl() -> dict[str, Any]:
    from bench.load.leaks import crawled

    return crawled()


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "readerstudy.settings")
    django.setup()
    verbs: dict[str, Callable[..., Any]] = {
        "prepare": room.prepare, "open": room.open_world, "scores": room.scores, "crowd": open_crowd,
        "desk": load.open_desk, "request": reconstruct_tool.request, "stored": stored, "retry": retry, "deaf": deaf,
        "cookies": cookies, "pages": pages, "verify": verify, "api": open_api, "crawl": crawl,
    }  # fmt: skip
    for line in sys.stdin:
        verb, arguments = json.loads(line)
        print(json.dumps(verbs[verb](*arguments)), flush=True)
