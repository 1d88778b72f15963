"""Reads of the job table: progress of a group of jobs, its failures, the state of the workers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import Case, Count, F, IntegerField, Min, Q, QuerySet, Sum, Value, When
from django.db.models.functions import Coalesce, Greatest

from readerstudy.jobs import clock
from readerstudy.jobs.models import Job, Worker

RATE_WINDOW = timedelta(minutes=2)


@dataclass(frozen=True)
class Counts:
    """A group of jobs: jobs per state, units of work done and in all, units per second, seconds left."""

    queued: int
    running: int
    done: int
    failed: int
    cancelled: int
    progress: int
    total: int
    rate: float | None
    eta_seconds: float | None

    @property
    def open(self) -> int:
        return self.queued + self.running


@dataclass(frozen=True)
class WorkerState:
    """A living worker: where it runs, what it serves, what it does now and how long ago it was seen."""

    id: UUID
    host: str
    pid: int
    queue: str
    current: str
    seen_seconds_ago: float


@dataclass(frozen=True)
class Failure:
    """A job that was given up, with its reason."""

    id: UUID
    key: str
    kind: str
    attempts: int
    reason: str
    finished_at: datetime | None


def with_prefix(prefix: str) -> QuerySet[Job]:
    """Jobs whose key starts with ``prefix``, by the key's index (LIKE on SQLite ignores case and index)."""
    if connection.vendor == "sqlite":
        return Job.objects.filter(key__gte=prefix, key__lt=f"{prefix}\U0010ffff")
    return Job.objects.filter(key__startswith=prefix)


def counts(prefix: str = "") -> Counts:
    """Progress of the jobs whose key starts with ``prefix``; a job without ``total`` is one unit."""
    units = Greatest(F("total"), Value(1))
    is_done = When(state=Job.State.DONE, then=units)
    finished = Case(is_done, default=F("progress"), output_field=IntegerField())
    abandoned = Q(state__in=[Job.State.FAILED, Job.State.CANCELLED])
    now = clock.now()
    row = with_prefix(prefix).aggregate(
        **{state.value: Count("state", filter=Q(state=state)) for state in Job.State},
        progress_sum=Coalesce(Sum(finished), 0),
        total_sum=Coalesce(Sum(units), 0),
        left=Coalesce(Sum(units - finished, filter=~abandoned), 0),
        recent=Coalesce(Sum(finished, filter=_recent(now)), 0),
        since=Min("started_at", filter=_recent(now)),
    )
    rate = _rate(row["recent"], row["since"], now)
    return Counts(
        queued=row["queued"], running=row["running"], done=row["done"], failed=row["failed"],
        cancelled=row["cancelled"], progress=row["progress_sum"], total=row["total_sum"], rate=rate,
        eta_seconds=0.0 if not row["left"] else row["left"] / rate if rate else None,
    )  # fmt: skip


def oldest_queued_age() -> float | None:
    """Seconds the longest waiting job that could run has been queued; None when nothing waits."""
    now = clock.now()
    waiting = Job.objects.filter(Q(due_at=None) | Q(due_at__lte=now), state=Job.State.QUEUED)
    oldest = waiting.aggregate(oldest=Min("queued_at"))["oldest"]
    return max(0.0, (now - oldest).total_seconds()) if oldest else None


def alarm(seconds: float) -> str:
    """What to do about a job that has waited longer than this, in one sentence; empty where none has."""
    age = oldest_queued_age()
    if age is None or age <= seconds:
        return ""
    alive = workers()
    if not alive:
        advice = "no worker is running: start one with `manage.py up` or `manage.py worker`."
    elif all(worker.current for worker in alive):
        advice = f"all workers are busy ({len(alive)}): wait, or start more."
    else:
        advice = "workers are idle: see whether one serves its queue and whether the broker answers."
    return f"A job has waited for {age:.0f} s and {advice}"


def workers() -> list[WorkerState]:
    """Workers seen within two leases, by host and process."""
    now = clock.now()
    rows = Worker.objects.filter(seen_at__gte=now - alive_for()).select_related("current")
    return [
        WorkerState(
            id=row.pk,
            host=row.host,
            pid=row.pid,
            queue=row.queue,
            current=row.current.key if row.current else "",
            seen_seconds_ago=max(0.0, (now - row.seen_at).total_seconds()),
        )
        for row in rows.order_by("host", "pid")
    ]


def failures(prefix: str = "") -> list[Failure]:
    """Failed jobs whose key starts with ``prefix``, the latest first."""
    rows = with_prefix(prefix).filter(state=Job.State.FAILED).order_by("-finished_at", "key")
    return [Failure(job.pk, job.key, job.kind, job.attempts, job.reason, job.finished_at) for job in rows]


def alive_for() -> timedelta:
    """How long a worker counts as living after it was last seen."""
    return timedelta(seconds=2 * max(settings.JOB_LEASE_SECONDS, settings.REAPER_SECONDS))


def _recent(now: datetime) -> Q:
    return Q(state=Job.State.RUNNING) | Q(state=Job.State.DONE, finished_at__gte=now - RATE_WINDOW)


def _rate(units: int, since: datetime | None, now: datetime) -> float | None:
    """Units per second over the window: from the first start among the jobs that count to now."""
    if not units or since is None:
        return None
    seconds = (now - since).total_seconds()
    return units / seconds if seconds > 0 else None
