"""The pages of a protocol: form, file, outlook, print; all of it without a script."""

from __future__ import annotations

from html import unescape
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from readerstudy.studies.fields import values_of
from readerstudy.studies.models import Study
from readerstudy.studies.protocol import Protocol
from readerstudy.studies.queries import protocol_of
from readerstudy.studies.toml import write_toml
from tests.factories import World, make_draft, make_open, make_protocol, make_user

pytestmark = pytest.mark.django_db
NEW = "/studies/new/"


@pytest.fixture
def client() -> Client:
    made = Client()
    made.force_login(make_user(may_coordinate=True))
    return made


def posted(protocol: Protocol, act: str, **changes: str) -> dict[str, str]:
    held = values_of({**protocol.as_data(), "plan": protocol.plan_as_data()})
    return {"tab": "form", "act": act, **held, **changes}


def said(answer: Any) -> str:
    return unescape(answer.content.decode())


def at(world: World) -> tuple[Client, str]:
    made = Client()
    made.force_login(world.coordinator)
    return made, reverse("conduct:protocol", args=[world.study.pk])


def test_a_study_is_made_from_the_form(client: Client) -> None:
    protocol = make_protocol(study={"consent": "One.\n\nTwo."})
    answer = client.post(NEW, posted(protocol, "save"))
    study = Study.objects.get()
    assert answer.status_code == 302 and protocol_of(study) == protocol


def test_a_study_is_made_from_the_file(client: Client) -> None:
    protocol = make_protocol()
    upload = SimpleUploadedFile("p.toml", write_toml(protocol).encode())
    client.post(NEW, {"tab": "text", "act": "save", "text": "nonsense", "file": upload})
    assert protocol_of(Study.objects.get()) == protocol


@pytest.mark.parametrize(
    ("upload", "sentence"),
    [(b"\xff\xfe", "not text in UTF-8"), (b"x" * 200_001, "too large"), (b"title = ", "not valid TOML")],
)
def test_a_file_that_is_no_protocol_is_refused(client: Client, upload: bytes, sentence: str) -> None:
    answer = client.post(NEW, {"tab": "text", "act": "save", "text": "", "file": SimpleUploadedFile("p", upload)})
    assert answer.status_code == 200 and sentence in said(answer) and not Study.objects.exists()


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("slices.number", "many", "slices.number: write a whole number, not 'many'."),
        ("slices.number", "1", "slices.number: write a number from 2 to 2000"),
        ("arms.1.levels.CT", "x", "arms[2].levels.CT: write a number, not 'x'."),
        ("arms.0.settings", "steps =", "arms[1].settings: write a table"),
        ("arms.0.settings", "steps = 3", "arms.tv_recon.settings: TV-Recon has no setting 'steps'"),
        ("plan.comparator", "z", "plan.comparator: name one of the arms"),
        ("study.title", "t" * 201, "study.title: write at most 200 characters."),
        ("display.labels", "a\na", "display.labels: every label stands once."),
    ],
)
def test_what_is_wrong_stands_beside_its_field(client: Client, name: str, value: str, sentence: str) -> None:
    page = said(client.post(NEW, posted(make_protocol(), "save", **{name: value})))
    ident = f"f-{name.replace('.', '-')}"
    beside = page.split(f'id="{ident}-error">')[1].split("<")[0]
    assert sentence in beside
    assert f'href="#{ident}"' in page and value in page
    assert not Study.objects.exists()


def test_going_to_the_file_and_back_loses_nothing(client: Client) -> None:
    protocol = make_protocol(design={"repeats": 0.1}, display={"labels": []})
    page = said(client.post(NEW, posted(protocol, "text")))
    text = page.split('class="code">\n')[1].split("</textarea>")[0]
    assert text == write_toml(protocol)
    page = said(client.post(NEW, {"tab": "text", "act": "form", "text": text}))
    assert 'name="design.repeats" value="0.1"' in page


def test_a_form_that_is_wrong_goes_to_the_file_too(client: Client) -> None:
    page = said(client.post(NEW, posted(make_protocol(), "text", **{"slices.number": "many"})))
    assert 'number = "many"' in page and "slices.number: write a whole number" in page


def test_a_file_that_is_wrong_stays_and_says_why(client: Client) -> None:
    page = said(client.post(NEW, {"tab": "text", "act": "form", "text": "[study]\ntitle = 'mine'"}))
    assert "title = 'mine'</textarea>" in page and "is missing" in page


def test_arms_and_criteria_come_and_go(client: Client) -> None:
    page = said(client.post(NEW, posted(make_protocol(), "add:arms")))
    assert 'name="arms.4.key" value="arm_5"' in page and "autofocus" in page
    page = said(client.post(NEW, posted(make_protocol(), "remove:arms:0")))
    assert 'name="arms.2.key"' in page and 'name="arms.3.key"' not in page
    page = said(client.post(NEW, posted(make_protocol(), "add:criteria")))
    assert 'name="criteria.1.texts.5"' in page


def test_the_outlook_follows_the_form(client: Client) -> None:
    held = posted(make_protocol(), "preview", seconds="30", **{"slices.number": "50"})
    page = said(client.post(NEW, held))
    assert "<form" in page and "(200 × 1 × 30 s)" in page and "100 minutes" in page
    part = said(client.post(NEW, held, headers={"HX-Request": "true"}))
    assert "<form" not in part and "(200 × 1 × 30 s)" in part
    part = said(client.post(NEW, held | {"slices.number": "0"}, headers={"HX-Request": "true"}))
    assert 'data-at="slices.number"' in part


@pytest.mark.parametrize(("key", "word"), [("paper", 'value="100"'), ("recommended", "Degraded input")])
def test_a_preset_fills_the_form(client: Client, key: str, word: str) -> None:
    assert word in said(client.get(f"{NEW}?preset={key}"))


def test_a_draft_is_changed_in_the_form() -> None:
    world = make_draft()
    client, url = at(world)
    assert 'name="slices.number" value="8"' in said(client.get(url))
    client.post(url, posted(protocol_of(world.study), "save", **{"slices.number": "9"}))
    assert protocol_of(Study.objects.get()).slices.number == 9


def test_a_frozen_protocol_is_read_and_not_written() -> None:
    world = make_open()
    client, url = at(world)
    page = said(client.get(url))
    assert "<textarea" not in page and world.study.protocol_hash in page
    answer = client.post(url, posted(protocol_of(world.study), "save", **{"slices.number": "9"}), follow=True)
    assert "make an amendment" in said(answer) and protocol_of(Study.objects.get()).slices.number == 8


def test_print_says_all_of_it() -> None:
    world = make_draft(study={"approval_number": "EB-17"}, design={"repeats": 0.25})
    client, _ = at(world)
    url = reverse("studies:print", args=[world.study.pk])
    page = said(client.get(url))
    for words in (
        "EB-17",
        "Draft: not frozen",
        "Research use only, not for diagnosis",
        "excellent",
        "Bonferroni".lower(),
    ):
        assert words in page
    assert "SHA-256" not in page


def test_print_shows_the_hashes_of_a_frozen_protocol() -> None:
    world = make_open()
    client, _ = at(world)
    page = said(client.get(reverse("studies:print", args=[world.study.pk])))
    assert world.study.protocol_hash in page and world.study.plan_hash in page


def test_the_page_takes_few_queries(client: Client, django_assert_max_num_queries: Any) -> None:
    make_draft()
    with django_assert_max_num_queries(20):
        client.get(f"{NEW}?preset=recommended")
