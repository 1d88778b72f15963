"""The list of runs: states, filters, one button that tries all failed ones again."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from readerstudy.audit.models import Entry
from readerstudy.cases.models import Case
from readerstudy.jobs.models import Job
from readerstudy.reconstructions import actions, queries
from readerstudy.reconstructions.models import Reconstruction, Run
from readerstudy.reconstructions.recording import counted
from tests.factories import LEVELS, make_case, make_run, make_user

pytestmark = pytest.mark.django_db


def fail(case: Case) -> Run:
    """A run one of whose slices failed, with no job under way."""
    run = actions.request_runs([case], ["degraded"], LEVELS, None)[0]
    first, *others = case.slices.order_by("index")
    with counted(run):
        Reconstruction.objects.create(run=run, slice=first, failure="ValueError: too dark")
        for row in others:
            Reconstruction.objects.create(run=run, slice=row, pixels="a" * 64)
    Job.objects.update(state=Job.State.DONE)
    return run


def states() -> dict[str, set[Any]]:
    return {state: set(queries.runs(state=state).values_list("pk", flat=True)) for state in queries.STATES}


def test_every_run_is_in_one_state_and_the_rows_agree() -> None:
    failed = fail(make_case("US"))
    done = make_run(make_case("US"), "degraded")
    stopped = actions.request_runs([make_case("CT")], ["degraded"], LEVELS, None)[0]
    actions.cancel_run(stopped, make_user())
    given_up = actions.request_runs([make_case("CT")], ["degraded"], LEVELS, None)[0]
    Job.objects.filter(key__startswith=given_up.job_prefix).update(state=Job.State.FAILED, reason="no weights")
    under_way = actions.request_runs([make_case("MR")], ["degraded"], LEVELS, None)[0]
    assert states() == {
        "open": {under_way.pk}, "done": {done.pk}, "failed": {failed.pk, given_up.pk}, "stopped": {stopped.pk},
    }  # fmt: skip
    rows = {row.run.pk: row for row in queries.run_rows(queries.runs())}
    for state, keys in states().items():
        assert {rows[key].state for key in keys} == {state}
    assert rows[failed.pk].reason == "ValueError: too dark" and rows[given_up.pk].reason == "no weights"


def test_all_failed_are_tried_again_at_once(coordinator: Client) -> None:
    runs = [fail(make_case("US")), fail(make_case("US"))]
    assert coordinator.post("/runs/retry-failed/").status_code == 302
    assert set(queries.runs(state="open").values_list("pk", flat=True)) == {run.pk for run in runs}
    assert Entry.objects.filter(verb="run.retry").count() == 2
    assert coordinator.post("/runs/retry-failed/", follow=True).content.decode().count("No run has failed.") == 1


def test_the_list_is_filtered_and_a_button_returns_to_it(coordinator: Client) -> None:
    run = fail(make_case("US", pseudonym="US-FAILED"))
    make_run(make_case("CT", pseudonym="CT-DONE"), "tv_recon")
    for query, shown, hidden in (
        ("state=failed", "US-FAILED", "CT-DONE"), ("method=tv_recon", "CT-DONE", "US-FAILED"),
        ("modality=CT", "CT-DONE", "US-FAILED"), ("level=-6", "US-FAILED", "CT-DONE"),
    ):  # fmt: skip
        page = coordinator.get(f"/runs/?{query}").content.decode()
        assert shown in page and hidden not in page, query
    assert "No run matches" in coordinator.get("/runs/?level=strange").content.decode()
    response = coordinator.post(reverse("reconstructions:retry", args=[run.pk]), {"query": "state=failed"})
    assert response.url == "/runs/?state=failed"


def test_the_list_takes_few_queries_however_many_runs(coordinator: Client) -> None:
    for _ in range(3):
        fail(make_case("US"))
    for _ in range(9):
        make_run(make_case("CT"), "degraded")
    for url in ("/runs/", "/runs/?state=failed", "/runs/new/"):
        with CaptureQueriesContext(connection) as seen:
            assert coordinator.get(url).status_code == 200
        # PostgreSQL's clock is asked by a statement of its own, which reads no table.
        assert sum("clock_timestamp" not in query["sql"] for query in seen) <= 15, url


def test_an_imported_run_is_never_tried_again() -> None:
    run = fail(make_case("US"))
    Run.objects.filter(pk=run.pk).update(method=f"imported-{uuid4().hex[:6]}", imported=True)
    assert actions.retry_run(Run.objects.get(), make_user()) == 0
