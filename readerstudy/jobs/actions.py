"""Verbs of the job table: hand in work, call it back, try it again. Workers' side: ``claims``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from readerstudy.audit.actions import INSTALLATION, record
from readerstudy.jobs import clock, dispatch
from readerstudy.jobs.claims import (
    Claim,
    JobFailure,
    LostLease,
    OutOfTime,
    ShuttingDown,
    StopWork,
    WorkerUnfit,
    claim,
    fail,
    finish,
    release,
)
from readerstudy.jobs.models import Job
from readerstudy.jobs.queries import with_prefix

__all__ = [
    "Claim",
    "JobFailure",
    "LostLease",
    "OutOfTime",
    "ShuttingDown",
    "StopWork",
    "Submission",
    "WorkerUnfit",
    "cancel",
    "claim",
    "fail",
    "finish",
    "release",
    "retry",
    "submit",
    "submit_many",
]
BATCH = 200
PROGRAM = "program"


@dataclass(frozen=True)
class Submission:
    """A job to hand in; ``key`` says once and for all which work it is, ``payload`` holds ids only."""

    key: str
    kind: str
    payload: dict[str, Any] = field(default_factory=dict)
    queue: str = "cpu"
    priority: int = 0
    total: int = 0


def submit(
    key: str, kind: str, payload: dict[str, Any], *, queue: str = "cpu", priority: int = 0, total: int = 0
) -> Job:
    """Hand in one job; a key that exists already is returned as it is (``retry`` restarts a failed one)."""
    new = _row(Submission(key, kind, payload, queue, priority, total))
    with transaction.atomic():
        job, created = Job.objects.get_or_create(key=key, defaults={name: getattr(new, name) for name in _SUBMITTED})
        if created:
            dispatch.wake_workers(queue)
    return job


def submit_many(submissions: Iterable[Submission]) -> int:
    """Hand in many jobs in one transaction; returns how many were new."""
    rows = list({submission.key: _row(submission) for submission in submissions}.values())
    added: list[Job] = []
    with transaction.atomic():
        for batch in _batches(rows):
            keys = [job.key for job in batch]
            known = set(Job.objects.filter(key__in=keys).values_list("key", flat=True))
            fresh = [job for job in batch if job.key not in known]
            # Another submitter may have been quicker on PostgreSQL: the unique key keeps one row either way.
            Job.objects.bulk_create(fresh, ignore_conflicts=True)
            added += fresh
        for queue in {job.queue for job in added}:
            dispatch.wake_workers(queue, _wake_ups(sum(job.queue == queue for job in added)))
    return len(added)


def cancel(*, prefix: str | None = None, ids: Sequence[UUID] | None = None, actor: str = PROGRAM) -> int:
    """Call back queued and running jobs; a running handler ends at its next write or heartbeat."""
    with transaction.atomic():
        rows = _selected(prefix, ids).filter(state__in=[Job.State.QUEUED, Job.State.RUNNING])
        count = rows.update(state=Job.State.CANCELLED, token=None, lease_expires_at=None, finished_at=clock.now())
        _audit("jobs.cancelled", prefix, ids, count, actor)
    return count


def retry(ids: Sequence[UUID] | None = None, *, prefix: str | None = None, actor: str = PROGRAM) -> int:
    """Queue failed and cancelled jobs again with all their attempts; others are left alone."""
    now = clock.now()
    with transaction.atomic():
        rows = _selected(prefix, ids).filter(state__in=[Job.State.FAILED, Job.State.CANCELLED])
        queues = list(rows.order_by().values_list("queue", flat=True))
        count = rows.update(
            state=Job.State.QUEUED, attempts=0, interruptions=0, token=None, lease_expires_at=None, reason="",
            progress=0, worker="", queued_at=now, due_at=None, started_at=None, finished_at=None, sent_at=now,
        )  # fmt: skip
        _audit("jobs.retried", prefix, ids, count, actor)
        for queue in set(queues):
            dispatch.wake_workers(queue, _wake_ups(queues.count(queue)))
    return count


_SUBMITTED = (
    "kind", "queue", "payload", "priority", "total", "max_attempts", "created_at", "queued_at", "sent_at",
)  # fmt: skip


def _row(submission: Submission) -> Job:
    if submission.kind not in settings.JOB_HANDLERS:
        raise ValueError(f"No handler is registered for {submission.kind!r}: add it to JOB_HANDLERS.")
    if submission.queue not in settings.QUEUES:
        raise ValueError(f"There is no queue {submission.queue!r}: use one of {', '.join(settings.QUEUES)}.")
    now = clock.now()
    return Job(
        key=submission.key, kind=submission.kind, queue=submission.queue, payload=submission.payload,
        priority=submission.priority, total=submission.total, max_attempts=settings.JOB_MAX_ATTEMPTS,
        created_at=now, queued_at=now, sent_at=now,
    )  # fmt: skip


def _selected(prefix: str | None, ids: Sequence[UUID] | None) -> QuerySet[Job]:
    if (prefix is None) == (ids is None):
        raise ValueError("Name the jobs either by a key prefix or by their ids, not by both or neither.")
    return with_prefix(prefix) if prefix is not None else Job.objects.filter(pk__in=list(ids or ()))


def _audit(verb: str, prefix: str | None, ids: Sequence[UUID] | None, count: int, actor: str) -> None:
    if count:
        subject = prefix if prefix is not None else f"{len(ids or ())} jobs"
        data = {"count": count, "ids": sorted(str(key) for key in ids or ()), "prefix": prefix}
        record(INSTALLATION, actor, verb, subject[:120], data)


def _wake_ups(jobs: int) -> int:
    """Enough for every worker to hear of it, not one per job: an awake worker goes on by itself."""
    return max(1, min(jobs, 16))


def _batches(rows: list[Job]) -> Iterable[list[Job]]:
    return (rows[start : start + BATCH] for start in range(0, len(rows), BATCH))
