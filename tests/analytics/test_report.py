"""The report: one file with everything inside, filled from the study, gaps marked, nothing that names a person."""

from __future__ import annotations

import json
import re

import pytest
from django.test import Client
from django.urls import reverse

from readerstudy.analytics.actions import make_snapshot
from readerstudy.analytics.report.build import STYLE, build_report, context
from readerstudy.analytics.report.checklists import filled, items
from readerstudy.analytics.report.flow import case_flow, sample
from readerstudy.analytics.report.methods import methods
from readerstudy.studies.models import Study
from readerstudy.studies.queries import protocol_of
from tests.analytics.test_sections import finish
from tests.factories import make_draft, make_open, make_protocol, read_all

pytestmark = pytest.mark.django_db
SMALL = {"sessions": {"number": 2}, "slices": {"number": 6}, "design": {"readers": 2}}


@pytest.fixture(autouse=True)
def no_figures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes seconds and is tested elsewhere: one test here asks for it."""
    if request.function is not test_the_file_needs_nothing_else:
        monkeypatch.setattr("readerstudy.analytics.figures.FIGURES", {})


@pytest.fixture
def study() -> Study:
    world = make_open(study={"approval_body": "Ethics board of Utopia", "approval_number": "17/3"}, **SMALL)
    read_all(world)
    done = finish(world)
    make_snapshot(done, None)
    return done


def test_the_file_needs_nothing_else(study: Study) -> None:
    html = build_report(study.snapshots.get())
    assert html.count("<svg") == html.count("</svg>") >= 6 and STYLE.read_text()[:40] in html
    assert "<script" not in html and "<link" not in html and "src=" not in html
    assert not re.search(r'href="(?!#)', html.split("<svg")[0])
    assert "Research use only" in html and study.protocol_hash in html


def test_methods_say_what_the_protocol_says(study: Study) -> None:
    text = " ".join(paragraph.text for paragraph in methods(protocol_of(study)))
    assert "Ethics board of Utopia (number 17/3)" in text
    assert "6 slices were drawn at random (seed 7), stratified by modality" in text
    assert "They read in 2 sessions." in text and "Williams square" in text
    assert "Primary criterion: Overall. Hypothesis: superiority." in text
    bare = " ".join(paragraph.text for paragraph in methods(make_protocol()))
    assert "[No approval body is stated" in bare


def test_methods_of_every_choice_are_sentences() -> None:
    changes = (
        {"design": {"kind": "random", "repeats": 0.1, "fidelity": 0.25, "practice": 4}},
        {"display": {"reference": "beside", "window": "fixed", "check": "required", "context_slices": 2}},
        {
            "plan": {
                "hypothesis": "non-inferiority",
                "margin": 0.5,
                "comparator": "tv_recon",
                "missing": "complete slices",
            }
        },
        {"slices": {"minimum_body_share": 0.2, "edge_slices": False, "anatomy": ["knee"], "one_per_patient": True}},
    )
    for change in changes:
        for paragraph in methods(make_protocol(**change)):
            assert paragraph.text.endswith(".") or paragraph.text.endswith("]"), paragraph
            assert "None" not in paragraph.text and "  " not in paragraph.text and ".." not in paragraph.text


def test_the_flow_adds_up(study: Study) -> None:
    found = context(study.snapshots.get())
    steps = {step.title: step for step in found["flow"]}
    assert steps["Eligible slices"].count == "12"
    assert steps["Drawn"].count.startswith("6 slices") and ("eligible and not drawn", 6) in steps["Drawn"].left_out
    assert steps["Read"].count == "48 of 48 planned scores" and steps["Analysed"].count == "48 scores"
    assert sum(found["patients"].slices) == 6


def test_ineligible_slices_are_counted_by_rule() -> None:
    world = make_draft(**{**SMALL, "slices": {"number": 6, "minimum_body_share": 0.4}})
    from readerstudy.analytics.gathering import study_facts
    from readerstudy.analytics.inputs import Inputs
    from readerstudy.cases.models import Case, Slice

    case = Case.objects.order_by("pk")[0]
    Slice.objects.filter(case=case).update(body_share=0.1)
    Case.objects.filter(pk=Case.objects.exclude(pk=case.pk)[0].pk).update(state=Case.State.WITHDRAWN)
    steps = {step.title: step for step in case_flow(world.study, Inputs(study_facts(world.study)))}
    reasons = dict(steps["Eligible slices"].left_out)
    assert reasons == {"case in quarantine or withdrawn": 2, "less than 40 % of the field shows the body": 2}
    assert steps["Eligible slices"].count == "8"


def test_patients_without_facts_are_counted_as_not_stated(study: Study) -> None:
    rows = sample(study).rows
    assert {row.value for row in rows if row.name == "Age"} == {"not stated"}
    assert all(len(row.counts) == len(sample(study).modalities) for row in rows)


def test_checklists_are_whole_and_mark_their_gaps(study: Study) -> None:
    assert [item.number for item in items("grras")] == [str(n) for n in range(1, 16)]
    assert [item.number for item in items("claim")] == [str(n) for n in range(1, 45)]
    lists = context(study.snapshots.get())["checklists"]
    state = {(made.title, a.item.number): a.state for made in lists for a in made.items}
    assert state["GRRAS", "13"] == "filled" and state["GRRAS", "14"] == "gap" and state["GRRAS", "6"] == "partly"
    assert state["CLAIM 2024", "34"] == "gap", "the protocol names no registration"
    assert all(answered.state == "gap" for answered in filled({})[0].items)
    html = build_report(study.snapshots.get())
    assert html.count("To be written by the authors.") == sum(made.gaps for made in lists)


def test_no_person_is_named(study: Study) -> None:
    html = build_report(study.snapshots.get())
    for membership in study.memberships.select_related("user"):
        assert membership.user.username not in html and membership.user.handle not in html


def test_the_page_has_a_policy_for_its_own_style_alone(study: Study) -> None:
    client = Client()
    client.force_login(study.memberships.filter(role="analyst")[0].user)
    response = client.get(reverse("analytics:report", args=[study.pk]))
    policy = response["Content-Security-Policy"]
    assert "'sha256-" in policy and "unsafe-inline" not in policy
    kept = client.get(reverse("analytics:report", args=[study.pk]), {"download": "1"})
    assert kept["Content-Disposition"].endswith('-report.html"')
    client.force_login(study.memberships.filter(role="reader")[0].user)
    assert client.get(reverse("analytics:report", args=[study.pk])).status_code == 404
    assert json.loads(study.snapshots.get().statistics)["study"]["title"] == study.title
