"""The reaper repairs what crashes and lost messages leave behind."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from readerstudy.jobs import claims, reaper, worker
from readerstudy.jobs.models import Job, Worker

pytestmark = pytest.mark.django_db


@pytest.fixture
def enlist(time):
    def make(queue: str = "cpu", current: Job | None = None) -> Worker:
        return Worker.objects.create(
            host="h", pid=1, queue=queue, started_at=time.wall, seen_at=time.wall, current=current
        )

    return make


def test_one_process_has_the_duty_until_its_lease_ends(time, db):
    assert reaper.tick("one")
    assert not reaper.tick("two")
    assert reaper.tick("one")
    time.run(16)
    assert reaper.tick("two")
    assert not reaper.tick("one")


def test_a_clock_set_back_does_not_keep_the_duty_for_a_dead_process(time, db):
    reaper.tick("dead")
    time.set(timedelta(hours=-1))
    assert reaper.tick("two")


def test_a_lost_wake_up_is_sent_again_once_a_while(submit, enlist, time, sent):
    submit("a")
    enlist()
    assert reaper.send_again("cpu") == 0, "just sent"
    time.run(6)
    assert reaper.send_again("cpu") == 1
    assert reaper.send_again("cpu") == 0
    time.run(6)
    assert reaper.send_again("cpu") == 1
    assert sent == [("cpu", 1), ("cpu", 1)]


def test_a_wake_up_lost_before_the_clock_was_set_back_is_sent_again(submit, enlist, time):
    submit("a")
    time.set(timedelta(hours=-1))
    enlist()
    assert reaper.send_again("cpu") == 1


def test_only_idle_workers_of_the_queue_are_woken(submit, enlist, time, sent):
    busy = submit("busy")
    for number in range(5):
        submit(f"a{number}")
    claims.claim("cpu", "w")
    enlist(current=busy)
    enlist("gpu")
    time.run(6)
    assert reaper.send_again("cpu") == 0
    enlist("cpu,gpu")
    enlist("cpu")
    assert reaper.send_again("cpu") == 2
    assert sent == [("cpu", 2)]


def test_a_job_whose_worker_died_wakes_another(submit, enlist, time):
    submit("a")
    claims.claim("cpu", "dead")
    enlist()
    assert reaper.send_again("cpu") == 0
    time.run(31)
    Worker.objects.update(seen_at=time.wall)
    assert reaper.send_again("cpu") == 1


def test_a_tick_fails_jobs_that_killed_every_worker(submit, time):
    submit("a")
    for _ in range(3):
        claims.claim("cpu", "w")
        time.run(31)
    reaper.tick("one")
    assert Job.objects.get().state == Job.State.FAILED


def test_dead_workers_are_forgotten_and_living_ones_kept(enlist, time):
    dead = enlist()
    time.run(61)
    living = enlist()
    reaper.tick("one")
    assert list(Worker.objects.values_list("pk", flat=True)) == [living.pk]
    assert dead.pk != living.pk


def test_setting_the_clock_forward_does_not_kill_the_living(enlist, time):
    enlist()
    reaper.tick("one")
    time.set(timedelta(days=1))
    reaper.tick("one")
    assert Worker.objects.count() == 1


def test_a_worker_enters_once_and_is_seen_again(time, db, monkeypatch):
    monkeypatch.setattr(worker, "WORKER_ID", uuid4())
    worker.enter(["cpu", "gpu"])
    time.run(5)
    worker.enter(["cpu", "gpu"])
    row = Worker.objects.get()
    assert (row.queue, row.seen_at - row.started_at) == ("cpu,gpu", timedelta(seconds=5))
    worker.leave()
    assert not Worker.objects.exists()


def test_a_worker_that_hears_nothing_while_work_waits_is_deaf(submit, time, monkeypatch):
    monkeypatch.setattr(worker, "idle_seconds", lambda: 61.0)
    submit("a")
    assert not reaper.deaf(["cpu"])
    time.run(61)
    assert reaper.deaf(["cpu"])
    assert not reaper.deaf(["gpu"])
    monkeypatch.setattr(worker, "idle_seconds", lambda: 5.0)
    assert not reaper.deaf(["cpu"])
