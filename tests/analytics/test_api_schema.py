"""The schema is valid, describes every address, and tells the truth; the page of the API is made from it."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from django.core.cache import cache
from django.core.management import call_command
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.test import Client
from django.urls import reverse
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from readerstudy.accounts.models import Scope, User
from readerstudy.accounts.tokens import create_token
from readerstudy.analytics import api_urls
from readerstudy.studies.models import Study
from readerstudy.wsgi import application
from tests.analytics.conftest import Exported
from tests.analytics.factories import Shape, add_member, make_study, make_user

pytestmark = pytest.mark.django_db
CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance,
    response_headers_conformance,
]  # fmt: skip


@pytest.fixture(autouse=True)
def small_zips_and_no_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("readerstudy.analytics.exports.FIGURES", {})
    cache.clear()


@pytest.fixture
def study(exported: Exported) -> Study:
    made = make_study(Shape(slices=2, readers=1))
    exported.snapshot_of(made)
    return made


@pytest.fixture
def analyst(study: Study) -> User:
    return add_member(study, "analyst")


def signed_in(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def document() -> dict[str, Any]:
    made: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return made


@pytest.fixture
def server() -> Iterator[Callable[..., Any]]:
    """The product as a WSGI server shows it, inside the transaction of the test."""

    def served(environ: dict[str, Any], start_response: Any) -> Any:
        return application({"REMOTE_ADDR": "127.0.0.1", **environ}, start_response)

    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield served
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def test_the_schema_is_valid_without_a_warning(tmp_path: Any) -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", file=str(tmp_path / "schema.yaml"))


def test_every_address_is_described_and_names_its_scope() -> None:
    schema = document()
    unlisted = {"docs", "schema", "nothing"}
    assert len(schema["paths"]) == len([p for p in api_urls.urlpatterns if p.name not in unlisted])
    bearer = schema["components"]["securitySchemes"]["token"]
    assert (bearer["type"], bearer["scheme"]) == ("http", "bearer")
    assert all(scope in bearer["description"] for scope in Scope.values)
    for path, verbs in schema["paths"].items():
        assert set(verbs) == {"get"}, path
        (scope,) = next(needed["token"] for needed in verbs["get"]["security"] if "token" in needed)
        assert scope in Scope.values and verbs["get"]["summary"], path


@pytest.mark.parametrize("who", ["a token", "nobody", "a wrong token"])
def test_answers_are_as_the_schema_says(who: str, study: Study, analyst: User, server: Callable[..., Any]) -> None:
    """Whatever the parameters: no answer that the schema does not describe, and none of 500."""
    _, secret = create_token(analyst, "one", Scope.values)
    headers = {"a token": {"Authorization": f"Bearer {secret}"}, "a wrong token": {"Authorization": "Bearer rs_x"}}
    statuses = _tried(server, study, headers.get(who, {}), secret, 8 if who == "a token" else 5)
    # Nobody is an invented token or an invented session.
    assert statuses == ({200, 400, 404} if who == "a token" else {401, 429})


def _tried(server: Callable[..., Any], study: Study, headers: dict[str, str], secret: str, examples: int) -> set[int]:
    schema = schemathesis.openapi.from_wsgi(
        "/api/schema/?format=json", server, headers={"Authorization": f"Bearer {secret}"}
    )
    statuses = set()
    for found in schema.get_all_operations():

        @given(case=found.ok().as_strategy())
        @settings(
            max_examples=examples, deadline=None, derandomize=True, database=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        def check(case: Any) -> None:
            if "study" in case.path_parameters and int(str(case.path_parameters["study"])[-1], 16) < 12:
                case.path_parameters["study"] = str(study.pk)
            response = case.call(headers=headers)
            case.validate_response(response, checks=CHECKS)
            statuses.add(response.status_code)

        check()
    return statuses


def test_the_page_lists_every_address_and_its_examples_work(study: Study, analyst: User) -> None:
    client = signed_in(analyst)
    page = client.get(reverse("api:docs"))
    text = html.unescape(page.content.decode())
    for path, verbs in document()["paths"].items():
        assert path in text
        for parameter in verbs["get"]["parameters"]:
            assert f"<code>{parameter['name']}</code>" in text
    assert "style=" not in text and "<script>" not in text
    examples = re.findall(r'READERSTUDY_TOKEN" \\\n  http://testserver(\S+)</code>', text)
    assert len(examples) == len(document()["paths"])
    _, secret = create_token(analyst, "one", Scope.values)
    for address in examples:
        answer = Client().get(address, headers={"authorization": f"Bearer {secret}"})
        assert answer.status_code == 200, address
    assert text.count("urlopen(Request(") == len(examples)


def test_fields_on_the_page_are_those_of_the_answers(study: Study, analyst: User) -> None:
    client = signed_in(analyst)
    text = client.get(reverse("api:docs")).content.decode()
    row = client.get(f"/api/studies/{study.pk}/scores/").json()["results"][0]
    facts = client.get(f"/api/studies/{study.pk}/").json()
    for name in (*(f"results[].{key}" for key in row), *facts, *(f"arms[].{key}" for key in facts["arms"][0])):
        assert f"<code>{name}</code>" in text, name


def test_the_page_is_the_desk_s(study: Study) -> None:
    membership = study.readers.all()[0].membership
    assert membership is not None
    for user in (membership.user, make_user("stranger")):
        assert signed_in(user).get(reverse("api:docs")).status_code == 404
    without = make_user("newcomer")
    without.may_coordinate = True
    without.save()
    assert b"/api/studies/STUDY/scores/" in signed_in(without).get(reverse("api:docs")).content
