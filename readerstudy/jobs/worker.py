"""What a worker process does: claim, run the handler under a heartbeat, settle, end cleanly when asked."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any, cast
from uuid import UUID, uuid4

from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, connection

from readerstudy.accounts.outages import outage_of
from readerstudy.jobs import claims, clock, dispatch
from readerstudy.jobs.claims import Claim
from readerstudy.jobs.models import Worker

log = logging.getLogger(__name__)
Handler = Callable[[Claim], None]

WORKER_ID = UUID(os.environ["READERSTUDY_WORKER_ID"]) if "READERSTUDY_WORKER_ID" in os.environ else uuid4()
GRACE_SECONDS = 4.0
HARD_LIMIT = 1.25
DATABASE_GONE = (OperationalError, InterfaceError)
AWAY_SECONDS = 3.0  # before the next job, while something that jobs need is away

stopping = threading.Event()
_idle_since = time.monotonic()
_busy = threading.Event()


def start(queues: list[str]) -> None:
    """Enter the worker table, start the reaper, and look for work left over from before."""
    from readerstudy.jobs.reaper import Reaper

    enter(queues)
    Reaper(queues).start()
    for queue in queues:
        dispatch.send(queue)


def enter(queues: list[str]) -> None:
    """Write or renew this process's row in the worker table."""
    now = clock.now()
    idle = {} if _busy.is_set() else {"current": None}
    changed = Worker.objects.filter(pk=WORKER_ID).update(seen_at=now, **idle)
    if not changed:
        Worker.objects.create(
            id=WORKER_ID, host=socket.gethostname()[:120], pid=os.getpid(), queue=",".join(queues),
            started_at=now, seen_at=now,
        )  # fmt: skip


def stop() -> None:
    """Asked to end: no further claims; the running handler is interrupted at its next heartbeat."""
    stopping.set()


def leave() -> None:
    """Take this process out of the worker table."""
    try:
        Worker.objects.filter(pk=WORKER_ID).delete()
    except DatabaseError:
        log.warning("The worker's row stays until the reaper removes it: the database does not answer.")


def idle_seconds() -> float:
    """How long this process has had nothing to do; 0 while a job runs."""
    return 0.0 if _busy.is_set() else time.monotonic() - _idle_since


def work(queue: str, seconds: float | None = None) -> bool:
    """Claim and run until nothing is left (False) or ``seconds`` are over and there may be more (True)."""
    global _idle_since
    begun = time.monotonic()
    _busy.set()
    try:
        while not stopping.is_set():
            if seconds is not None and time.monotonic() - begun > seconds:
                return True
            taken = claims.claim(queue, str(WORKER_ID))
            if taken is None:
                return False
            run(taken)
        return False
    finally:
        _idle_since = time.monotonic()
        _busy.clear()


def run(taken: Claim) -> None:
    """Run one job's handler and record how it ended; never raises for the handler's sake."""
    heartbeat = Heartbeat(taken)
    heartbeat.start()
    try:
        _handle(taken)
    except claims.LostLease as lost:
        log.warning("%s", lost)
    finally:
        heartbeat.end()


def _handle(taken: Claim) -> None:
    try:
        _handler(taken.kind)(taken)
        _settle(lambda: claims.finish(taken))
    except claims.ShuttingDown:
        _settle(lambda: claims.release(taken))
    except claims.OutOfTime as late:
        reason = str(late)
        _settle(lambda: claims.fail(taken, reason, retry=True))
    except claims.JobFailure as failure:
        verdict = failure
        _settle(lambda: claims.fail(taken, verdict.reason, retry=verdict.retry))
        if isinstance(failure, claims.WorkerUnfit):
            log.error("The worker ends and is replaced: %s", failure.reason)
            stopping.set()
            os.kill(os.getpid(), signal.SIGTERM)
    except DATABASE_GONE as error:
        log.warning("The database went away during %s: %s", taken.key, error)
        _settle(lambda: claims.release(taken, "the database went away while the job ran"))
    except Exception as error:
        if outage := outage_of(error):
            log.warning("%s, during %s.", outage.title, taken.key)
            _settle(lambda: claims.release(taken, outage.title))
            time.sleep(AWAY_SECONDS)
            return
        log.exception("The job %s (%s) failed.", taken.key, taken.kind)
        sentence = f"{type(error).__name__}: {error}"
        _settle(lambda: claims.fail(taken, sentence, retry=True))


def _handler(kind: str) -> Handler:
    """The function registered for a kind; imported only here, so that the web process never does."""
    path = settings.JOB_HANDLERS.get(kind)
    if path is None:
        raise claims.JobFailure(f"No handler is registered for the kind {kind!r}: add it to JOB_HANDLERS.")
    module, _, name = path.rpartition(".")
    return cast(Handler, getattr(import_module(module), name))


def _settle(write: Callable[[], Any]) -> None:
    """Write how a job ended, waiting for a database that restarts; after a lease the job is another's."""
    until = time.monotonic() + settings.JOB_LEASE_SECONDS
    while True:
        try:
            write()
            return
        except DATABASE_GONE:
            if time.monotonic() > until:
                raise
            connection.close()
            time.sleep(0.5)


class Heartbeat(threading.Thread):
    """Renews the lease while a handler computes, and ends the process when the handler does not let go.

    A solo worker has no other means against a handler that hangs: its main thread is the one that hangs.
    """

    def __init__(self, taken: Claim) -> None:
        super().__init__(name=f"heartbeat-{taken.key}", daemon=True)
        self._claim, self._over = taken, threading.Event()
        self._beaten = time.monotonic()
        self._asked: float | None = None

    def end(self) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        try:
            while not self._over.wait(min(0.5, settings.JOB_LEASE_SECONDS / 6)):
                self._tick()
        finally:
            connection.close()

    def _tick(self) -> None:
        now = time.monotonic()
        try:
            if now - self._beaten > settings.JOB_LEASE_SECONDS / 3:
                self._claim.renew()
                self._beaten = now
            if stopping.is_set():
                self._interrupt(now)
            elif now - self._claim.started > HARD_LIMIT * claims.time_limit(self._claim.kind):
                self._give_up()
        except claims.LostLease:
            # The handler learns it at its next write; until then it computes for nothing, which does no harm.
            self._beaten = now
        except DatabaseError as error:
            log.warning("No heartbeat for %s: %s", self._claim.key, error)
            connection.close()

    def _interrupt(self, now: float) -> None:
        self._claim.stopping.set()
        self._asked = self._asked or now
        if now - self._asked > GRACE_SECONDS:
            claims.release(self._claim)
            leave()
            os._exit(0)

    def _give_up(self) -> None:
        reason = f"The job took longer than {claims.time_limit(self._claim.kind):g} s and did not stop when asked to."
        with suppress(claims.LostLease):
            claims.fail(self._claim, reason, retry=True)
        log.error("%s The worker ends and is replaced.", reason)
        leave()
        os._exit(1)
