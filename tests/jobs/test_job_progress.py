"""Counts, rate, time left, workers and failures."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command

from readerstudy.jobs import queries
from readerstudy.jobs.claims import claim, fail, finish
from readerstudy.jobs.models import Job, Worker

pytestmark = pytest.mark.django_db


def test_nothing_yet(time):
    counts = queries.counts("s:")
    assert (counts.queued, counts.total, counts.rate, counts.eta_seconds) == (0, 0, None, 0.0)
    assert queries.oldest_queued_age() is None
    assert queries.workers() == queries.failures() == []


def test_progress_rate_and_time_left(submit, time):
    for key in ("s:1", "s:2", "s:3"):
        submit(key, total=16)
    submit("other", total=100)
    first = claim("cpu", "w")
    assert first.key == "other"
    for _ in range(2):
        held = claim("cpu", "w")
        time.run(16)
        held.progress(16)
        if held.key == "s:1":
            finish(held)
    counts = queries.counts("s:")
    assert (counts.queued, counts.running, counts.done, counts.open) == (1, 1, 1, 2)
    assert (counts.progress, counts.total) == (32, 48)
    assert counts.rate == pytest.approx(1.0)
    assert counts.eta_seconds == pytest.approx(16.0)


def test_failed_and_cancelled_work_is_not_waited_for(submit):
    submit("s:1", total=4)
    submit("s:2", total=4)
    fail(claim("cpu", "w"), "bad case", retry=False)
    Job.objects.filter(key="s:2").update(state=Job.State.CANCELLED)
    counts = queries.counts("s:")
    assert (counts.failed, counts.cancelled, counts.eta_seconds) == (1, 1, 0.0)


def test_old_work_does_not_count_for_the_rate(submit, time):
    submit("s:1")
    held = claim("cpu", "w")
    time.run(1)
    finish(held)
    time.run(3600)
    submit("s:2")
    counts = queries.counts("s:")
    assert (counts.rate, counts.eta_seconds) == (None, None)


def test_the_age_of_the_oldest_job_that_could_run(submit, time):
    submit("a")
    time.run(90)
    submit("b")
    assert queries.oldest_queued_age() == pytest.approx(90)
    Job.objects.filter(key="a").update(state=Job.State.DONE)
    assert queries.oldest_queued_age() == 0


def test_failures_and_workers_are_listed(submit, time):
    submit("s:1")
    fail(claim("cpu", "w"), "The mask is empty.", retry=False)
    job = submit("s:2")
    now = time.wall
    Worker.objects.create(host="b", pid=2, queue="gpu", started_at=now, seen_at=now, current=job)
    time.run(7)
    (failure,) = queries.failures("s:")
    assert (failure.key, failure.reason, failure.attempts) == ("s:1", "The mask is empty.", 1)
    (worker,) = queries.workers()
    assert (worker.current, worker.queue, worker.seen_seconds_ago) == ("s:2", "gpu", 7)


def test_one_query_however_many_jobs(submit, django_assert_num_queries):
    for number in range(20):
        submit(f"s:{number}")
    with django_assert_num_queries(1):
        queries.counts("s:")


def test_the_command_prints_the_table_and_retries(submit):
    submit("s:1")
    fail(claim("cpu", "w"), "The mask is empty.", retry=False)
    out = StringIO()
    call_command("jobs", stdout=out)
    assert "failed work s:1: The mask is empty." in out.getvalue()
    out = StringIO()
    call_command("jobs", "--retry", "--prefix", "s:", stdout=out)
    assert "1 jobs were queued again." in out.getvalue()
    assert "No worker is running: start one with `manage.py up`" in out.getvalue()
    assert Job.objects.get().state == Job.State.QUEUED
