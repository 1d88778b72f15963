"""What a claim takes, in which order, and how it ends."""

from __future__ import annotations

from datetime import timedelta

import pytest

from readerstudy.jobs import claims
from readerstudy.jobs.claims import claim, fail, finish, release
from readerstudy.jobs.models import Job, Worker

pytestmark = pytest.mark.django_db


def test_an_empty_queue_gives_nothing(time):
    assert claim("cpu", "w") is None


def test_a_claim_carries_the_job_and_takes_it_from_the_others(submit):
    job = submit("a", total=4)
    taken = claim("cpu", "w")
    assert (taken.job_id, taken.key, taken.kind, taken.total, taken.attempt) == (job.pk, "a", "work", 4, 1)
    assert claim("cpu", "w") is None
    job.refresh_from_db()
    assert (job.state, job.attempts, job.worker, job.token) == (Job.State.RUNNING, 1, "w", taken.token)


def test_larger_priority_first_then_the_oldest_then_the_key(submit, time):
    submit("b")
    submit("a")
    time.run(1)
    submit("0")
    submit("urgent", priority=5)
    assert [claim("cpu", "w").key for _ in range(4)] == ["urgent", "a", "b", "0"]


def test_queues_are_apart(submit):
    submit("a", queue="gpu")
    assert claim("cpu", "w") is None
    assert claim("gpu", "w").key == "a"


def test_the_worker_table_shows_what_it_does(submit, time):
    worker = Worker.objects.create(host="h", pid=1, queue="cpu", started_at=time.wall, seen_at=time.wall)
    job = submit()
    taken = claim("cpu", str(worker.pk))
    worker.refresh_from_db()
    assert worker.current_id == job.pk
    finish(taken)
    worker.refresh_from_db()
    assert worker.current_id is None


def test_finishing_twice_is_harmless_and_completes_the_progress(submit):
    job = submit(total=7)
    taken = claim("cpu", "w")
    finish(taken)
    finish(taken)
    job.refresh_from_db()
    assert (job.state, job.progress, job.lease_expires_at) == (Job.State.DONE, 7, None)


def test_a_failure_worth_a_retry_waits_longer_each_time_and_then_stops(submit, time):
    job = submit()
    for pause in (2, 4):
        fail(claim("cpu", "w"), "no memory", retry=True)
        job.refresh_from_db()
        assert (job.state, job.reason) == (Job.State.QUEUED, "no memory")
        assert claim("cpu", "w") is None
        time.run(pause)
    fail(claim("cpu", "w"), "no memory", retry=True)
    job.refresh_from_db()
    assert (job.state, job.reason) == (Job.State.FAILED, "stopped after 3 attempts: no memory")
    time.run(3600)
    assert claim("cpu", "w") is None


def test_a_failure_for_good_stops_at_once(submit):
    job = submit()
    fail(claim("cpu", "w"), "The case was withdrawn.", retry=False)
    job.refresh_from_db()
    assert (job.state, job.reason, job.attempts) == (Job.State.FAILED, "The case was withdrawn.", 1)


def test_an_expired_lease_is_taken_over_with_a_new_token(submit, time):
    submit()
    first = claim("cpu", "dead")
    time.run(29)
    assert claim("cpu", "w") is None
    time.run(2)
    second = claim("cpu", "w")
    assert (second.attempt, second.job_id) == (2, first.job_id)
    assert second.token != first.token


def test_a_job_that_kills_its_worker_stops_after_three(submit, time):
    job = submit()
    for _ in range(3):
        assert claim("cpu", "w") is not None
        time.run(31)
    assert claim("cpu", "w") is None
    job.refresh_from_db()
    assert (job.state, job.attempts) == (Job.State.FAILED, 3)
    assert job.reason == "stopped after 3 attempts: the worker died each time"


def test_attempts_count_since_the_job_last_got_further(submit, time):
    """Workers may die under a long job as often as they like, as long as each brings it further."""
    job = submit(total=9)
    for done in range(1, 8):
        claim("cpu", "w").progress(done)
        time.run(31)
    for _ in range(2):
        again = claim("cpu", "w")
        for done in (1, 7):
            again.progress(done)  # what was done before is no progress, and the bar doesn't go back
        time.run(31)
        job.refresh_from_db()
        assert job.progress == 7
    assert claim("cpu", "w") is None
    job.refresh_from_db()
    assert (job.state, job.attempts) == (Job.State.FAILED, 3)


def test_a_retry_after_progress_has_all_its_tries(submit, time):
    job = submit(total=9)
    for done in (1, 2, 3, 4, 4, 4):
        held = claim("cpu", "w")
        held.progress(done)
        fail(held, "no memory", retry=True)
        time.run(61)
    job.refresh_from_db()
    assert (job.state, job.reason) == (Job.State.FAILED, "stopped after 3 attempts: no memory")


def test_the_last_recorded_error_stays_beside_the_death(submit, time):
    job = submit()
    fail(claim("cpu", "w"), "disk full", retry=True)
    for _ in range(2):
        time.run(31)
        assert claim("cpu", "w") is not None
    time.run(31)
    assert claims.fail_exhausted() == 1
    job.refresh_from_db()
    assert job.reason == "stopped after 3 attempts: the worker died in the last one; before: disk full"


def test_released_work_does_not_count_as_an_attempt(submit, sent, django_capture_on_commit_callbacks):
    job = submit()
    with django_capture_on_commit_callbacks(execute=True):
        assert release(claim("cpu", "w"))
    job.refresh_from_db()
    assert (job.state, job.attempts, job.interruptions, job.token) == (Job.State.QUEUED, 0, 1, None)
    assert sent == [("cpu", 1)]


def test_releasing_for_ever_counts_in_the_end(submit):
    job = submit()
    Job.objects.update(interruptions=claims.MAX_INTERRUPTIONS)
    release(claim("cpu", "w"))
    job.refresh_from_db()
    assert job.attempts == 1


def test_abandoning_a_dead_worker_frees_its_job_at_once(submit, time):
    worker = Worker.objects.create(host="h", pid=1, queue="cpu", started_at=time.wall, seen_at=time.wall)
    submit()
    claim("cpu", str(worker.pk))
    assert claims.abandon(str(worker.pk)) == 1
    assert claim("cpu", "w").attempt == 2
    assert not Worker.objects.exists()


def test_a_worker_ended_on_purpose_costs_its_job_no_attempt(submit):
    job = submit()
    claim("cpu", "w-1")
    assert claims.abandon("w-1", counted=False) == 1
    job.refresh_from_db()
    assert (job.state, job.attempts, job.token) == (Job.State.QUEUED, 0, None)


class TestClockChanges:
    def test_an_hour_back_does_not_hold_up_a_dead_workers_job(self, submit, time):
        submit()
        claim("cpu", "dead")
        time.set(timedelta(hours=-1))
        assert claim("cpu", "w") is None, "the living get one lease to renew"
        time.run(31)
        assert claim("cpu", "w").attempt == 2

    def test_a_day_forward_does_not_take_a_living_workers_job(self, submit, time):
        submit()
        held = claim("cpu", "living")
        time.set(timedelta(days=1))
        assert claim("cpu", "w") is None
        time.run(10)
        held.heartbeat()
        time.run(25)
        assert claim("cpu", "w") is None
        held.progress(1)

    def test_an_hour_back_does_not_hold_up_a_retry(self, submit, time):
        submit()
        fail(claim("cpu", "w"), "again", retry=True)
        time.set(timedelta(hours=-1))
        assert claim("cpu", "w").attempt == 2
