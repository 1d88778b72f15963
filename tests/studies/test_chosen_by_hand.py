"""Slices that are picked or left out by hand: the frame, the draw, and the sentences that say so."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from readerstudy.cases.models import Case
from readerstudy.conduct.actions import open_study
from readerstudy.studies.actions import StudyError
from readerstudy.studies.outlook import outlook
from readerstudy.studies.protocol import ProtocolError, SliceRules
from readerstudy.studies.queries import chosen_by_hand, eligible_slices, strange_choices
from tests.factories import make_case, make_draft, make_open, make_protocol

pytestmark = pytest.mark.django_db


def names(**rules: Any) -> list[str]:
    rows = eligible_slices(SliceRules(number=2, **rules))
    return [f"{row.case.pseudonym}/{row.index + 1}" for row in rows]


def test_the_frame_is_what_was_picked_without_what_was_left_out() -> None:
    for name in ("CT-1", "CT-2", "MR-1"):
        make_case(name[:2], slices=3, pseudonym=name)
    assert names(picked=["CT-1", "MR-1/2"]) == ["CT-1/1", "CT-1/2", "CT-1/3", "MR-1/2"]
    assert names(picked=["MR-1/02", "MR-1/9", "CT-9"]) == ["MR-1/2"]
    assert names(left_out=["CT-1", "CT-2"]) == ["MR-1/1", "MR-1/2", "MR-1/3"]
    assert len(names()) == 9


def test_what_is_no_eligible_slice_is_named() -> None:
    make_case("CT", slices=3, pseudonym="CT-1")
    rules = SliceRules(number=2, picked=["CT-1/3", "CT-1/03", "CT-1/4", "CT-9", "CT-1"], left_out=["CT-8"])
    assert strange_choices(rules) == ["CT-8", "CT-1/4", "CT-9"]
    protocol = make_protocol(slices={"number": 2, "picked": ["CT-1", "CT-9"]})
    assert any(sentence.startswith("CT-9: no such case") for sentence in outlook(protocol).obstacles)


@pytest.mark.parametrize(
    ("chosen", "sentence"),
    [
        ({"picked": ["CT-1", "CT-1"]}, "slices.picked: every case or slice stands once"),
        ({"picked": ["CT-1/0"]}, "slices.picked: write a case or a slice as in CT-0001/3"),
        ({"picked": ["CT-1/x"]}, "slices.picked: write a case or a slice as in CT-0001/3"),
        ({"picked": ["CT-1/٣"]}, "slices.picked: write a case or a slice as in CT-0001/3"),
        ({"picked": ["CT-1/2"], "left_out": ["CT-1"]}, "slices.left_out: CT-1 is picked"),
        ({"left_out": [f"C{n}" for n in range(2001)]}, "slices.left_out: write at most 2000 lines"),
    ],
)
def test_what_can_t_be_is_refused(chosen: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ProtocolError, match=sentence):
        make_protocol(slices={"number": 2, **chosen})


def test_two_thousand_picked_slices_are_one_question() -> None:
    make_case("CT", slices=1, pseudonym="CT-1")
    assert names(picked=[f"CT-1/{n}" for n in range(1, 2001)]) == ["CT-1/1"]


def test_a_picked_study_opens_and_practises_on_other_patients() -> None:
    world = make_draft(slices={"number": 2}, design={"practice": 1, "readers": 1})
    cases = list(Case.objects.filter(modality="CT").order_by("pseudonym"))
    world.study.protocol["slices"]["picked"] = [cases[0].pseudonym]
    world.study.save()
    study = open_study(world.study, world.coordinator)
    assert {row.slice.case_id for row in study.slices.select_related("slice")} == {cases[0].pk}
    assert study.practice_images.exclude(slice__case=cases[0]).count() == 1


def test_opening_names_a_choice_that_is_none() -> None:
    world = make_draft()
    world.study.protocol["slices"]["left_out"] = ["CT-9999"]
    world.study.save()
    with pytest.raises(StudyError, match="CT-9999 is no case or no eligible slice"):
        open_study(world.study, world.coordinator)


def test_the_printed_protocol_says_so_and_says_nothing_of_a_study_drawn_by_rule() -> None:
    assert chosen_by_hand([], []) == []
    drawn, left = make_open(), make_draft(slices={"number": 8, "left_out": ["CT-9"]})
    for world, said in ((drawn, False), (left, True)):
        client = Client()
        client.force_login(world.coordinator)
        page = client.get(reverse("studies:print", args=[world.study.pk])).content.decode()
        assert ("One case is left out of the frame of slices by hand." in page) == said
