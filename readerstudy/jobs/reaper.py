"""The reaper: a thread in every worker; one of them repairs what crashes and lost messages left."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from datetime import datetime, timedelta

from django.conf import settings
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import Q

from readerstudy.jobs import claims, clock, dispatch, queries, worker
from readerstudy.jobs.models import Job, Lease, Worker
from readerstudy.jobs.queries import alive_for
from readerstudy.jobs.upkeep import keep_up

log = logging.getLogger(__name__)
NAME = "reaper"
DEAF_SECONDS = 60.0
ALARM_EVERY = 600.0
_alarmed_at: float | None = None


class Reaper(threading.Thread):
    """Calls ``tick`` every ``REAPER_SECONDS`` on its own connection; waits for a database that is away."""

    def __init__(self, queues: list[str]) -> None:
        super().__init__(name="reaper", daemon=True)
        self._queues = queues

    def run(self) -> None:
        while not worker.stopping.wait(settings.REAPER_SECONDS):
            try:
                worker.enter(self._queues)
                tick(str(worker.WORKER_ID))
                if deaf(self._queues):
                    self._restart()
            except DatabaseError as error:
                log.warning("The reaper waits for the database: %s", error)
                connection.close()
        connection.close()

    def _restart(self) -> None:
        log.error("The worker hears no wake-ups although work waits; it ends and is replaced.")
        connection.close()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)
        os._exit(1)


def tick(holder: str) -> bool:
    """One round of the reaper; False when another process has the duty."""
    if not take_lease(NAME, holder, timedelta(seconds=3 * settings.REAPER_SECONDS)):
        return False
    claims.fail_exhausted()
    remove_dead_workers()
    for queue in settings.QUEUES:
        send_again(queue)
    sound_alarm()
    keep_up()
    return True


def sound_alarm() -> None:
    """Log a warning while a job waits too long, at once and then every ten minutes."""
    global _alarmed_at
    sentence = queries.alarm(settings.JOB_ALARM_SECONDS)
    if not sentence:
        _alarmed_at = None
    elif _alarmed_at is None or time.monotonic() - _alarmed_at >= ALARM_EVERY:
        _alarmed_at = time.monotonic()
        log.warning("%s", sentence)


def take_lease(name: str, holder: str, length: timedelta) -> bool:
    """Take or renew a duty; a lease too far ahead was written by a clock since set back."""
    now = clock.now()
    free = Q(holder=holder) | Q(expires_at__lt=now) | Q(expires_at__gt=now + 2 * length)
    if Lease.objects.filter(free, name=name).update(holder=holder, expires_at=now + length):
        return True
    try:
        with transaction.atomic():
            _, created = Lease.objects.get_or_create(name=name, defaults={"holder": holder, "expires_at": now + length})
    except IntegrityError:
        return False
    return created


def send_again(queue: str) -> int:
    """Wake idle workers while work waits whose wake-up was lost or never sent; returns how many were sent."""
    now = clock.now()
    waiting = Job.objects.filter(_unheard(now) | claims.expired(now), queue=queue)
    count = waiting.count()
    if not count:
        return 0
    seen = Worker.objects.filter(current=None, seen_at__gte=now - alive_for()).values_list("queue", flat=True)
    idle = sum(queue in served.split(",") for served in seen)
    sends = min(count, idle)
    if sends and dispatch.send(queue, sends):
        waiting.filter(state=Job.State.QUEUED).update(sent_at=now)
        return sends
    return 0


def remove_dead_workers() -> int:
    """Forget workers not seen for two leases (or seen in the future, by a clock since set back)."""
    now = clock.now()
    if not clock.settled(2 * settings.REAPER_SECONDS):
        return 0
    dead = Worker.objects.filter(Q(seen_at__lt=now - alive_for()) | Q(seen_at__gt=now + alive_for()))
    return dead.delete()[0]


def deaf(queues: list[str]) -> bool:
    """Whether this process has been idle for a minute while a job it could do was sent out again and again.

    Consumers have been seen to stop listening after a broker's restart while the process looked alive.
    """
    if worker.idle_seconds() < DEAF_SECONDS:
        return False
    now = clock.now()
    long_ago = now - timedelta(seconds=DEAF_SECONDS)
    waiting = Job.objects.filter(claims.due(now), queue__in=queues, queued_at__lt=long_ago)
    return waiting.filter(Q(due_at=None) | Q(due_at__lt=long_ago)).exists()


def _unheard(now: datetime) -> Q:
    """Queued and due jobs nobody has been woken for in the last few seconds."""
    pause = timedelta(seconds=max(3.0, settings.REAPER_SECONDS))
    unsent = Q(sent_at=None) | Q(sent_at__lt=now - pause) | Q(sent_at__gt=now + pause)
    return claims.due(now) & unsent
