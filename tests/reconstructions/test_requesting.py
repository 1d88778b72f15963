"""The request page: filters, ticks, ladder, settings, what is left out; and the list that watches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from inference.data.dicom_types import patient_source_id
from inference.methods import register
from inference.methods.register import METHODS
from readerstudy.cases.keys import source_hash
from readerstudy.cases.models import Case
from readerstudy.reconstructions import actions
from readerstudy.reconstructions.forms import LADDERS, parse_levels
from readerstudy.reconstructions.models import Run
from tests.factories import LEVELS, make_case

pytestmark = pytest.mark.django_db
NEW = "/runs/new/"
ONE: dict[str, Any] = {"which": "all", "methods": ["degraded"], "ct": "0.25", "mr": "6", "us": "-6"}


def start(client: Client, **changes: Any) -> Any:
    return client.post(NEW, {**ONE, "do": "start", **changes})


def test_several_levels_make_several_runs_and_one_number_still_works() -> None:
    case = make_case("CT")
    made = actions.request_runs([case], ["reference", "degraded"], {"CT": [1.0, 0.5, 0.5]}, None)
    assert [(run.method, run.measurement.level) for run in made] == [
        ("reference", None), ("degraded", 1.0), ("degraded", 0.5),
    ]  # fmt: skip
    assert actions.request_runs([case], ["degraded"], {"CT": 0.5}, None) == made[2:]


def test_nothing_is_made_where_one_thing_is_refused_unless_it_is_left_out() -> None:
    good, bad = make_case("CT"), make_case("CT")
    Case.objects.filter(pk=bad.pk).update(state=Case.State.QUARANTINED)
    bad.refresh_from_db()
    with pytest.raises(actions.RunError, match="release it first"):
        actions.request_runs([good, bad], ["degraded"], LEVELS, None)
    assert not Run.objects.exists()
    assert len(actions.request_runs([good, bad], ["degraded"], LEVELS, None, leave_out=True)) == 1


def test_the_ladder_fills_every_method_and_valid_levels(coordinator: Client) -> None:
    make_case("MR")
    page = coordinator.post(NEW, {**ONE, "do": "ladder"}).content.decode()
    assert 'value="2, 4, 6, 8"' in page and 'value="1, 0.5, 0.25, 0.1"' in page
    assert all(f'value="{method}" checked' in page for method in METHODS)
    assert '<strong id="run-count">21</strong>' in page, "the reference once, five methods at four levels"
    for modality, levels in LADDERS.items():
        assert parse_levels(modality, ", ".join(str(level) for level in levels)) == list(levels)


def test_starting_uses_filters_settings_and_levels(coordinator: Client) -> None:
    ours = make_case("CT")
    make_case("US")
    response = start(
        coordinator, modality="CT", methods=["diffusion_unet"], ct="0.5 0.1",
        **{"diffusion_unet.steps": "20", "diffusion_unet.data_consistency": "False"},
    )  # fmt: skip
    assert response.url == reverse("reconstructions:list")
    runs = Run.objects.all()
    assert {run.measurement.case_id for run in runs} == {ours.pk}
    assert sorted(run.measurement.level or 0 for run in runs) == [0.1, 0.5]
    assert {(run.settings["steps"], run.settings["data_consistency"], run.settings["guidance"]) for run in runs} == {
        (20, False, 1.0)
    }


def test_ticked_cases_alone_are_taken_also_where_the_filter_hides_them(coordinator: Client) -> None:
    first, second = make_case("CT"), make_case("CT")
    make_case("CT")
    start(coordinator, which="ticked", case=[str(first.pk), str(second.pk), "no id"], modality="US")
    assert {run.measurement.case_id for run in Run.objects.all()} == {first.pk, second.pk}


def test_search_and_anatomy_narrow_the_cases(coordinator: Client) -> None:
    knee = make_case("MR", pseudonym="MR-KNEE")
    Case.objects.filter(pk=knee.pk).update(anatomy="knee")
    make_case("MR", pseudonym="MR-OTHER")
    for narrowed in ({"search": "kne"}, {"anatomy": "knee"}, {"search": knee.patient.pseudonym.lower()}):
        page = coordinator.post("/runs/new/cases/", {**ONE, **narrowed}).content.decode()
        assert "MR-KNEE" in page and "MR-OTHER" not in page, narrowed


def test_ticks_on_other_pages_are_kept(coordinator: Client) -> None:
    hidden, shown = make_case("CT"), make_case("US")
    page = coordinator.post(
        "/runs/new/cases/", {**ONE, "modality": "US", "case": [str(hidden.pk), str(shown.pk)]}
    ).content.decode()
    assert f'type="hidden" name="case" value="{hidden.pk}"' in page
    assert f'value="{shown.pk}" aria-label="{shown.pseudonym}" checked' in page


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"ct": "much"}, "Write levels of CT as numbers"),
        ({"ct": "7"}, "must be between 0.01 and 1"),
        ({"ct": ""}, "Give a level for CT"),
        ({"methods": []}, "Choose at least one method"),
        ({"which": "ticked"}, "Choose at least one case"),
        ({"methods": ["diffusion_unet"], "diffusion_unet.steps": "0"}, "greater than or equal to 1"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(coordinator: Client, changes: dict[str, Any], sentence: str) -> None:
    make_case("CT")
    response = start(coordinator, **changes)
    assert response.status_code == 200 and sentence in response.content.decode()
    assert not Run.objects.exists()


def test_a_patient_of_a_training_list_is_left_out_and_named(
    coordinator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, other = make_case("CT"), make_case("CT")
    Case.objects.filter(pk=known.pk).update(source_ids=[source_hash(patient_source_id("patient-17"))])
    monkeypatch.setattr(actions, "training_patients", lambda key: frozenset({"patient-17"}))
    told = coordinator.post("/runs/new/estimate/", ONE).content.decode()
    assert f"Case {known.pseudonym} is in the training list" in told
    start(coordinator)
    assert {run.measurement.case_id for run in Run.objects.all()} == {other.pk}


def test_a_case_that_came_in_under_another_secret_key_never_passes_as_held_out(coordinator: Client) -> None:
    known, other = make_case("CT"), make_case("CT")
    Case.objects.filter(pk=known.pk).update(source_ids=["01234567:abc"])
    told = coordinator.post("/runs/new/estimate/", ONE).content.decode()
    assert f"Case {known.pseudonym} came in under another secret key" in told
    start(coordinator)
    assert {run.measurement.case_id for run in Run.objects.all()} == {other.pk}


def test_too_many_runs_are_refused(coordinator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("readerstudy.reconstructions.views.MOST_RUNS", 1)
    make_case("CT"), make_case("CT")
    assert "choose fewer" in start(coordinator).content.decode()
    assert not Run.objects.exists()


@pytest.mark.parametrize(
    ("kept", "sentence"),
    [([], "has no weights here"), (["safetensors"], "has no card"), (["safetensors", "json"], "be read")],
)
def test_a_method_without_weights_or_card_is_shown_with_the_reason_and_refused(
    coordinator: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kept: list[str], sentence: str
) -> None:
    case = make_case("CT")
    for ending in kept:
        (tmp_path / f"restormer.{ending}").write_text("{}")
    monkeypatch.setattr(register, "WEIGHTS", tmp_path)
    page = coordinator.get(NEW)
    assert page.status_code == 200 and sentence in page.content.decode().replace("&#x27;", "'")
    assert "degraded" in page.context["form"].initial["methods"]
    assert "restormer" not in page.context["form"].initial["methods"]
    answer = start(coordinator, methods=["degraded", "restormer"])
    assert answer.status_code == 200 and sentence in answer.content.decode().replace("&#x27;", "'")
    with pytest.raises(actions.RunError, match=sentence):
        actions.request_runs([case], ["restormer"], LEVELS, None)
    assert not Run.objects.exists()
    assert start(coordinator).status_code == 302 and Run.objects.count() == 1
