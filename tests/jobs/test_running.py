"""What a worker does with a handler that returns, fails, loses its job or must stop."""

from __future__ import annotations

import errno
import os
import signal
import threading

import pytest
from django.db import OperationalError

from readerstudy.cases.stores import PixelsAway
from readerstudy.jobs import actions, claims, worker
from readerstudy.jobs.claims import Claim, JobFailure, ShuttingDown, WorkerUnfit
from readerstudy.jobs.models import Job

pytestmark = pytest.mark.django_db
calls: list[str] = []


def good(claim: Claim) -> None:
    calls.append(claim.key)


def refused(claim: Claim) -> None:
    raise JobFailure("The case was withdrawn: take it out of the run.")


def broken(claim: Claim) -> None:
    raise ZeroDivisionError("division by zero")


def stolen(claim: Claim) -> None:
    Job.objects.update(state=Job.State.CANCELLED, token=None)
    claim.progress(1)


def unfit(claim: Claim) -> None:
    raise WorkerUnfit("CUDA error: an illegal memory access was encountered")


def offline(claim: Claim) -> None:
    raise OperationalError("server closed the connection")


def bucketless(claim: Claim) -> None:
    raise PixelsAway("the bucket does not answer")


def diskless(claim: Claim) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def late(claim: Claim) -> None:
    claim.heartbeat()


def told_to_stop(claim: Claim) -> None:
    raise ShuttingDown


@pytest.fixture(autouse=True)
def handlers(settings, monkeypatch):
    names = (
        "good",
        "refused",
        "broken",
        "stolen",
        "unfit",
        "offline",
        "bucketless",
        "diskless",
        "late",
        "told_to_stop",
    )
    settings.JOB_HANDLERS = {name: f"{__name__}.{name}" for name in names} | {"gone": "nowhere.handler"}
    monkeypatch.setattr(worker, "stopping", threading.Event())
    calls.clear()


def outcome(kind: str) -> Job:
    actions.submit(kind, kind, {})
    worker.work("cpu")
    return Job.objects.get(key=kind)


def test_all_that_waits_is_done(time):
    for key in ("1", "2", "3"):
        actions.submit(key, "good", {})
    assert worker.work("cpu") is False
    assert calls == ["1", "2", "3"]
    assert set(Job.objects.values_list("state", flat=True)) == {"done"}


def test_a_long_queue_is_left_now_and_then_for_celerys_own_business(time):
    actions.submit("1", "good", {})
    assert worker.work("cpu", seconds=-1) is True
    assert calls == []


def test_a_handlers_verdict_is_kept_word_for_word(time):
    job = outcome("refused")
    assert (job.state, job.reason) == ("failed", "The case was withdrawn: take it out of the run.")


def test_an_unforeseen_error_is_tried_again_with_its_name(time, caplog):
    job = outcome("broken")
    assert (job.state, job.attempts, job.reason) == ("queued", 1, "ZeroDivisionError: division by zero")
    assert "broken" in caplog.text


def test_a_handler_that_can_not_be_imported_fails_with_a_reason(time):
    assert "nowhere" in outcome("gone").reason


def test_a_kind_whose_handler_was_removed(time, settings):
    actions.submit("a", "good", {})
    settings.JOB_HANDLERS = {}
    worker.work("cpu")
    job = Job.objects.get()
    assert (job.state, job.reason) == (
        "failed",
        "No handler is registered for the kind 'good': add it to JOB_HANDLERS.",
    )


def test_a_lost_job_is_left_alone(time):
    job = outcome("stolen")
    assert (job.state, job.progress) == ("cancelled", 0)


def test_an_unfit_process_ends_itself_and_the_job_is_tried_again(time, monkeypatch):
    killed = []
    monkeypatch.setattr(os, "kill", lambda pid, number: killed.append((pid, number)))
    actions.submit("after", "good", {}, priority=-1)
    job = outcome("unfit")
    assert killed == [(os.getpid(), signal.SIGTERM)]
    assert (job.state, job.reason) == ("queued", "CUDA error: an illegal memory access was encountered")
    assert calls == [], "no other job runs in a broken process"


def test_a_database_that_goes_away_costs_no_attempt(time):
    job = outcome("offline")
    assert (job.state, job.attempts, job.interruptions) == ("queued", 0, 1)


def test_a_store_of_images_that_goes_away_costs_no_attempt(time, monkeypatch):
    monkeypatch.setattr(worker, "AWAY_SECONDS", 0.0)
    job = outcome("bucketless")
    assert (job.state, job.attempts, job.interruptions) == ("queued", 0, 1)
    assert "store of the images" in job.reason


def test_a_full_disk_costs_no_attempt_and_is_waited_for_longer_each_time(time, monkeypatch):
    monkeypatch.setattr(worker, "AWAY_SECONDS", 0.0)
    actions.submit("diskless", "diskless", {})
    pauses = []
    for _ in range(claims.MAX_INTERRUPTIONS + 3):
        worker.work("cpu")
        job = Job.objects.get()
        assert (job.state, job.attempts) == ("queued", 0)
        assert job.reason == "The disk of this installation is full"
        assert job.due_at is not None
        pauses.append((job.due_at - time.wall).total_seconds())
        time.run(pauses[-1])
    assert pauses[:8] == [1, 2, 4, 8, 16, 32, 60, 60] and pauses[-1] == 60


def test_a_handler_past_its_time_is_tried_again(time, settings):
    settings.JOB_SECONDS = -1
    job = outcome("late")
    assert (job.state, job.reason) == ("queued", "The job took longer than -1 s.")


def test_an_interrupted_job_goes_back_uncounted(time, monkeypatch):
    actions.submit("a", "told_to_stop", {})
    taken = claims.claim("cpu", "w")
    worker.run(taken)
    job = Job.objects.get()
    assert (job.state, job.attempts) == ("queued", 0)


def test_a_stopping_worker_claims_nothing(time):
    worker.stop()
    actions.submit("a", "good", {})
    assert worker.work("cpu") is False
    assert calls == []


def test_a_database_that_restarts_is_waited_for_when_a_job_ends(time, monkeypatch):
    tries = []

    def write() -> None:
        tries.append(1)
        if len(tries) < 3:
            raise OperationalError("starting up")

    monkeypatch.setattr(worker.time, "sleep", lambda _: None)
    monkeypatch.setattr(worker.connection, "close", lambda: None)
    worker._settle(write)
    assert len(tries) == 3


class TestHandlersThatDoNotLetGo:
    @pytest.fixture
    def heartbeat(self, time, monkeypatch):
        actions.submit("a", "good", {})
        monkeypatch.setattr(worker.os, "_exit", lambda status: (_ for _ in ()).throw(SystemExit(status)))
        return worker.Heartbeat(claims.claim("cpu", "w"))

    def test_asked_to_end_the_job_goes_back_after_a_grace(self, heartbeat, monkeypatch):
        worker.stop()
        heartbeat._tick()
        assert heartbeat._claim.stopping.is_set()
        assert Job.objects.get().state == "running"
        monkeypatch.setattr(worker, "GRACE_SECONDS", -1.0)
        with pytest.raises(SystemExit) as ended:
            heartbeat._tick()
        assert ended.value.code == 0
        job = Job.objects.get()
        assert (job.state, job.attempts) == ("queued", 0)

    def test_far_beyond_its_time_the_process_ends(self, heartbeat, settings):
        settings.JOB_SECONDS = -1
        with pytest.raises(SystemExit) as ended:
            heartbeat._tick()
        assert ended.value.code == 1
        job = Job.objects.get()
        assert (job.state, job.attempts) == ("queued", 1)
        assert job.reason == "The job took longer than -1 s and did not stop when asked to."

    def test_also_when_the_job_was_cancelled_meanwhile(self, heartbeat, settings):
        actions.cancel(prefix="a")
        settings.JOB_SECONDS = -1
        with pytest.raises(SystemExit):
            heartbeat._tick()
        assert Job.objects.get().state == "cancelled"

    def test_the_lease_is_renewed_every_third(self, heartbeat, time, settings):
        time.run(20)
        heartbeat._tick()
        before = Job.objects.get().lease_expires_at
        heartbeat._beaten -= settings.JOB_LEASE_SECONDS / 3 + 1
        heartbeat._tick()
        assert (Job.objects.get().lease_expires_at - before).total_seconds() == 20
