"""A copy holds all of the protocol; a field that is new to a study or a protocol fails here until it is dealt with."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from readerstudy.audit.models import Entry
from readerstudy.studies.actions import StudyError, copy_study
from readerstudy.studies.models import Arm, Criterion, Study
from readerstudy.studies.queries import protocol_of
from tests.factories import make_draft, make_open

pytestmark = pytest.mark.django_db

# Every column of a study: copied as it is, copied under another name, or the copy's own.
COPIED = {"plan"}
RENAMED = {"title", "protocol"}
OWN = {
    "id", "state", "protocol_hash", "plan_hash", "extends", "paused", "created_by", "created_at", "opened_at",
    "closed_at", "locked_at", "locked_by", "unblinded_at",
}  # fmt: skip
CHANGES: dict[str, Any] = {
    "study": {"consent": "Read.\n\nAgree.", "approval_number": "7", "reader_record": ["years"]},
    "slices": {"anatomy": [], "minimum_body_share": 0.2, "edge_slices": False},
    "display": {"labels": ["one"], "back": 3, "context_slices": 0},
    "sessions": {"number": 2, "too_fast_ms": 5},
    "design": {"repeats": 0.1, "guess_images": 1},
    "plan": {"margin": 0.5, "secondary": ["a"], "comparator": "pix2pix"},
}


def leaves(value: Any, path: str = "") -> dict[str, Any]:
    """Every field of the dataclasses inside, by its path."""
    if is_dataclass(value):
        return {k: v for f in fields(value) for k, v in leaves(getattr(value, f.name), f"{path}.{f.name}").items()}
    if isinstance(value, list) and value and is_dataclass(value[0]):
        return {k: v for i, item in enumerate(value) for k, v in leaves(item, f"{path}[{i}]").items()}
    return {path: value}


def test_every_column_of_a_study_is_dealt_with() -> None:
    assert {f.name for f in Study._meta.concrete_fields} == COPIED | RENAMED | OWN


def test_every_field_is_copied() -> None:
    world = make_open(**CHANGES)
    made = copy_study(world.study, world.coordinator)
    before, after = leaves(protocol_of(world.study)), leaves(protocol_of(made))
    assert before.keys() == after.keys()
    assert {path for path in before if before[path] != after[path]} == {".study.title"}
    assert made.title == protocol_of(made).study.title == f"{world.study.title} (copy)"
    fresh = Study()
    for name in COPIED:
        assert getattr(made, name) == getattr(world.study, name), name
    for name in OWN - {"id", "created_by", "created_at"}:
        assert getattr(made, name) == getattr(fresh, name), name
    for model in (Arm, Criterion):
        columns = [f.name for f in model._meta.concrete_fields if f.name not in ("id", "study")]
        old, new = (list(model.objects.filter(study=s).values(*columns)) for s in (world.study, made))
        assert old == new


def test_a_copy_is_a_draft_of_its_own() -> None:
    world = make_draft()
    made = copy_study(world.study, world.second)
    assert made.state == Study.State.DRAFT and made.created_by == world.second
    assert [m.user for m in made.memberships.all()] == [world.second]
    assert not made.readers.exists() and not made.slices.exists()
    verbs = list(Entry.objects.filter(chain__name=made.chain).order_by("sequence").values_list("verb", flat=True))
    assert verbs == ["study.create", "study.copy"]


def test_a_long_title_is_cut() -> None:
    world = make_draft(study={"title": "x" * 200})
    assert copy_study(world.study, world.coordinator).title == "x" * 193 + " (copy)"


def test_only_its_coordinator_copies_a_study() -> None:
    world = make_draft()
    with pytest.raises(StudyError, match="Only a coordinator of this study"):
        copy_study(world.study, world.analyst)


def test_the_button_leads_to_the_copy() -> None:
    world = make_draft()
    client = Client()
    client.force_login(world.coordinator)
    answer = client.post(reverse("studies:copy", args=[world.study.pk]), follow=True)
    made = Study.objects.exclude(pk=world.study.pk).get()
    assert answer.redirect_chain[-1][0] == reverse("conduct:protocol", args=[made.pk])
    assert b"This is the copy" in answer.content


def test_an_older_stored_protocol_can_be_copied() -> None:
    world = make_draft()
    del world.study.protocol["study"]["reader_record"]
    world.study.save()
    made = copy_study(world.study, world.coordinator)
    named = replace(protocol_of(world.study).study, title=made.title)
    assert protocol_of(made) == replace(protocol_of(world.study), study=named)
