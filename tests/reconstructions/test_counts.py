"""The counts stored with a run are those of its reconstructions, whatever happened to them."""

from __future__ import annotations

import threading
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, transaction
from django.test import Client

from readerstudy.cases.models import Case
from readerstudy.jobs.actions import Submission, submit_many
from readerstudy.jobs.claims import claim, finish
from readerstudy.reconstructions import actions, queries, tasks
from readerstudy.reconstructions.models import Reconstruction, Run
from readerstudy.reconstructions.recording import counted
from tests.factories import make_case, make_run, make_user
from tests.reconstructions.test_runs import Doubling, request, work
from tests.reconstructions.test_runs import method as method  # a fixture

pytestmark = pytest.mark.django_db


def stored_and_counted(run: Run) -> tuple[tuple[int, int], tuple[int, int]]:
    run.refresh_from_db()
    rows = list(Reconstruction.objects.filter(run=run))
    made = sum(bool(row.pixels) for row in rows)
    return (run.missing, run.failed), (run.measurement.case.slices.count() - made, len(rows) - made)


@pytest.fixture
def case() -> Case:
    return make_case("US", slices=18)


def test_requested_then_half_made_then_cancelled_then_finished(case: Case, method: Doubling) -> None:
    run = request(case)
    assert stored_and_counted(run) == ((18, 0), (18, 0))
    held = claim("cpu", "")
    assert held is not None
    tasks.reconstruct(held)
    finish(held)
    stored, found = stored_and_counted(run)
    assert stored == found and 0 < run.missing < 18
    by = make_user(may_coordinate=True)
    assert actions.cancel_run(run, by) == 1
    assert stored_and_counted(run)[0] == stored
    assert actions.retry_run(run, by) == 1
    work()
    assert stored_and_counted(run) == ((0, 0), (0, 0))


def test_failed_then_tried_again(case: Case, method: Doubling) -> None:
    run = request(case)
    method.bad = float(tasks._reference(case, case.slices.get(index=3))[0, 0])
    work()
    stored, found = stored_and_counted(run)
    assert stored == found and run.missing == run.failed >= 1
    method.bad = None
    actions.retry_run(run, make_user(may_coordinate=True))
    work()
    assert stored_and_counted(run) == ((0, 0), (0, 0))


def test_what_is_rolled_back_counts_nothing(case: Case) -> None:
    run = make_run(case, "degraded")
    with pytest.raises(ValueError, match="too dark"), transaction.atomic(), counted(run):
        Reconstruction.objects.filter(run=run).delete()
        raise ValueError("too dark")
    assert stored_and_counted(run) == ((0, 0), (0, 0))


def test_the_migration_counts_what_is_there(case: Case) -> None:
    runs = [make_run(case, "degraded"), make_run(make_case("CT"), "tv_recon"), request(make_case("MR"))]
    Reconstruction.objects.filter(run=runs[0], slice__index__lt=3).update(pixels="", failure="too dark")
    Reconstruction.objects.filter(run=runs[0], slice__index=4).delete()
    Run.objects.update(missing=99, failed=99)
    import_module("readerstudy.reconstructions.migrations.0003_stored_counts").count(apps, None)
    assert [stored_and_counted(run)[0] for run in runs] == [(4, 3), (0, 0), (2, 0)]
    assert all(stored == found for stored, found in map(stored_and_counted, runs))


def test_a_job_without_a_run_s_id_spoils_no_list(client: Client) -> None:
    submit_many([Submission("reconstruct:strange", "reconstruct"), Submission("reconstruct:", "reconstruct")])
    run = make_run(make_case("US"), "degraded")
    client.force_login(make_user(may_coordinate=True))
    for state in queries.STATES:
        assert client.get(f"/runs/?state={state}").status_code == 200
    assert list(queries.runs(state="done")) == [run]


@pytest.mark.django_db(transaction=True)
def test_two_who_write_slices_of_one_run_count_each_other_s(case: Case) -> None:
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has one writer at a time.")
    run = request(case)
    first, second, *_ = case.slices.order_by("index")
    inside, errors = threading.Event(), list[Any]()

    def other() -> None:
        try:
            inside.wait(10)
            with counted(run):
                Reconstruction.objects.create(run=run, slice=second, pixels="b" * 64)
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=other)
    thread.start()
    with transaction.atomic():
        with counted(run):
            Reconstruction.objects.create(run=run, slice=first, pixels="a" * 64)
        inside.set()
        thread.join(0.5)  # counted, not committed
    thread.join(10)
    assert not errors and not thread.is_alive()
    assert stored_and_counted(run) == ((16, 0), (16, 0))
