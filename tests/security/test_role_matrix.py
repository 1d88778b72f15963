"""Every URL x every role; and no URL without a row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from readerstudy.accounts.models import Token, User
from readerstudy.accounts.resets import make_reset_link
from readerstudy.accounts.tokens import create_token
from readerstudy.cases.actions import KEEP
from readerstudy.cases.models import Case, Import, Source
from readerstudy.cases.upload_files import Stated
from readerstudy.cases.uploads import begin_upload
from readerstudy.conduct.actions import invite
from readerstudy.reading.actions import start_session
from readerstudy.reconstructions.export_list import zip_path
from readerstudy.reconstructions.exports import request_reconstructions
from readerstudy.reconstructions.models import Reconstruction, Run
from readerstudy.studies.models import StudySlice
from tests.factories import World, make_case, make_open, make_run, make_user
from tests.security.matrix import FOREIGN, ROLES, ROWS, Row

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    made = make_open()
    start_session(made.readers[0], made.sessions()[0])
    return made


@pytest.fixture
def people(world: World) -> dict[str, User | None]:
    return {
        "nobody": None,
        "stranger": make_user(),
        "reader": world.readers[0],
        "coordinator": world.coordinator,
        "analyst": world.analyst,
        "administrator": make_user(is_superuser=True, is_staff=True),
    }


def arguments(world: World) -> dict[str, Any]:
    case = StudySlice.objects.filter(study=world.study)[0].slice.case
    batch = Import.objects.create(source=Source.objects.get(name="Tests"), started_by=world.coordinator)
    run = Run.objects.filter(measurement__case=case)[0]
    reconstruction = Reconstruction.objects.filter(run=run)[0]
    invited, lost = invite(world.study, "analyst", "", world.coordinator), make_user()
    return {
        "invitation": invited.token, "invitation_pk": invited.invitation.pk, "one": 1, "handle": lost.handle,
        "upload": made_upload(world), "source": batch.source_id, "waiting": quarantined(),
        "reset": make_reset_link(lost, make_user(is_superuser=True)),
        "reconstruction": reconstruction.pk, "slice_pk": reconstruction.slice_id, "uncertain": uncertain(case),
        "study": world.study.pk, "case": case.pk, "run": run.pk,
        "export": made_export(run),
        "zero": 0, "batch": batch.pk, "session": world.sessions()[0].token, "session_pk": world.sessions()[0].pk,
        "presentation": world.presentations()[0].pk, "open_verb": "open", "figure": "scores", "svg": "svg",
        "table": "scores.csv", "slice_name": "S001", "arm": "tv_recon",
        "schedule": world.schedule().token, "image": "nothing",
        "token_pk": made_token(world), "nothing": "nothing/",
    }  # fmt: skip


def made_export(run: Run) -> UUID:
    """An export whose zip lies ready, without the worker that makes it."""
    made = request_reconstructions([run], None)
    zip_path(made).write_bytes(b"zip")
    return made


def uncertain(case: Case) -> int:
    """A reconstruction of the case with an SD map."""
    rows = Reconstruction.objects.filter(slice__case=case).exclude(uncertainty="")
    if not rows.exists():
        make_run(case, "diffusion_unet", settings={"samples": 2})
    return rows.order_by("pk")[0].pk


def made_token(world: World) -> UUID:
    """A token of the coordinator that works."""
    known = Token.objects.filter(owner=world.coordinator, revoked_at=None).first()
    return (known or create_token(world.coordinator, "a script", ["studies:read"])[0]).pk


def made_upload(world: World) -> UUID:
    """An upload of one file, of which nothing has arrived."""
    source = Source.objects.get(name="Tests")
    return begin_upload(by=world.coordinator, source=source, keep=KEEP, files=[Stated(9, "0" * 32)]).pk


def quarantined() -> UUID:
    """A case that waits until someone has looked at it."""
    waiting = Case.objects.filter(state=Case.State.QUARANTINED).first()
    if waiting is None:
        waiting = make_case("US")
        Case.objects.filter(pk=waiting.pk).update(state=Case.State.QUARANTINED)
    return waiting.pk


def url_of(row: Row, world: World) -> str:
    known = arguments(world)
    return reverse(row.name, args=[known[name] for name in row.arguments])


@pytest.mark.parametrize("role", ROLES)
def test_a_role_gets_what_the_matrix_says(role: str, world: World, people: dict[str, User | None]) -> None:
    client = Client()
    if (user := people[role]) is not None:
        client.force_login(user)
    wrong = []
    for row in ROWS:
        url, expected = url_of(row, world), row.statuses[ROLES.index(role)]
        if row.name == "reading:answers":
            response = client.post(url, _answer(world), content_type="application/json")
        else:
            response = client.post(url, row.data or {}) if row.post else client.get(url)
        if response.status_code != expected:
            wrong.append(f"{role} gets {response.status_code}, not {expected}, from {url}")
    assert not wrong, "\n".join(wrong)


def _answer(world: World) -> dict[str, Any]:
    return {
        "key": "8c4ff1d0-3b07-4b44-9f0c-0f8f3bd1c4a1", "presentation": world.presentations()[0].pk,
        "answers": {"overall": {"value": 3}},
    }  # fmt: skip


def names(patterns: list[URLPattern | URLResolver], prefix: str = "") -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            inner = f"{prefix}{pattern.namespace}:" if pattern.namespace else prefix
            yield from names(pattern.url_patterns, inner)
        else:
            yield f"{prefix}{pattern.name or pattern.pattern}"


def test_no_url_without_a_row() -> None:
    rows = {row.name for row in ROWS}
    ours = {name for name in names(get_resolver().url_patterns) if not name.startswith(FOREIGN)}
    assert ours - rows == set(), "Give these URLs a row in tests/security/matrix.py."
    assert rows - ours == set(), "These rows have no URL any more."


def test_a_verb_of_change_refuses_get(world: World) -> None:
    for row in ROWS:
        if not row.post:
            continue
        client = Client()
        client.force_login(world.readers[0] if row.name.startswith("reading:") else world.coordinator)
        assert client.get(url_of(row, world)).status_code == 405, row.name


def test_answers_need_a_csrf_token(world: World) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(world.readers[0])
    response = client.post(reverse("reading:answers"), _answer(world), content_type="application/json")
    assert response.status_code == 403
