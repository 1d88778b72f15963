"""The API gives the pages' numbers to the pages' people."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from django.test import Client

from readerstudy.accounts.models import Scope
from readerstudy.accounts.tokens import create_token
from readerstudy.analytics import api
from readerstudy.analytics.api_serializers import DOCUMENT
from readerstudy.analytics.inputs import TABLES, inputs_of
from readerstudy.analytics.lines import to_csv
from readerstudy.audit.models import Entry
from readerstudy.studies.models import Study
from tests.analytics.conftest import Exported
from tests.analytics.factories import Shape, add_member, make_study, make_user

pytestmark = pytest.mark.django_db
PARTS = ("statistics/", "scores/", "pairs/", "metrics/", "annotations/", "figures/means.svg", "export.zip")


@pytest.fixture(autouse=True)
def no_figures_in_the_zip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("readerstudy.analytics.exports.FIGURES", {})


@pytest.fixture
def study(exported: Exported) -> Study:
    """An unblinded study; its numbers are those of the shared export, with 12 slices, 4 arms and 3 readers."""
    made = make_study(Shape(slices=2, readers=1))
    exported.snapshot_of(made)
    return made


@pytest.fixture
def client(study: Study) -> Client:
    return signed_in(add_member(study, "analyst"))


def signed_in(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def at(study: Study, part: str = "") -> str:
    return f"/api/studies/{study.pk}/{part}"


def rows(client: Client, study: Study, query: str, table: str = "scores") -> list[dict[str, Any]]:
    answer = client.get(at(study, f"{table}/?page_size=5000&{query}"))
    assert answer.status_code == 200, answer.content
    found: list[dict[str, Any]] = answer.json()["results"]
    return found


def test_statistics_are_those_of_the_snapshot(client: Client, study: Study) -> None:
    document = client.get(at(study, "statistics/")).json()
    assert document == json.loads(study.snapshots.get().statistics)
    assert DOCUMENT.keys() <= document.keys(), "the schema names what is there"
    part = client.get(at(study, "statistics/?modality=CT")).json()
    assert part["pooled"]["n_slices"] < document["pooled"]["n_slices"]


def test_scores_come_in_pages(client: Client, study: Study, exported: Exported) -> None:
    stored = list(csv.DictReader(io.StringIO(exported.tables["scores"])))
    found, address = [], at(study, "scores/?page_size=100")
    while address:
        answer = client.get(address).json()
        assert answer["count"] == len(stored)
        found += answer["results"]
        address = answer["next"]
    assert [{k: "" if v is None else str(v) for k, v in row.items()} for row in found] == stored
    assert found[0]["seconds"] is None or isinstance(found[0]["seconds"], float)


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("arm=restormer", {"arm": {"restormer"}}),
        ("arm=restormer&arm=pix2pix&reader=R2", {"arm": {"restormer", "pix2pix"}, "reader": {"R2"}}),
        ("modality=US", {"modality": {"US"}}),
        ("criterion=noise", {"criterion": {"noise"}}),
        ("repeat=1", {"repeat": {1}}),
        ("session=1&repeat=0", {"session": {1}, "repeat": {0}}),
    ],
)
def test_filters_keep_what_they_say(client: Client, study: Study, query: str, kept: dict[str, set[Any]]) -> None:
    everything, found = rows(client, study, ""), rows(client, study, query)
    wanted = [row for row in everything if all(row[name] in values for name, values in kept.items())]
    assert found == wanted and found
    for name, values in kept.items():
        assert {row[name] for row in found} == values


def test_csv_is_the_table_of_the_export(client: Client, study: Study, exported: Exported) -> None:
    inputs = inputs_of(exported.statistics, exported.tables)
    for name, table in (("scores", "scores"), ("metrics", "images"), ("annotations", "marks"), ("pairs", "pairs")):
        by_name = client.get(at(study, f"{name}/?format=csv"))
        by_kind = client.get(at(study, f"{name}/"), headers={"accept": "text/csv"})
        assert by_name.content.decode() == by_kind.content.decode() == to_csv(TABLES[table], getattr(inputs, table))
        assert by_name["Content-Type"].startswith("text/csv") and "no-store" in by_name["Cache-Control"]
    part = client.get(at(study, "scores/?format=csv&reader=R1")).content.decode()
    assert {row["reader"] for row in csv.DictReader(io.StringIO(part))} == {"R1"}


def test_metrics_are_one_row_per_image(client: Client, study: Study, exported: Exported) -> None:
    found = rows(client, study, "arm=pix2pix&modality=CT", "metrics")
    assert found and {(row["arm"], row["modality"]) for row in found} == {("pix2pix", "CT")}
    assert all(isinstance(row["psnr"], float) and len(row["pixels"]) == 64 for row in found)


@pytest.mark.parametrize(
    ("part", "sentence"),
    [
        ("scores/?arm=bm3d", "no arm “bm3d”: choose among tv_recon, pix2pix, restormer, diffusion_unet."),
        ("scores/?reader=R9", "choose among R1, R2, R3."),
        ("scores/?criterion=sharpness", "choose among quality, noise."),
        ("scores/?modality=", "choose among CT, MR, US."),
        ("scores/?repeat=2", "choose among 0, 1."),
        ("scores/?session=0x1", "choose among 1."),
        ("scores/?modalty=CT", "no parameter “modalty”: choose among arm, criterion, format,"),
        ("scores/?page=0", "from 1 to"),
        ("scores/?page=99999", "no such page"),
        ("scores/?page_size=5001", "from 1 to 5000"),
        ("scores/?page_size=%C2%B2", "from 1 to 5000"),
        ("scores/?format=xml", "choose among json, csv."),
        ("scores/?format=csv&page=1", "leave out page and page_size"),
        ("metrics/?reader=R1", "no parameter “reader”"),
        ("annotations/?phase=later", "choose among scores, repeat, fidelity."),
        ("statistics/?modality=PET", "choose among CT, MR, US."),
        ("figures/means.svg?reader=R9", "choose among R1, R2, R3."),
        ("figures/means.svg?size=9", "no parameter “size”"),
        ("?state=open", "no parameter “state”"),
    ],
)
def test_a_bad_value_gets_a_sentence(client: Client, study: Study, part: str, sentence: str) -> None:
    answer = client.get(at(study, part))
    assert answer.status_code == 400 and sentence in answer.json()["detail"]


def test_the_list_names_own_studies_only(client: Client, study: Study) -> None:
    other = make_study(Shape(slices=1, readers=1))
    assert [row["id"] for row in client.get("/api/studies/").json()["results"]] == [str(study.pk)]
    membership = study.readers.all()[0].membership
    assert membership is not None
    for user in (make_user("stranger"), membership.user):
        assert signed_in(user).get("/api/studies/").json()["count"] == 0
    assert client.get(at(other)).status_code == 404


def test_the_list_is_filtered_and_paged(client: Client, study: Study) -> None:
    user = study.memberships.get(role="analyst").user
    for number in range(3):
        made = Study.objects.create(title=f"Draft {number}", protocol={}, plan={})
        made.memberships.create(user=user, role="coordinator")
    assert client.get("/api/studies/?state=draft").json()["count"] == 3
    assert client.get("/api/studies/?state=draft&state=unblinded&search=DRAFT 1").json()["count"] == 1
    page = client.get("/api/studies/?page_size=2").json()
    assert len(page["results"]) == 2 and page["results"][0]["title"] == "Draft 2" and page["next"]
    for query in ("state=done", "stat=draft", "page_size=x", "search=%00"):
        assert client.get(f"/api/studies/?{query}").status_code == 400


def test_facts_of_a_study(client: Client, study: Study) -> None:
    found = client.get(at(study)).json()
    assert found["state"] == "unblinded" and found["protocol_hash"] == "a" * 64 and found["simulated"] is True
    assert [arm["key"] for arm in found["arms"]][:2] == ["tv_recon", "pix2pix"]
    assert found["readers"] == ["R1"] and found["slices"] == 2
    assert found["snapshot"]["inputs_hash"] == "f" * 64


@pytest.mark.parametrize("state", ["draft", "open", "closed", "locked"])
def test_before_unblinding_nothing_per_arm(state: str) -> None:
    study = make_study(Shape(state=state, slices=1, readers=1))
    for role in ("coordinator", "analyst"):
        client = signed_in(add_member(study, role))
        facts = client.get(at(study))
        assert facts.json()["arms"] is None and facts.json()["snapshot"] is None
        assert not any(word in facts.content.decode() for arm in study.arms.all() for word in (arm.key, arm.title))
        for part in PARTS:
            answer = client.get(at(study, part))
            assert answer.status_code == 404 and f"This study is {state}" in answer.json()["detail"]


def test_without_numbers_it_says_where_they_come_from() -> None:
    study = make_study(Shape(slices=1, readers=1))
    answer = signed_in(add_member(study, "analyst")).get(at(study, "scores/"))
    assert answer.status_code == 404 and "not computed yet" in answer.json()["detail"]


@pytest.mark.parametrize("part", ["", *PARTS])
def test_readers_and_strangers_get_404(study: Study, part: str) -> None:
    membership = study.readers.all()[0].membership
    assert membership is not None
    for user in (membership.user, make_user("stranger"), add_member(make_study(Shape(slices=1)), "analyst")):
        for query in ("", "?nonsense=1"):
            answer = signed_in(user).get(at(study, part + query))
            assert answer.status_code == 404 and b"unblinded" not in answer.content
    answer = Client().get(at(study, part))
    assert answer.status_code == 401 and "send a token" in answer.json()["detail"]


def test_figures_come_in_three_kinds(client: Client, study: Study) -> None:
    for kind, start in (("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF")):
        answer = client.get(at(study, f"figures/means.{kind}"), headers={"accept": "image/*"})
        assert answer.status_code == 200 and answer.content.startswith(start)
    empty = client.get(at(study, "figures/annotations.svg"))
    assert empty.status_code == 404 and "nothing for that figure" in empty.json()["detail"]
    for name in ("nothing.svg", "means.gif"):
        answer = client.get(at(study, f"figures/{name}"))
        assert answer.status_code == 404 and "the figures are scores, means" in answer.json()["detail"]


def test_an_export_is_an_entry_of_the_study_s_audit(study: Study) -> None:
    owner = add_member(study, "coordinator")
    _, secret = create_token(owner, "one", [Scope.EXPORTS])
    answer = Client().get(at(study, "export.zip"), headers={"authorization": f"Bearer {secret}"})
    assert answer.content.startswith(b"PK") and "attachment" in answer["Content-Disposition"]
    entry = Entry.objects.get(verb="snapshot.export", actor=owner.handle)
    assert entry.chain.name == study.chain
    refused = Client().get(at(study, "scores/"), headers={"authorization": f"Bearer {secret}"})
    assert refused.status_code == 403 and "results:read" in refused.json()["detail"]


def test_an_unknown_address_is_said_in_json(client: Client) -> None:
    for address in ("/api/nothing/", "/api/studies/x/", "/api/studies/x/scores/"):
        answer = client.get(address)
        assert answer.status_code == 404 and "/api/" in answer.json()["detail"]
    assert client.get("/api/studies").status_code == 301


def test_a_page_of_scores_takes_few_queries(client: Client, study: Study, django_assert_max_num_queries: Any) -> None:
    client.get(at(study, "scores/"))
    with django_assert_max_num_queries(6):
        client.get(at(study, "scores/?page=2"))
    assert api.lines_of.cache_info().hits > 0
