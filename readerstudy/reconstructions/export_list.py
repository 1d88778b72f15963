"""Which exports there are, and how far each has come by its jobs and its zip."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Case, Count, F, Q, QuerySet, Sum, Value, When
from django.db.models.functions import Greatest, Substr

from readerstudy.jobs.models import Job

KIND = "export"
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NO_JOBS = {"open": 0, "failed": 0, "finished": 0, "units": 0}


@dataclass(frozen=True)
class Export:
    """What was asked for, by whom, and how far it is: ``state`` is ready, open, failed or stopped."""

    id: UUID
    title: str
    by: str
    at: datetime
    cases: list[str]
    state: str
    done: int
    total: int
    reason: str
    size: int

    @property
    def ready(self) -> bool:
        return self.state == "ready"


def list_exports(most: int = 50) -> list[Export]:
    """The latest exports with their progress, in two queries however many they are."""
    folders = [folder for folder in root().glob("*-*") if folder.is_dir() and _ID.fullmatch(folder.name)]
    read = [(UUID(folder.name), read_request(UUID(folder.name))) for folder in folders]
    latest = sorted((entry for entry in read if entry[1]), key=lambda entry: str(entry[1]["at"]), reverse=True)
    return _exports(dict(latest[:most]))


def find_export(made: UUID) -> Export | None:
    wanted = read_request(made)
    return _exports({made: wanted})[0] if wanted else None


def zip_path(made: UUID) -> Path:
    return root() / f"{made}.zip"


def root() -> Path:
    folder: Path = settings.DATA_DIR / "exports"
    return folder


def prefix(made: UUID) -> str:
    """What the keys of an export's jobs begin with."""
    return f"{KIND}:{made}:"


def read_request(made: UUID) -> dict[str, Any]:
    try:
        wanted: dict[str, Any] = json.loads((root() / str(made) / "request.json").read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return wanted


def _exports(requests: Mapping[UUID, Mapping[str, Any]]) -> list[Export]:
    """The exports of these requests, in their order."""
    if not requests:
        return []
    jobs = _jobs_of(requests)
    units = Greatest(F("total"), Value(1))
    sums = jobs.values("of").annotate(
        units=Sum(units), finished=Sum(Case(When(state=Job.State.DONE, then=units), default=F("progress"))),
        open=Count("pk", filter=Q(state__in=[Job.State.QUEUED, Job.State.RUNNING])),
        failed=Count("pk", filter=Q(state=Job.State.FAILED)),
    )  # fmt: skip
    found: dict[str, Mapping[str, int]] = {row["of"]: row for row in sums}
    # The latest failure of each comes last, and stays.
    reasons = dict(jobs.filter(state=Job.State.FAILED).order_by("finished_at", "-key").values_list("of", "reason"))
    return [
        _export(made, wanted, found.get(prefix(made), _NO_JOBS), reasons.get(prefix(made), ""))
        for made, wanted in requests.items()
    ]


def _jobs_of(requests: Mapping[UUID, object]) -> QuerySet[Any, Any]:
    """Their jobs, with ``of``, the prefix of the export that a job belongs to."""
    wanted = Q()
    for made in requests:
        wanted |= Q(key__gte=prefix(made), key__lt=f"{prefix(made)};")  # the sign after the colon's digits
    return Job.objects.filter(wanted).annotate(of=Substr("key", 1, len(prefix(UUID(int=0))))).order_by()


def _export(made: UUID, wanted: Mapping[str, Any], sums: Mapping[str, int], reason: str) -> Export:
    state, size = "stopped", 0
    if zip_path(made).exists():
        state, size = "ready", zip_path(made).stat().st_size
    elif sums["open"]:
        state = "open"
    elif sums["failed"]:
        state = "failed"
    return Export(
        made, str(wanted["title"]), str(wanted["by"]), datetime.fromisoformat(wanted["at"]), list(wanted["cases"]),
        state, sums["finished"], sums["units"], reason if state == "failed" else "", size,
    )  # fmt: skip
