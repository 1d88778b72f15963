"""An extension pooled with the study it extends: both sets of readers and arms, labelled, for who may see both."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from readerstudy.analytics.actions import make_snapshot
from readerstudy.analytics.compute import compute, document_text
from readerstudy.analytics.pooling import PoolError, pooled_inputs
from readerstudy.conduct.actions import close_study, extend_study, lock_study, open_study, unblind_study
from readerstudy.studies.actions import add_member
from readerstudy.studies.models import Study
from tests.analytics.inputs_factory import full_inputs, pair_inputs
from tests.analytics.test_sections import finish
from tests.factories import ARMS, LEVELS, World, make_open, make_protocol, make_user, read_all

SMALL: dict[str, Any] = {"sessions": {"number": 2}, "slices": {"number": 6}}


def test_readers_of_both_are_kept_apart_and_arms_stand_once() -> None:
    first, second = full_inputs(seed=0), full_inputs(readers=2, seed=1)
    pooled = pooled_inputs(first, second)
    assert pooled.facts.readers == ["R1", "R2", "R3", "R4", "E-R1", "E-R2"]
    assert [arm.key for arm in pooled.facts.arms] == [arm.key for arm in first.facts.arms]
    assert len(pooled.scores) == len(first.scores) + len(second.scores)
    assert pooled.images == first.images, "images of arms that both show stand once"
    document = compute(replace(pooled, facts=replace(pooled.facts, draws=50)), mixed_models=False)
    document_text(document)
    assert document["pooled"]["n_readers"] == 6 and list(document["readers"]) == pooled.facts.readers


def test_arms_that_only_the_extension_has_are_added() -> None:
    first, second = full_inputs(), full_inputs(seed=1)
    arms = [replace(arm, key=f"new_{arm.key}") for arm in second.facts.arms]
    second = replace(
        second,
        facts=replace(second.facts, arms=arms),
        scores=tuple(replace(line, arm=f"new_{line.arm}") for line in second.scores),
        images=tuple(replace(line, arm=f"new_{line.arm}") for line in second.images),
        sets=tuple(replace(line, arm=f"new_{line.arm}") for line in second.sets),
    )
    pooled = pooled_inputs(first, second)
    assert len(pooled.facts.arms) == 2 * len(arms) and len(pooled.images) == 2 * len(first.images)


def test_what_means_something_else_is_not_pooled() -> None:
    first = full_inputs()
    facts = first.facts
    other_arm = replace(first, facts=replace(facts, arms=[replace(facts.arms[0], levels={"CT": 0.9}), *facts.arms[1:]]))
    other_scale = replace(first, facts=replace(facts, categories=[1, 2, 3]))
    for second, said in ((other_arm, "another method or level"), (other_scale, "different questions or scales")):
        with pytest.raises(PoolError, match=said):
            pooled_inputs(first, second)
    with pytest.raises(PoolError, match="Pairs are not pooled"):
        pooled_inputs(pair_inputs(), pair_inputs())


@pytest.fixture
def extension(db: None, monkeypatch: pytest.MonkeyPatch) -> Study:
    """Two arms of an unblinded study read again by one more reader."""
    monkeypatch.setattr("readerstudy.analytics.figures.FIGURES", {})
    world = make_open(**SMALL)
    two = [{"key": m, "title": m, "method": m, "levels": LEVELS} for m in ARMS[:2]]
    made = extend_study(
        world.study, world.coordinator, make_protocol(arms=two, **SMALL, design={"readers": 1, "minimum_gap": 1})
    )
    reader = make_user()
    add_member(made, reader, "reader", world.coordinator)
    add_member(made, world.second, "coordinator", world.coordinator)
    add_member(made, world.analyst, "analyst", world.coordinator)
    made = open_study(made, world.coordinator)
    read_all(world)
    make_snapshot(finish(world), None)
    read_all(World(made, world.coordinator, world.second, world.analyst, [reader]))
    close_study(made, world.coordinator)
    lock_study(made, world.coordinator)
    unblind_study(made, world.second)
    made.refresh_from_db()
    make_snapshot(made, None)
    return made


def test_the_page_pools_and_says_so(extension: Study) -> None:
    client = Client()
    client.force_login(extension.memberships.get(role="analyst").user)
    page = reverse("analytics:results", args=[extension.pk])
    assert "?pooled=1" in client.get(page).content.decode()
    answer = client.get(page, {"pooled": "1"})
    text = answer.content.decode()
    assert "pooled with the study it extends" in text and "Pooled: two studies" in text
    assert answer.context["document"]["study"]["readers"] == ["R1", "R2", "E-R1"]
    assert list(answer.context["document"]["arms"]) == list(ARMS)
    part = client.get(page, {"pooled": "1", "reader": "E-R1"}).context["document"]
    assert part["pooled"]["n_readers"] == 1
    parent = reverse("analytics:results", args=[extension.extends_id])
    assert client.get(parent, {"pooled": "1"}).status_code == 400


def test_who_may_not_see_the_other_study_gets_nothing_pooled(extension: Study) -> None:
    stranger = make_user()
    add_member(extension, stranger, "analyst", extension.memberships.filter(role="coordinator")[0].user)
    client = Client()
    client.force_login(stranger)
    page = reverse("analytics:results", args=[extension.pk])
    assert client.get(page).status_code == 200 and client.get(page, {"pooled": "1"}).status_code == 404
