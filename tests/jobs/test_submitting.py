"""Handing in, calling back and trying again."""

from __future__ import annotations

import pytest
from django.db import transaction

from readerstudy.audit.models import Entry
from readerstudy.jobs import actions, dispatch
from readerstudy.jobs.actions import Submission
from readerstudy.jobs.models import Job

pytestmark = pytest.mark.django_db


def test_a_repeated_key_changes_nothing(submit):
    first = submit("a", priority=1)
    second = actions.submit("a", "work", {"other": 1}, priority=9)
    assert (second.pk, second.priority, second.payload) == (first.pk, 1, {})


@pytest.mark.parametrize("state", [Job.State.DONE, Job.State.FAILED, Job.State.CANCELLED])
def test_handing_in_again_does_not_restart(submit, state):
    submit("a")
    Job.objects.update(state=state)
    assert actions.submit("a", "work", {}).state == state


def test_many_at_once_count_only_the_new(submit):
    submit("k3")
    again = [Submission(f"k{number}", "work", {"id": number}) for number in (*range(450), 7)]
    assert actions.submit_many(again) == 449
    assert actions.submit_many(again) == 0
    assert Job.objects.count() == 450
    assert Job.objects.get(key="k9").payload == {"id": 9}


def test_an_unknown_kind_or_queue_is_refused_with_what_to_do(db):
    with pytest.raises(ValueError, match=r"No handler is registered for 'dance': add it to JOB_HANDLERS\."):
        actions.submit("a", "dance", {})
    with pytest.raises(ValueError, match=r"There is no queue 'tpu': use one of cpu, gpu\."):
        actions.submit("a", "work", {}, queue="tpu")


def test_the_wake_up_goes_out_after_the_commit_and_once(submit, sent, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        submit("a")
        submit("a")
        assert sent == []
    assert sent == [("cpu", 1)]


def test_nothing_is_sent_when_the_transaction_fails(submit, sent, django_capture_on_commit_callbacks):
    with (
        django_capture_on_commit_callbacks(execute=True),
        pytest.raises(RuntimeError),
        transaction.atomic(),
    ):
        submit("a")
        raise RuntimeError
    assert sent == []
    assert not Job.objects.exists()


def test_cancel_reaches_queued_and_running_but_not_done(submit):
    for key in ("s:1", "s:2", "s:3", "t:1"):
        submit(key)
    Job.objects.filter(key="s:2").update(state=Job.State.RUNNING)
    Job.objects.filter(key="s:3").update(state=Job.State.DONE)
    assert actions.cancel(prefix="s:", actor="u-1") == 2
    states = dict(Job.objects.values_list("key", "state"))
    assert states == {"s:1": "cancelled", "s:2": "cancelled", "s:3": "done", "t:1": "queued"}
    entry = Entry.objects.get()
    assert (entry.verb, entry.actor, entry.subject, entry.data["count"]) == ("jobs.cancelled", "u-1", "s:", 2)


def test_a_prefix_is_taken_literally_and_minds_case(submit):
    for key in ("a_1", "aX1", "A_1"):
        submit(key)
    assert actions.cancel(prefix="a_") == 1
    assert Job.objects.get(key="a_1").state == Job.State.CANCELLED


def test_retry_gives_failed_and_cancelled_jobs_a_fresh_start(submit, sent, django_capture_on_commit_callbacks):
    failed, cancelled, done = submit("f", total=3), submit("c"), submit("d")
    Job.objects.filter(pk=failed.pk).update(state="failed", attempts=3, reason="x", progress=2)
    Job.objects.filter(pk=cancelled.pk).update(state="cancelled")
    Job.objects.filter(pk=done.pk).update(state="done")
    with django_capture_on_commit_callbacks(execute=True):
        assert actions.retry([failed.pk, cancelled.pk, done.pk]) == 2
    failed.refresh_from_db()
    assert (failed.state, failed.attempts, failed.reason, failed.progress) == ("queued", 0, "", 0)
    assert sent == [("cpu", 2)]
    assert actions.claim("cpu", "w").attempt == 1
    assert Entry.objects.get().verb == "jobs.retried"


def test_jobs_are_named_one_way():
    with pytest.raises(ValueError, match="either by a key prefix or by their ids"):
        actions.cancel()
    with pytest.raises(ValueError, match="either by a key prefix or by their ids"):
        actions.retry([], prefix="a")


def test_a_dead_broker_does_not_break_the_submission(db, settings, monkeypatch, caplog):
    monkeypatch.undo()
    settings.JOB_HANDLERS = {"work": "nowhere.handler"}
    from readerstudy import celery

    def refuse() -> None:
        raise ConnectionRefusedError("no broker")

    monkeypatch.setattr(celery.app, "connection_for_write", refuse)
    assert dispatch.send("cpu") is False
    assert "the reaper will send it" in caplog.text
    assert actions.submit("a", "work", {}).state == Job.State.QUEUED
