"""Nothing is written by an attempt that no longer holds the job."""

from __future__ import annotations

import pytest

from readerstudy.jobs import actions, claims
from readerstudy.jobs.claims import LostLease, OutOfTime, ShuttingDown, claim, fail, finish, release
from readerstudy.jobs.models import Job, Lease

pytestmark = pytest.mark.django_db


@pytest.fixture
def rivals(submit, time):
    """Two claims of one job: the first attempt is stale, the second holds it."""
    submit("a", total=3)
    first = claim("cpu", "one")
    time.run(31)
    return first, claim("cpu", "two")


def row(name: str) -> None:
    """Any row a handler might write."""
    Lease.objects.create(name=name, holder="handler", expires_at="2026-01-01T00:00Z")


@pytest.mark.parametrize("write", [
    lambda held: held.heartbeat(),
    lambda held: held.progress(1),
    finish,
    lambda held: fail(held, "too late", retry=True),
])  # fmt: skip
def test_a_stale_attempt_can_record_nothing(rivals, write):
    stale, held = rivals
    with pytest.raises(LostLease, match=r"The job a is no longer held by this worker\."):
        write(stale)
    job = Job.objects.get()
    assert (job.state, job.token, job.progress, job.reason) == (Job.State.RUNNING, held.token, 0, "")


def test_a_stale_release_changes_nothing(rivals):
    stale, held = rivals
    assert not release(stale)
    held.heartbeat()


def test_a_stale_attempts_rows_are_never_committed(rivals):
    stale, held = rivals
    with pytest.raises(LostLease), stale.fenced():
        row("stale")
    with held.fenced():
        row("held")
    assert list(Lease.objects.values_list("name", flat=True)) == ["held"]


def test_a_stale_finish_after_the_other_is_done(rivals):
    stale, held = rivals
    finish(held)
    with pytest.raises(LostLease):
        finish(stale)


def test_rows_and_the_end_of_the_job_commit_together(rivals):
    _, held = rivals
    with pytest.raises(RuntimeError), held.fenced():
        row("half")
        held.finish()
        raise RuntimeError("power cut")
    assert not Lease.objects.exists()
    assert Job.objects.get().state == Job.State.RUNNING
    with held.fenced():
        row("whole")
        held.finish()
    assert Lease.objects.count() == 1
    assert Job.objects.get().state == Job.State.DONE


def test_a_heartbeat_keeps_the_job(submit, time):
    submit()
    held = claim("cpu", "w")
    for _ in range(5):
        time.run(20)
        held.heartbeat()
        assert claim("cpu", "other") is None


def test_an_expired_lease_nobody_took_still_holds(submit, time):
    submit()
    held = claim("cpu", "w")
    time.run(300)
    held.progress(1)
    assert claim("cpu", "other") is None


def test_a_cancelled_job_ends_its_handler(submit):
    submit("study:1:a")
    held = claim("cpu", "w")
    assert actions.cancel(prefix="study:1:") == 1
    with pytest.raises(LostLease), held.fenced():
        row("late")
    assert not Lease.objects.exists()


def test_a_handler_that_catches_exceptions_does_not_catch_the_end(rivals):
    stale, _ = rivals
    with pytest.raises(LostLease):
        try:
            stale.heartbeat()
        except Exception:
            pytest.fail("the handler swallowed it")


def test_a_stopping_worker_interrupts_after_the_progress_is_kept(submit):
    submit(total=3)
    held = claim("cpu", "w")
    held.stopping.set()
    with pytest.raises(ShuttingDown):
        held.progress(2)
    assert Job.objects.get().progress == 2


def test_a_handler_past_its_time_is_told(submit, settings):
    settings.JOB_SECONDS = -1
    submit()
    with pytest.raises(OutOfTime, match="The job took longer than -1 s"):
        claim("cpu", "w").heartbeat()
    assert claims.time_limit() == -1
