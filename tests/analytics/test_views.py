"""The results page and its downloads: for analysts and coordinators, and only after unblinding."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from readerstudy.jobs.models import Job
from readerstudy.studies.models import Study
from tests.analytics.conftest import Exported
from tests.analytics.factories import Shape, add_member, make_study, make_user

pytestmark = pytest.mark.django_db
PAGES = [
    ("results", {}), ("status", {}), ("export", {}), ("statistics", {}),
    ("figure", {"name": "means", "kind": "svg"}), ("table", {"name": "scores.csv"}),
]  # fmt: skip


@pytest.fixture
def study() -> Study:
    return make_study(Shape(slices=6))


def signed_in(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def address(study: Study, page: str, /, **arguments: str) -> str:
    return reverse(f"analytics:{page}", kwargs={"study": study.pk, **arguments})


def test_results_show_numbers_paper_and_marks(study: Study, exported: Exported) -> None:
    made = exported.snapshot_of(study)
    client = signed_in(add_member(study, "analyst"))
    page = client.get(address(study, "results")).content.decode()
    document = json.loads(made.statistics)
    for block in document["arms"].values():
        assert f"{block['opinion']['mean_score']['value']:.2f}" in page
    assert "simulated readers" in page and "Research use only" in page and "paper" in page
    assert "Diffusion-UNet − TV-Recon" in page and "0.84" in page and "too few" in page
    assert "NaN" not in page and ">nan" not in page and "style=" not in page and "None" not in page


@pytest.mark.parametrize("role", ["analyst", "coordinator"])
def test_downloads_after_unblinding(
    study: Study, exported: Exported, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = exported.snapshot_of(study)
    client = signed_in(add_member(study, role))
    monkeypatch.setattr("readerstudy.analytics.exports.FIGURES", {})
    assert client.get(address(study, "statistics")).content.decode() == made.statistics
    assert client.get(address(study, "export")).content.startswith(b"PK")
    scores = client.get(address(study, "table", name="scores.csv")).content.decode()
    assert scores and made.tables["scores"].startswith(scores)
    svg = client.get(address(study, "figure", name="means", kind="svg"))
    assert svg["Content-Type"] == "image/svg+xml" and "private, no-store" in svg["Cache-Control"]
    assert client.get(address(study, "figure", name="means", kind="pdf")).content.startswith(b"%PDF")
    for name in ("statistics.json", "study.json", "../secret.csv", "none.csv"):
        assert client.get(address(study, "results") + f"tables/{name}").status_code == 404
    assert client.get(address(study, "figure", name="none", kind="svg")).status_code == 404


@pytest.mark.parametrize(("name", "arguments"), PAGES)
def test_readers_and_strangers_learn_nothing(
    study: Study, exported: Exported, name: str, arguments: dict[str, str]
) -> None:
    exported.snapshot_of(study)
    membership = study.readers.all()[0].membership
    assert membership is not None
    for user in (membership.user, make_user("stranger"), add_member(make_study(Shape(slices=2)), "analyst")):
        assert signed_in(user).get(address(study, name, **arguments)).status_code == 404
    assert Client().get(address(study, name, **arguments)).status_code == 302


@pytest.mark.parametrize("state", ["draft", "open", "closed", "locked"])
def test_before_unblinding_the_page_says_what_is_missing(state: str) -> None:
    study = make_study(Shape(state=state, slices=2, readers=1))
    client = signed_in(add_member(study, "analyst"))
    answer = client.get(address(study, "results"))
    page = answer.content.decode()
    assert answer.status_code == 200 and "No results yet" in page and "a second coordinator" in page
    assert not any(arm.title in page or arm.key in page for arm in study.arms.all())
    for name, arguments in PAGES[2:]:
        assert client.get(address(study, name, **arguments)).status_code == 404
    refused = client.post(address(study, "compute"))
    assert refused.status_code == 409 and f"This study is {state}" in refused.content.decode()
    assert not Job.objects.exists()


def test_without_a_snapshot_a_button_hands_in_the_job(study: Study) -> None:
    client = signed_in(add_member(study, "analyst"))
    assert "Compute the statistics" in client.get(address(study, "results")).content.decode()
    assert client.get(address(study, "compute")).status_code == 405
    fragment = client.post(address(study, "compute"), headers={"HX-Request": "true"})
    assert "waiting for a worker" in fragment.content.decode() and "every 2s" in fragment.content.decode()
    waiting = client.get(address(study, "status"))
    assert "HX-Refresh" not in waiting and Job.objects.get().kind == "snapshot"
    Job.objects.update(state=Job.State.DONE)
    assert client.get(address(study, "status"))["HX-Refresh"] == "true"
    assert client.post(address(study, "compute")).status_code == 302


def test_a_failed_job_says_why_and_can_be_asked_again(study: Study) -> None:
    client = signed_in(add_member(study, "coordinator"))
    client.post(address(study, "compute"))
    Job.objects.update(state=Job.State.FAILED, reason="The pixel store is gone.")
    status = client.get(address(study, "status"))
    assert "The pixel store is gone." in status.content.decode() and "HX-Refresh" not in status
    client.post(address(study, "compute"))
    assert Job.objects.count() == 2


def test_pages_need_few_queries(study: Study, exported: Exported, django_assert_max_num_queries: Any) -> None:
    exported.snapshot_of(study)
    client = signed_in(add_member(study, "analyst"))
    with django_assert_max_num_queries(16):
        client.get(address(study, "results"))
