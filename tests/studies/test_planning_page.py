"""The planner's page, its curve and its command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from readerstudy.analytics.models import Snapshot
from readerstudy.studies.models import Membership, Study
from readerstudy.studies.planning_forms import PlanForm
from tests.factories import make_user

CSV = "slice,arm,reader,score\n" + "".join(
    f"S{s},{arm},R{r},{1 + (s * (r + 1) + s // 3 + shift) % 5}\n"
    for s in range(12)
    for shift, arm in enumerate(("first", "second"))
    for r in range(3)
)


@pytest.fixture
def client() -> Client:
    made = Client()
    made.user = make_user(may_coordinate=True)  # type: ignore[attr-defined]
    made.force_login(made.user)  # type: ignore[attr-defined]
    return made


def page(client: Client, **fields: Any) -> str:
    answer = client.get(reverse("studies:plan"), fields)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.django_db
def test_defaults_show_numbers_curve_table_and_assumptions(client: Client) -> None:
    html = page(client)
    assert "Power" in html and "Kappa of an arm" in html and "Reading per reader" in html
    assert "the readers limit it; add readers." in html and "What this assumes" in html
    assert "style=" not in html and "None" not in html and "nan" not in html
    assert "/studies/plan/curve.svg?source=own&amp;" in html


@pytest.mark.django_db
def test_curve_is_an_svg_without_inline_style(client: Client) -> None:
    answer = client.get(reverse("studies:plan_curve"), {"readers": "8", "slices": "60"})
    assert answer["Content-Type"] == "image/svg+xml" and answer["Cache-Control"] == "private, max-age=300"
    assert b"<svg" in answer.content and b"style=" not in answer.content and b"<style" not in answer.content
    refused = client.get(reverse("studies:plan_curve"), {"readers": "1"})
    assert refused.status_code == 400 and "greater than or equal to 2" in refused.content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"readers": "1"}, "greater than or equal to 2"),
        ({"slices": "many"}, "Enter a whole number"),
        ({"kind": "equivalence"}, "Equivalence needs a margin above 0 points."),
        ({"mean": "7"}, "The mean must lie between 1 and 5."),
        ({"lowest": "5"}, "The highest score must be 1 to 99 above the lowest."),
        ({"source": "own", "design_effect": "900"}, "add slices"),
        ({"source": "own", "sd_error": "-1"}, "greater than or equal to 0"),
        ({"source": "study-1"}, "Select a valid choice"),
    ],
)
def test_a_wrong_number_gets_a_sentence_beside_its_field(client: Client, fields: dict[str, str], sentence: str) -> None:
    html = page(client, **fields)
    assert html.count(sentence) == 2 and "There is no plan for these numbers" in html and "<img" not in html


@pytest.mark.django_db
def test_every_hypothesis_and_preset(client: Client) -> None:
    for fields in (
        {"kind": "non-inferiority", "margin": "0.3", "effect": "0"},
        {"kind": "equivalence", "margin": "0.5", "effect": "0", "correction": "holm"},
        {"source": "paper", "reader_effect": "fixed", "family": "comparator"} | {"source": "agreeing"},
        {"source": "differing", "family": "one", "correction": "none"},
        {"source": "own", **{f"sd_{n}": "0" for n in ("slice", "reader", "slice_arm", "reader_arm")}},
    ):
        html = page(client, **fields)
        assert "There is no plan" not in html and "80 % power" in html


@pytest.mark.django_db
def test_few_readers_lead_with_the_power_of_the_analysis(client: Client) -> None:
    html = page(client, readers="3")
    assert '<span class="stat-value">17 %</span>' in html and "Hillis' formula: 6 %" in html
    assert "the analysis estimates them from 3 readers, which makes it 17 %." in html
    assert "estimates them from" not in page(client, readers="12")


@pytest.mark.django_db
def test_a_changed_number_replaces_every_place_of_an_error_once(client: Client) -> None:
    """A place inside another that is replaced too would be lost with the first change."""
    html = page(client)
    swapped = html.split('hx-select-oob="')[1].split('"')[0]
    assert "#plan-variance" in swapped and "#e-readers," in swapped and "#e-sd_" not in swapped
    assert "#e-design_effect" not in swapped


@pytest.mark.django_db
def test_the_list_of_studies_leads_here(client: Client) -> None:
    assert f'href="{reverse("studies:plan")}"' in client.get(reverse("studies:list")).content.decode()


@pytest.mark.django_db
def test_upload_becomes_an_address_and_is_not_kept(client: Client) -> None:
    upload = SimpleUploadedFile("pilot.csv", CSV.encode())
    answer = client.post(reverse("studies:plan") + "?readers=7", {"scores": upload})
    assert answer.status_code == 302 and "source=own" in answer["Location"] and "readers=7" in answer["Location"]
    html = client.get(answer["Location"]).content.decode()
    assert "Estimated from 12 slices, 2 arms and 3 readers" in html and 'value="7"' in html


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("slice,arm,reader\n1,a,r\n", "the column score is missing"),
        ("slice,arm,reader,score\n1,a,r,3\n", "The pilot has one arm"),
        ("", "The submitted file is empty"),
    ],
)
def test_a_bad_upload_gets_a_sentence(client: Client, content: str, sentence: str) -> None:
    answer = client.post(reverse("studies:plan"), {"scores": SimpleUploadedFile("pilot.csv", content.encode())})
    assert answer.status_code == 200 and sentence in answer.content.decode()


def _pilot(client: Client, state: str, scores: str) -> Study:
    study = Study.objects.create(title="The pilot", state=state, protocol={}, plan={"primary_criterion": "overall"})
    Membership.objects.create(study=study, user=client.user, role="coordinator")  # type: ignore[attr-defined]
    if scores:
        Snapshot.objects.create(
            study=study, inputs_hash="f" * 64, statistics="{}", tables={"scores": scores},
            chain_head="0" * 64, simulated=False,
        )  # fmt: skip
    return study


@pytest.mark.django_db
def test_an_unblinded_study_is_a_pilot(client: Client) -> None:
    head, *rows = CSV.splitlines()
    lines = [f"{head},criterion", *(f"{row},overall" for row in rows), *(f"{row},noise" for row in rows)]
    study = _pilot(client, "unblinded", "\n".join(lines) + "\n")
    html = page(client, source=f"study-{study.pk}")
    assert "Pilot: The pilot" in html and "There is no plan" not in html
    form = PlanForm({"source": f"study-{study.pk}"}, client.user)  # type: ignore[attr-defined]
    assert form.is_valid() and form.inputs is not None and form.inputs.form.mean == pytest.approx(3.01, abs=0.2)


@pytest.mark.django_db
def test_a_pilot_needs_its_statistics_and_an_unblinded_study(client: Client) -> None:
    empty = _pilot(client, "unblinded", "")
    assert "compute them on its results page first" in page(client, source=f"study-{empty.pk}")
    blinded = _pilot(client, "locked", CSV)
    assert "Select a valid choice" in page(client, source=f"study-{blinded.pk}")
    other = Client()
    other.user = make_user(may_coordinate=True)  # type: ignore[attr-defined]
    other.force_login(other.user)  # type: ignore[attr-defined]
    assert "Select a valid choice" in page(other, source=f"study-{empty.pk}")


def test_command_without_a_database(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "pilot.csv").write_text(CSV)
    out = tmp_path / "plan.json"
    call_command(
        "plan", "--readers", "5", "--slices", "100", "--effect", "0.3", "--scores", str(tmp_path / "pilot.csv"),
        "--json", str(out),
    )  # fmt: skip
    document = json.loads(out.read_text())
    assert 0 < document["power"]["power"] < 1 and document["saturation"]["sentence"]
    assert "Power" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--hypothesis", "equivalence"], "needs a margin above 0"), (["--arms", "1"], "2 arms or more"),
        (["--scores", "/nowhere.csv"], "can't be read"), (["--mean", "8"], "mean score must lie"),
        (["--json", "/nowhere/plan.json"], "can't be written"),
    ],
)  # fmt: skip
def test_command_says_what_is_wrong(options: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        call_command("plan", "--readers", "5", "--slices", "100", "--effect", "0.3", *options)
