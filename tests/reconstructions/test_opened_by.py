"""The request page filled in by its address: what the links of a study's outlook send, and what can't be."""

from __future__ import annotations

import pytest
from django.http import QueryDict
from django.test import Client

from readerstudy.reconstructions.forms import opened_by
from tests.factories import make_case, make_user

pytestmark = pytest.mark.django_db
NEW = "/runs/new/"


@pytest.fixture
def coordinator(client: Client) -> Client:
    client.force_login(make_user(may_coordinate=True))
    return client


def test_an_address_chooses_method_modality_level_and_setting(coordinator: Client) -> None:
    shown, hidden = make_case("CT"), make_case("MR")
    query = {"methods": "tv_recon", "modality": "CT", "ct": "0.5", "tv_recon.iterations": "7"}
    answer = coordinator.get(NEW, query)
    html, form = answer.content.decode(), answer.context["form"]
    assert answer.status_code == 200 and answer.context["left_out"] == []
    assert shown.pseudonym in html and hidden.pseudonym not in html
    assert [choice.entry.key for choice in form.choices() if choice.chosen] == ["tv_recon"]
    assert form["ct"].value() == "0.5" and form["tv_recon.iterations"].value() == "7"
    assert answer.context["estimate"].runs == 1
    assert '<details class="method-settings" open>' in html


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"ct": "lots"}, "Write levels of CT as numbers"),
        ({"ct": "0.25, 7"}, "must be between 0.01 and 1"),
        ({"mr": "nan"}, "must be between 1 and 16"),
        ({"us": "1" * 200}, "at most 120 characters"),
        ({"modality": "XA"}, "XA is not one of the available choices"),
        ({"anatomy": "elbow"}, "elbow is not one of the available choices"),
        ({"source": "9" * 40}, "Select a valid choice"),
        ({"source": "one"}, "Select a valid choice"),
        ({"search": "a\x00b"}, "Null characters are not allowed"),
        ({"tv_recon.iterations": "-3"}, "greater than or equal to"),
    ],
)
def test_what_makes_no_sense_gets_a_sentence_and_the_form_its_own_values(
    coordinator: Client, query: dict[str, str], sentence: str
) -> None:
    make_case("CT")
    answer, plain = coordinator.get(NEW, query), coordinator.get(NEW)
    assert answer.status_code == 200 and sentence in answer.content.decode()
    assert len(answer.context["left_out"]) == 1
    for name in query:
        assert answer.context["form"][name].value() == plain.context["form"][name].value()


def test_known_methods_stay_beside_an_unknown_one_and_strange_names_say_nothing() -> None:
    form, left_out = opened_by(
        QueryDict("methods=tv_recon&methods=no&methods=tv_recon&utm=1&which=ticked&csrfmiddlewaretoken=x")
    )
    assert form["methods"].value() == ["tv_recon"] and len(left_out) == 1
    assert form["which"].value() == "all"


def test_a_method_made_elsewhere_gets_a_sentence_and_nothing_else_is_chosen_for_it(coordinator: Client) -> None:
    make_case("CT")
    html = coordinator.get(NEW, {"methods": "our_unet"}).content.decode()
    assert "“our_unet” is no method of this program" in html and "Choose at least one method." in html


def test_an_empty_value_is_no_complaint() -> None:
    form, left_out = opened_by(QueryDict("modality=&ct=&search="))
    assert left_out == [] and form["ct"].value() == ""


def test_the_list_of_runs_leads_to_exports_import_and_metrics(coordinator: Client) -> None:
    html = coordinator.get("/runs/").content.decode()
    assert all(f'href="/runs/{place}/"' in html for place in ("exports", "import", "metrics", "new"))
