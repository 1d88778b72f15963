"""Exports as they lie below the data folder: what was asked for, the jobs of the parts, and most of the zips."""

from __future__ import annotations

import json
from datetime import timedelta
from uuid import UUID, uuid4

from bench.filled.cases import START, moment
from bench.filled.load import load, say
from readerstudy.jobs.models import Job
from readerstudy.reconstructions.export_list import KIND, prefix, root, zip_path

PARTS = 20
STATES = ("done", "done", "done", "done", "queued", "failed")


def fill_exports(number: int) -> None:
    """Of every six the zips of four, one whose jobs wait, and one of which a part failed."""
    made = [uuid4() for _ in range(number)]
    for n, one in enumerate(made):
        _write(n, one)
    columns = ("id", "key", "kind", "queue", "state", "reason", "total", "created_at", "queued_at", "finished_at")
    load(Job, columns, (
        (
            uuid4().hex, f"{prefix(one)}{part:05d}", KIND, "cpu", state if part == 0 else "done",
            "The disk is full." if state == "failed" and part == 0 else "", 6, moment(n), moment(n), moment(n + 9),
        )
        for n, one in enumerate(made) for state in (STATES[n % len(STATES)],) for part in range(PARTS)
    ))  # fmt: skip
    say(f"{number} exports with {number * PARTS:,} jobs")


def _write(n: int, made: UUID) -> None:
    folder = root() / str(made)
    folder.mkdir(parents=True)
    wanted = {
        "title": "Degraded inputs", "by": "program", "at": (START + timedelta(hours=n)).isoformat(),
        "cases": [f"CT-{part:05d}" for part in range(PARTS)], "parts": PARTS, "slices": 6 * PARTS,
    }  # fmt: skip
    (folder / "request.json").write_text(json.dumps(wanted))
    if STATES[n % len(STATES)] == "done":
        zip_path(made).write_bytes(b"PK")
