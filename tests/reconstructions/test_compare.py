"""All methods side by side: nothing before the look is recorded, audited, raw pixels for coordinators alone."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from readerstudy.audit.models import Entry
from readerstudy.cases import store
from readerstudy.cases.models import Case, Look
from readerstudy.reconstructions import actions
from readerstudy.reconstructions.comparison import choose_runs, runs_of_case
from readerstudy.reconstructions.models import Measurement, Reconstruction, Run
from readerstudy.reconstructions.queries import looks_before
from readerstudy.studies.actions import StudyError, add_member
from tests.factories import SIDE, make_case, make_draft, make_run, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def case() -> Case:
    made = make_case("CT", slices=3)
    for method in ("reference", "degraded", "tv_recon", "pix2pix"):
        make_run(made, method)
    return made


@pytest.fixture
def coordinator(client: Client) -> Client:
    client.force_login(make_user("cora", may_coordinate=True))
    return client


def urls(case: Case) -> list[str]:
    """Every address that sends a pixel of the case."""
    rows = Reconstruction.objects.filter(slice__case=case)
    return [f"/runs/pixels/{row.pk}/" for row in rows] + [f"/runs/pixels/reference/{s.pk}/" for s in case.slices.all()]


def data_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script id="compare-data" type="application/json">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    loaded: dict[str, Any] = json.loads(found[1])
    return loaded


def test_nothing_is_shown_before_it_is_opened(coordinator: Client, case: Case) -> None:
    page = coordinator.get(f"/runs/compare/{case.pk}/?slice=2").content.decode()
    assert "Open; I won" in page and "/runs/pixels/" not in page and "a reader of this case, in any study" in page
    for url in urls(case):
        response = coordinator.get(url)
        assert response.status_code == 409 and b"Open the comparison" in response.content, url
    assert not Look.objects.exists() and not Entry.objects.filter(verb="run.compare").exists()


def test_opening_is_a_look_and_an_audit_entry_before_any_pixel(coordinator: Client, case: Case) -> None:
    response = coordinator.post(f"/runs/compare/{case.pk}/open/", {"query": "slice=2&level=0.25"})
    assert response.url == f"/runs/compare/{case.pk}/?slice=2&level=0.25"
    assert Look.objects.get().case == case
    assert [entry.verb for entry in Entry.objects.order_by("sequence")] == ["case.look", "run.compare"]
    for url in urls(case):
        response = coordinator.get(url)
        assert response.status_code == 200 and len(response.content) == 2 * SIDE * SIDE
        assert response["Cache-Control"] == "private, no-store"
        assert response["Content-Type"] == "application/octet-stream"
        assert not {"ETag", "Last-Modified"} & set(response.headers)


def test_one_case_opens_no_other_and_a_new_sign_in_opens_again(coordinator: Client, case: Case) -> None:
    other = make_case("CT")
    coordinator.post(f"/runs/compare/{case.pk}/open/")
    assert coordinator.get(urls(other)[0]).status_code == 409
    again = Client()
    again.force_login(Look.objects.get().user)
    assert again.get(urls(case)[0]).status_code == 409
    again.post(f"/runs/compare/{case.pk}/open/")
    assert Entry.objects.filter(verb="run.compare").count() == 2 and Look.objects.count() == 1


def test_the_bytes_are_those_of_the_store(coordinator: Client, case: Case) -> None:
    coordinator.post(f"/runs/compare/{case.pk}/open/")
    data = data_of(coordinator.get(f"/runs/compare/{case.pk}/?slice=3").content.decode())
    assert data["at"] == 3 and data["captions"][0] == "Reference" and len(data["captions"]) == 4
    row = case.slices.get(index=1)
    shown = data["slices"][1]["panes"]
    assert coordinator.get(shown[0]["url"]).content == store.get(row.pixels)
    tv = Reconstruction.objects.get(slice=row, run__method="tv_recon")
    assert coordinator.get(shown[2]["url"]).content == store.get(tv.pixels)
    assert "PSNR 30.00 dB" in shown[2]["note"] and "SSIM 0.800" in shown[2]["note"]


def test_a_failed_and_a_missing_slice_say_so(coordinator: Client, case: Case) -> None:
    Reconstruction.objects.filter(run__method="tv_recon", slice__index=0).update(pixels="", failure="too dark")
    Reconstruction.objects.filter(run__method="pix2pix", slice__index=0).delete()
    coordinator.post(f"/runs/compare/{case.pk}/open/")
    panes = data_of(coordinator.get(f"/runs/compare/{case.pk}/").content.decode())["slices"][0]["panes"]
    assert [(pane["url"], pane["note"]) for pane in panes[2:]] == [("", "too dark"), ("", "not reconstructed yet")]


def test_the_level_or_the_named_runs_are_shown(case: Case) -> None:
    for level in (0.5, 0.1):
        measurement = Measurement.objects.create(case=case, level=level, seed=1, physics="p")
        for method in ("degraded", "tv_recon"):
            run = Run.objects.create(measurement=measurement, method=method, version="1", settings_hash="h")
            Reconstruction.objects.create(run=run, slice=case.slices.all()[0], pixels="a" * 64)
    runs = runs_of_case(case)
    assert [run.measurement.level for run in runs] == [0.1, 0.1, 0.25, 0.25, 0.25, 0.5, 0.5]
    assert {run.measurement.level for run in choose_runs(runs, [], "")} == {0.25}, "the level of most methods"
    for word in ("0.1", "0.10"):
        assert [run.method for run in choose_runs(runs, [], word)] == ["degraded", "tv_recon"]
    assert choose_runs(runs, [str(runs[-1].pk), "strange"], "0.1") == [runs[-1]]


def test_who_has_opened_a_comparison_cannot_read_the_case() -> None:
    world = make_draft()
    from readerstudy.studies.models import StudySlice

    study, curious = world.study, make_user(may_coordinate=True)
    case = Case.objects.all()[0]
    actions.open_comparison(case, curious)
    StudySlice.objects.create(
        study=study, slice=case.slices.all()[0], position=0, window_center=40.0, window_width=400.0
    )
    with pytest.raises(StudyError, match="has seen images"):
        add_member(study, curious, "reader", world.coordinator)


def test_looks_before_a_moment_are_found_by_handle(case: Case) -> None:
    early, late = make_user(may_coordinate=True), make_user(may_coordinate=True)
    other = make_case("US")
    for user, seen in ((early, case), (late, case), (early, other)):
        actions.open_comparison(seen, user)
    moment = timezone.now()
    Look.objects.filter(user=late).update(first_at=moment + timedelta(hours=1))
    found = looks_before([case], moment)
    assert [(look.handle, look.case) for look in found] == [(early.handle, case.pseudonym)]
    assert found[0].at < moment
    assert looks_before([], moment) == []


def test_nobody_else_opens_or_sees(case: Case) -> None:
    reader = Client()
    reader.force_login(make_user())
    assert reader.post(f"/runs/compare/{case.pk}/open/").status_code == 404
    assert all(reader.get(url).status_code == 404 for url in urls(case))
    assert not Look.objects.exists()


@pytest.mark.parametrize("number", ["0", "-4", "x", "9" * 30, "²"])
def test_a_strange_slice_number_is_harmless(coordinator: Client, case: Case, number: str) -> None:
    coordinator.post(f"/runs/compare/{case.pk}/open/")
    assert coordinator.get(f"/runs/compare/{case.pk}/", {"slice": number}).status_code == 200
