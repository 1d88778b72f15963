"""Twice as many rows, the same number of queries: every page of the role matrix, for every role that may see it."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from readerstudy.accounts.models import User
from readerstudy.cases.models import Case, Import, Source
from readerstudy.conduct.actions import open_study
from readerstudy.jobs.actions import Submission, submit_many
from readerstudy.reading.actions import start_session
from readerstudy.studies.actions import add_member, create_study
from tests.factories import World, answer, make_case, make_open, make_protocol, make_run, make_user
from tests.security.matrix import ROLES, ROWS
from tests.security.test_role_matrix import arguments

MOST = 15
# Reports and single sittings, which are no lists: as many queries as they need, but no more when rows double.
NO_LISTS = {"conduct:balance", "reading:room"}


@pytest.fixture
def world() -> World:
    made = make_open()
    _read_some(made)
    return made


def _read_some(world: World) -> None:
    for number, reader in enumerate(world.readers):
        session = world.sessions(number)[0]
        start_session(reader, session)
        for row in world.presentations(number)[:3]:
            answer(reader, row)


def _grown(world: World) -> World:
    """Another open study of the same people, twice as large, and as many more cases, runs, imports, jobs, people."""
    for modality in ("CT", "MR", "US"):
        for _ in range(2):
            case = make_case(modality, slices=4)
            for method in ("reference", "tv_recon", "pix2pix", "restormer", "diffusion_unet"):
                make_run(case, method)
    protocol = make_protocol(study={"title": "Twice", "seed": 8}, slices={"number": 16}, design={"readers": 4})
    study = create_study(protocol, world.coordinator)
    add_member(study, world.second, "coordinator", world.coordinator)
    add_member(study, world.analyst, "analyst", world.coordinator)
    readers = [*world.readers, make_user(), make_user()]
    for reader in readers:
        add_member(study, reader, "reader", world.coordinator)
    for _ in range(4):
        make_user()
        Import.objects.create(source=Source.objects.get(name="Tests"), started_by=world.coordinator)
        source = Source.objects.create(name=f"Source {Source.objects.count()}")
        Case.objects.filter(pk=make_case("US").pk).update(state=Case.State.QUARANTINED, source=source)
    submit_many(Submission(f"reconstruct:{i}", "reconstruct", {}) for i in range(4))
    made = World(open_study(study, world.coordinator), world.coordinator, world.second, world.analyst, readers)
    _read_some(made)
    for _ in range(3):
        arguments(made)  # exports, invitations, uploads and whatever else a page is asked for
    return made


def _counted(world: World, people: dict[str, User]) -> dict[tuple[str, str], list[str]]:
    """The statements of every page by role and name, once all pages have been seen."""
    found, known = {}, arguments(world)
    for role, user in people.items():
        client = Client()
        client.force_login(user)
        rows = [row for row in ROWS if not row.post and row.statuses[ROLES.index(role)] == 200]
        urls = {row.name: reverse(row.name, args=[known[name] for name in row.arguments]) for row in rows}
        for url in urls.values():
            assert client.get(url).status_code == 200, f"{role} {url}"
        for name, url in urls.items():
            with CaptureQueriesContext(connection) as captured:
                client.get(url)
            # PostgreSQL's clock is asked by a statement of its own, which reads no table.
            found[role, name] = [query["sql"] for query in captured if "clock_timestamp" not in query["sql"]]
    return found


@pytest.mark.django_db
def test_twice_as_many_rows_take_as_many_queries(world: World) -> None:
    people = {
        "stranger": make_user(), "reader": world.readers[0], "coordinator": world.coordinator,
        "analyst": world.analyst, "administrator": make_user(is_superuser=True, is_staff=True),
    }  # fmt: skip
    before = _counted(world, people)
    after = _counted(_grown(world), people)
    grown = [
        f"{role} {name}: {len(before[role, name])} queries, then {len(queries)}, such as {queries[-1][:200]}"
        for (role, name), queries in after.items()
        if len(queries) > len(before[role, name])
    ]
    assert not grown, "\n".join(grown)
    many = [
        f"{role} {name}: {len(queries)} queries"
        for (role, name), queries in after.items()
        if len(queries) > MOST and name not in NO_LISTS
    ]
    assert not many, "\n".join(many)


def test_every_row_that_is_no_list_exists() -> None:
    assert {row.name for row in ROWS} >= NO_LISTS
