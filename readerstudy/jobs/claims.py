"""Taking a job, holding it and giving it back: every write is conditional on the token of the attempt."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet

from readerstudy.jobs import clock, dispatch
from readerstudy.jobs.models import Job, Worker

LONGEST_BACKOFF = timedelta(seconds=60)
MAX_INTERRUPTIONS = 50


class StopWork(BaseException):
    """Raised out of a claim's methods to end a handler.

    Not an ``Exception``, so that a handler that notes the failure of one slice and goes on can't swallow it.
    """


class LostLease(StopWork):
    """The job belongs to another worker or was cancelled: this attempt may write nothing any more."""


class ShuttingDown(StopWork):
    """The worker was asked to end: the job goes back to the queue and the attempt does not count."""


class OutOfTime(StopWork):
    """The handler has used more than ``JOB_SECONDS``."""


class JobFailure(Exception):
    """A handler's own verdict: ``reason`` in one sentence, and whether another try could help."""

    def __init__(self, reason: str, *, retry: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.retry = reason, retry


class WorkerUnfit(JobFailure):
    """The process can't be trusted any more (a dead CUDA context): a fresh worker tries the job again."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, retry=True)


@dataclass(frozen=True)
class Claim:
    """A job held by this process; the only thing a handler gets."""

    job_id: UUID
    key: str
    kind: str
    queue: str
    payload: dict[str, Any]
    attempt: int
    max_attempts: int
    total: int
    token: UUID
    worker: str = ""
    started: float = field(default_factory=time.monotonic, compare=False)
    stopping: threading.Event = field(default_factory=threading.Event, compare=False, repr=False)

    def held(self) -> QuerySet[Job]:
        """The job's row as long as this attempt holds it, else no row."""
        return Job.objects.filter(pk=self.job_id, state=Job.State.RUNNING, token=self.token)

    def heartbeat(self) -> None:
        """Extend the lease; raises ``StopWork`` when the handler must end."""
        self.renew()
        self._check()

    def progress(self, done: int) -> None:
        """State how many of ``total`` units are finished; extends the lease like ``heartbeat``.

        A job that gets further than ever before starts to count its attempts anew: workers may die under a long job
        as often as they like, and one that kills them at the same unit is still stopped.
        """
        further = self.held().filter(progress__lt=done)
        if not further.update(
            lease_expires_at=clock.now() + lease_length(), progress=done, attempts=1, interruptions=0
        ):
            self.renew()
        self._check()

    @contextmanager
    def fenced(self) -> Iterator[None]:
        """A transaction that commits only while this attempt holds the job; a handler writes in no other."""
        with transaction.atomic():
            self.renew()
            yield

    def finish(self) -> None:
        """Mark the job done; inside ``fenced`` it commits together with the handler's last write."""
        finish(self)

    def renew(self, **changes: Any) -> None:
        if not self.held().update(lease_expires_at=clock.now() + lease_length(), **changes):
            raise LostLease(f"The job {self.key} is no longer held by this worker.")

    def _check(self) -> None:
        if self.stopping.is_set():
            raise ShuttingDown(f"The worker ends; {self.key} goes back to the queue.")
        if time.monotonic() - self.started > time_limit(self.kind):
            raise OutOfTime(f"The job took longer than {time_limit(self.kind):g} s.")


def lease_length() -> timedelta:
    return timedelta(seconds=settings.JOB_LEASE_SECONDS)


def time_limit(kind: str = "") -> float:
    """Seconds one attempt may take before its handler is asked to end; ``JOB_SECONDS_OF`` names other limits."""
    return float(settings.JOB_SECONDS_OF.get(kind, getattr(settings, "JOB_SECONDS", 600)))


def due(now: datetime) -> Q:
    """Queued jobs that may start; a due time beyond the longest backoff comes from a clock since set back."""
    return Q(state=Job.State.QUEUED) & (
        Q(due_at=None) | Q(due_at__lte=now) | Q(due_at__gt=now + LONGEST_BACKOFF + timedelta(seconds=1))
    )


def expired(now: datetime) -> Q:
    """Running jobs whose worker is gone; a lease too far ahead was written by a clock since set back.

    Right after the clock was set every lease looks wrong: for one lease's length the living may renew.
    """
    if not clock.settled(settings.JOB_LEASE_SECONDS):
        return Q(pk__in=[])
    return Q(state=Job.State.RUNNING) & (Q(lease_expires_at__lt=now) | Q(lease_expires_at__gt=now + 2 * lease_length()))


def claim(queue: str, worker: str) -> Claim | None:
    """Take the next job of a queue, or None when nothing is left; ``worker`` is an id in the worker table."""
    while candidates := _candidates(queue, clock.now()):
        for job in candidates:
            if job.state == Job.State.RUNNING and job.attempts >= job.max_attempts:
                _exhaust(job)
            elif taken := _take(job, worker):
                return taken
    return None


def fail_exhausted() -> int:
    """Fail every job whose worker died in the last allowed attempt; returns how many."""
    rows = Job.objects.filter(expired(clock.now()), attempts__gte=F("max_attempts"))
    return sum(_exhaust(job) for job in rows)


def finish(held: Claim) -> None:
    """Mark done; harmless when this very attempt already did so, ``LostLease`` when another owns the job."""
    now = clock.now()
    with transaction.atomic():
        changed = held.held().update(
            state=Job.State.DONE, progress=F("total"), finished_at=now, lease_expires_at=None, reason=""
        )
        _row_of(held.worker).update(current=None)
    done = Job.objects.filter(pk=held.job_id, state=Job.State.DONE, token=held.token)
    if not changed and not done.exists():
        raise LostLease(f"The job {held.key} is no longer held by this worker.")


def fail(held: Claim, reason: str, retry: bool) -> None:
    """Record an error; with ``retry`` and attempts left the job is queued again after a pause."""
    now = clock.now()
    attempt = held.held().values_list("attempts", flat=True).first() or held.attempt
    again = retry and attempt < held.max_attempts
    if retry and not again:
        reason = f"stopped after {attempt} attempts: {reason}"
    with transaction.atomic():
        _row_of(held.worker).update(current=None)
        if again:
            pause = min(
                timedelta(seconds=getattr(settings, "JOB_BACKOFF_SECONDS", 2)) * 2 ** (attempt - 1),
                LONGEST_BACKOFF,
            )
            changed = _requeue(held, now, due_at=now + pause, reason=reason)
        else:
            changed = held.held().update(state=Job.State.FAILED, finished_at=now, lease_expires_at=None, reason=reason)
    if not changed:
        raise LostLease(f"The job {held.key} is no longer held by this worker.")


def release(held: Claim, outage: str = "") -> bool:
    """Give the job back without counting the attempt; False when it was no longer held.

    ``outage`` says what jobs need and is away: the job waits, longer each time, until it is back. Without one, a job
    given back ``MAX_INTERRUPTIONS`` times starts to count, so that nothing can go round for ever.
    """
    now = clock.now()
    changes: dict[str, Any] = {}
    with transaction.atomic():
        _row_of(held.worker).update(current=None)
        before = held.held().values_list("interruptions", flat=True).first() or 0
        if outage:
            pause = min(timedelta(seconds=2 ** min(before, 10)), LONGEST_BACKOFF)
            changes |= {"due_at": now + pause, "reason": outage}
        if outage or before < MAX_INTERRUPTIONS:
            changes |= {"attempts": F("attempts") - 1, "interruptions": min(before + 1, MAX_INTERRUPTIONS)}
        changed = _requeue(held, now, **changes)
        dispatch.wake_workers(held.queue)
    return bool(changed)


def abandon(worker: str, *, counted: bool = True) -> int:
    """Free the jobs of a worker known to be dead at once; returns how many it held.

    ``counted`` says whether the attempt counts: not when the worker was ended on purpose.
    """
    now = clock.now()
    with transaction.atomic():
        rows = Job.objects.filter(state=Job.State.RUNNING, worker=worker)
        queues = list(rows.values_list("queue", flat=True))
        if counted:
            rows.update(lease_expires_at=now - timedelta(seconds=1))
        else:
            rows.filter(interruptions__lt=MAX_INTERRUPTIONS).update(
                state=Job.State.QUEUED, token=None, lease_expires_at=None, worker="", sent_at=None,
                attempts=F("attempts") - 1, interruptions=F("interruptions") + 1,
            )  # fmt: skip
        _row_of(worker).delete()
        for queue in set(queues):
            dispatch.wake_workers(queue)
    return len(queues)


def _candidates(queue: str, now: datetime) -> list[Job]:
    rows = Job.objects.filter(queue=queue).order_by("-priority", "queued_at", "key")
    found = [*rows.filter(due(now))[:8], *rows.filter(expired(now))[:8]]
    return sorted(found, key=lambda job: (-job.priority, job.queued_at, job.key))


def _unchanged(job: Job) -> QuerySet[Job]:
    """The row if nobody has touched it since it was read."""
    rows = Job.objects.filter(pk=job.pk, state=job.state, token=job.token)
    return rows.filter(lease_expires_at=job.lease_expires_at, attempts=job.attempts)


def _take(job: Job, worker: str) -> Claim | None:
    now, token = clock.now(), uuid4()
    with transaction.atomic():
        changed = _unchanged(job).update(
            state=Job.State.RUNNING, token=token, attempts=F("attempts") + 1, worker=worker,
            lease_expires_at=now + lease_length(), started_at=now, due_at=None,
        )  # fmt: skip
        if not changed:
            return None
        _row_of(worker).update(current=job.pk, seen_at=now)
    return Claim(
        job_id=job.pk, key=job.key, kind=job.kind, queue=job.queue, payload=job.payload, total=job.total,
        attempt=job.attempts + 1, max_attempts=job.max_attempts, token=token, worker=worker,
    )  # fmt: skip


def _exhaust(job: Job) -> int:
    if job.reason:
        reason = f"stopped after {job.attempts} attempts: the worker died in the last one; before: {job.reason}"
    else:
        reason = f"stopped after {job.attempts} attempts: the worker died each time"
    return _unchanged(job).update(
        state=Job.State.FAILED, finished_at=clock.now(), lease_expires_at=None, token=None, reason=reason
    )


def _requeue(held: Claim, now: datetime, **changes: Any) -> int:
    return held.held().update(
        **{"state": Job.State.QUEUED, "token": None, "lease_expires_at": None, "worker": "", "sent_at": None} | changes
    )


def _row_of(worker: str) -> QuerySet[Worker]:
    """The worker's row; none for a caller that is not in the worker table (a test, a shell)."""
    try:
        return Worker.objects.filter(pk=UUID(worker))
    except ValueError:
        return Worker.objects.none()
