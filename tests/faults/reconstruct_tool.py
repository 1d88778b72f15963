"""Speaks to an installation with the product's own settings: requests real runs and says what became of them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

import django
from django.core.management import call_command


def prepare() -> None:
    call_command("migrate", verbosity=0)
    call_command("createcachetable", verbosity=0)


def request(slices: int, size: int, methods: list[str]) -> int:
    """One ultrasound phantom, every method: returns the number of reconstructions to come."""
    from readerstudy.cases.actions import import_phantom
    from readerstudy.cases.models import Source
    from readerstudy.reconstructions.actions import request_runs

    source, _ = Source.objects.get_or_create(name="Faults")
    case = import_phantom("US", 1, source=source, by=None, size=size, n_slices=slices)
    request_runs([case], methods, {"US": -6.0}, None)
    return slices * len(methods)


def report() -> dict[str, Any]:
    from readerstudy.cases import store
    from readerstudy.jobs.queries import counts
    from readerstudy.reconstructions.models import Reconstruction

    rows = list(Reconstruction.objects.values_list("run", "slice", "pixels", "failure"))
    for _, _, pixels, _ in rows:
        store.verify(pixels)
    now = counts("reconstruct:")
    return {
        "rows": len(rows), "unique": len({row[:2] for row in rows}), "failures": sum(bool(row[3]) for row in rows),
        "open": now.open, "failed": now.failed,
    }  # fmt: skip


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "readerstudy.settings"
    django.setup()
    verbs: dict[str, Callable[..., Any]] = {"prepare": prepare, "request": request, "report": report}
    for line in sys.stdin:
        verb, arguments = json.loads(line)
        print(json.dumps(verbs[verb](*arguments)), flush=True)
