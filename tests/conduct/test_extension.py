"""The same slices again, with other arms or readers, an order of its own, and nobody who knows the key."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from readerstudy.conduct.actions import close_study, extend_study, lock_study, open_study, unblind_study
from readerstudy.conduct.verify import verify_study
from readerstudy.reading.actions import Guess, record_guesses
from readerstudy.reading.guessing import guess_items
from readerstudy.schedules.models import OrderSecret
from readerstudy.studies.actions import StudyError, add_member
from readerstudy.studies.models import Study
from tests.factories import ARMS, LEVELS, World, make_draft, make_open, make_protocol, make_user, read_all

pytestmark = pytest.mark.django_db
TWO = [{"key": m, "title": m, "method": m, "levels": LEVELS} for m in ARMS[:2]]


def extended(world: World) -> Study:
    return extend_study(
        world.study, world.coordinator, make_protocol(arms=TWO, design={"readers": 1, "minimum_gap": 1})
    )


def slices(study: Study) -> list[tuple[int, int, float]]:
    return list(study.slices.order_by("position").values_list("position", "slice", "window_center"))


def test_the_same_slices_under_an_order_of_its_own() -> None:
    world = make_open()
    made = extended(world)
    assert (made.state, made.extends) == ("draft", world.study)
    add_member(made, make_user(), "reader", world.coordinator)
    opened = open_study(made, world.coordinator)
    assert slices(opened) == slices(world.study)
    first, second = (OrderSecret.objects.get(study=s) for s in (world.study, opened))
    assert first.secret != second.secret and first.commitment != second.commitment
    assert list(verify_study(opened)) == []
    opened.slices.filter(position=1).update(stratum="other")
    assert "The slices are not those of the study that this one extends." in list(verify_study(opened))


def test_other_slices_are_refused() -> None:
    world = make_open()
    for change in ({"slices": {"number": 4}}, {"study": {"seed": 9}}):
        with pytest.raises(StudyError, match="leave both as they are"):
            extend_study(world.study, world.coordinator, make_protocol(**change))
    draft = make_draft()
    with pytest.raises(StudyError, match="Open the study first"):
        extend_study(draft.study, draft.coordinator, make_protocol())
    with pytest.raises(StudyError, match="coordinator of this study"):
        extend_study(world.study, world.analyst, make_protocol())


def test_who_knows_the_key_can_t_read_it() -> None:
    world = make_open()
    read_all(world)
    made, schedule = extended(world), world.schedule()
    record_guesses(
        world.readers[0], schedule, [Guess(item.presentation, item.pane, "") for item in guess_items(schedule)]
    )
    with pytest.raises(StudyError, match="has guessed methods"):
        add_member(made, world.readers[0], "reader", world.coordinator)
    other = extend_study(world.study, world.coordinator, make_protocol())
    add_member(other, world.readers[1], "reader", world.coordinator)
    close_study(world.study, world.coordinator)
    lock_study(world.study, world.coordinator)
    unblind_study(world.study, world.second)
    for user in (world.readers[1], world.analyst):
        with pytest.raises(StudyError, match="unblinded study of the same slices"):
            add_member(made, user, "reader", world.coordinator)


def test_the_page_starts_from_the_study_and_says_what_it_extends() -> None:
    world = make_open()
    client = Client()
    client.force_login(world.coordinator)
    assert b"tv_recon" in client.get(reverse("conduct:extend", args=[world.study.pk]) + "?tab=text").content
    made = extended(world)
    assert b"the same slices" in client.get(reverse("conduct:study", args=[made.pk])).content
