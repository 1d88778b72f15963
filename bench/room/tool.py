"""Speaks to the installation of the reading benches: opens a study through the product's verbs, says what became of it.

One verb and its JSON a line, like ``tests.faults.tool``; the settings are the product's own.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import django
import numpy as np
from django.core.management import call_command
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, median_filter

SLICES_PER_CASE = 5


def prepare() -> None:
    call_command("migrate", verbosity=0)
    call_command("createcachetable", verbosity=0)


def body(side: int, number: int) -> NDArray[np.float32]:
    """A CT-like slice as HU + 1024: body, lungs, spine and vessels, another one for each number."""
    generator = np.random.default_rng([side, number])
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j].astype(np.float32)
    image = np.where(x**2 / 0.81 + y**2 / 0.6 < 1, 1064.0, 24.0).astype(np.float32)
    for middle in (-0.42, 0.42):
        image[(x - middle) ** 2 / 0.08 + y**2 / 0.22 < 1] = 180
    image[x**2 + (y - 0.5) ** 2 < 0.02] = 1700
    for _ in range(40):
        row, column = generator.uniform(-0.6, 0.6, 2)
        image[(x - column) ** 2 + (y - row) ** 2 < generator.uniform(1e-4, 4e-3)] += generator.normal(0, 60)
    return gaussian_filter(image, side / 512)


def styled(image: NDArray[np.float32], arm: int, number: int) -> NDArray[np.uint16]:
    """The same slice in the style of an arm: flat, smooth, sharp or noisy; -1 is the reference."""
    generator = np.random.default_rng([number, arm + 1])
    noise = generator.normal(0, 1, image.shape).astype(np.float32)
    styles: dict[int, Callable[[], Any]] = {
        -1: lambda: image + 8 * noise,
        0: lambda: np.round(median_filter(image, 5) / 8) * 8,
        1: lambda: gaussian_filter(image + 30 * noise, 1.2),
        2: lambda: 2 * image - gaussian_filter(image, 1.5) + 6 * noise,
        3: lambda: image + 45 * noise,
    }
    return np.asarray(np.clip(np.round(styles[arm]()), 0, 4095).astype(np.uint16))


def open_world(slices: int, side: int, sessions: int) -> dict[str, Any]:
    """A study of one reader, ``slices`` x 4 arms, opened; returns what the benches need to know of it."""
    from readerstudy.conduct.actions import open_study
    from readerstudy.studies.actions import add_member, create_study
    from tests.factories import PASSWORD, make_protocol, make_user

    for first in range(0, slices, SLICES_PER_CASE):
        add_case(range(first, min(slices, first + SLICES_PER_CASE)), side)
    coordinator, reader = make_user(may_coordinate=True), make_user()
    protocol = make_protocol(
        study={"title": "Bench", "seed": 7}, slices={"number": slices}, sessions={"number": sessions},
        design={"readers": 1, "reserves": 0, "minimum_gap": 2}, display=no_check(),
    )  # fmt: skip
    study = create_study(protocol, coordinator)
    add_member(study, reader, "reader", coordinator)
    study = open_study(study, coordinator)
    return {"study": str(study.pk), "reader": reader.username, "password": PASSWORD, "shown": shown(study.pk)}


def no_check() -> dict[str, str]:
    """No check of the display before the first image, where the protocol knows of one."""
    from readerstudy.studies.protocol import Display

    return {"check": "off"} if "check" in {field.name for field in fields(Display)} else {}


def add_case(numbers: range, side: int) -> None:
    """A case of the factories, grown to ``side`` and filled with images that differ in style per arm."""
    from readerstudy.cases import store
    from readerstudy.cases.models import Slice
    from readerstudy.reconstructions.models import Reconstruction
    from tests.factories import ARMS, make_case, make_run

    case = make_case("CT", slices=len(numbers))
    case.rows = case.columns = side
    case.save(update_fields=["rows", "columns"])
    runs = [make_run(case, method) for method in ("reference", *ARMS)]
    for row, number in zip(case.slices.order_by("index"), numbers, strict=True):
        image = body(side, number)
        Slice.objects.filter(pk=row.pk).update(pixels=store.put_slice(styled(image, -1, number)))
        for arm, run in enumerate(runs, start=-1):
            name = store.put_slice(styled(image, arm, number))
            Reconstruction.objects.filter(run=run, slice=row).update(pixels=name)


def shown(study: Any) -> list[dict[str, Any]]:
    """Every presentation in its order, with the slice and the arm that no browser is told."""
    from readerstudy.schedules.models import Pane

    rows = Pane.objects.filter(presentation__session__schedule__study=study)
    rows = rows.select_related("presentation__session", "presentation__study_slice", "arm")
    ordered = rows.order_by("presentation__session__number", "presentation__position")
    return [
        {
            "id": row.presentation_id, "session": row.presentation.session.token,
            "slice": row.presentation.study_slice.position, "arm": row.arm.key,
        }
        for row in ordered
        if row.arm is not None
    ]  # fmt: skip


def scores(study: str) -> dict[str, Any]:
    """The live scores by presentation, the presentations of all score events, and what is wrong with the chain."""
    from readerstudy.audit.actions import verify
    from readerstudy.audit.models import Entry
    from readerstudy.reading.models import Answer, Score
    from readerstudy.studies.models import Study

    row = Study.objects.get(pk=study)
    chain = row.chain
    rows = Score.objects.filter(criterion__study=row).values_list("presentation", "value")
    events = [entry.data for entry in Entry.objects.filter(chain__name=chain, verb="score")]
    return {
        "live": [list(row) for row in rows],
        "events": [event["presentation"] for event in events],
        "keys": [event["key"] for event in events],
        "answers": Answer.objects.count(),
        "faults": [fault.reason for fault in verify(chain)],
    }


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "readerstudy.settings"
    django.setup()
    verbs: dict[str, Callable[..., Any]] = {"prepare": prepare, "open": open_world, "scores": scores}
    for line in sys.stdin:
        verb, arguments = json.loads(line)
        print(json.dumps(verbs[verb](*arguments)), flush=True)
