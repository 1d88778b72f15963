"""The API gives the pages' numbers to the pages' people."""

from __future__ import annotations

import json

import pytest
from django.test import Client

from readerstudy.analytics.actions import make_snapshot
from readerstudy.conduct.actions import close_study, lock_study, unblind_study
from tests.factories import World, make_open, make_user, read_all

pytestmark = pytest.mark.django_db


@pytest.fixture(name="world")
def unblinded_world() -> World:
    made = make_open()
    read_all(made)
    close_study(made.study, made.coordinator)
    lock_study(made.study, made.coordinator)
    study = unblind_study(made.study, made.second)
    make_snapshot(study, made.analyst)
    return made


def client_of(user: object) -> Client:
    client = Client()
    client.force_login(user)  # type: ignore[arg-type]
    return client


def test_statistics_are_those_of_the_snapshot(world: World) -> None:
    answer = client_of(world.analyst).get(f"/api/studies/{world.study.pk}/statistics/")
    assert answer.json() == json.loads(world.study.snapshots.get().statistics)


def test_scores_come_in_pages(world: World) -> None:
    answer = client_of(world.analyst).get(f"/api/studies/{world.study.pk}/scores/").json()
    assert answer["count"] == 8 * 4 * 2
    assert answer["next"] is None
    row = answer["results"][0]
    assert (row["slice"], row["reader"], row["criterion"], row["repeat"]) == ("S001", "R1", "overall", 0)
    assert row["score"] in set("12345")


def test_the_list_names_own_studies_only(world: World) -> None:
    mine = client_of(world.analyst).get("/api/studies/").json()
    assert [row["id"] for row in mine["results"]] == [str(world.study.pk)]
    assert client_of(make_user()).get("/api/studies/").json()["count"] == 0
    assert client_of(world.readers[0]).get("/api/studies/").json()["count"] == 0


@pytest.mark.parametrize("part", ["statistics", "scores"])
def test_readers_and_strangers_get_404(world: World, part: str) -> None:
    for user in (world.readers[0], make_user()):
        assert client_of(user).get(f"/api/studies/{world.study.pk}/{part}/").status_code == 404


def test_the_schema_describes_every_operation(world: World) -> None:
    schema = client_of(world.analyst).get("/api/schema/", headers={"accept": "application/vnd.oai.openapi+json"}).json()
    assert set(schema["paths"]) == {
        "/api/schema/", "/api/studies/", "/api/studies/{study}/statistics/", "/api/studies/{study}/scores/",
    }  # fmt: skip
