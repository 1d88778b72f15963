"""Who has seen a case unblinded never reads it, and who reads it never sees it unblinded before the key is out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from readerstudy.audit.models import Entry
from readerstudy.cases.actions import record_look
from readerstudy.cases.blinding import LookRefused
from readerstudy.cases.models import Case, Look
from readerstudy.conduct.actions import (
    accept_invitation,
    close_study,
    extend_study,
    invite,
    lock_study,
    open_study,
    replace_reader,
    unblind_study,
    withdraw_reader,
)
from readerstudy.reconstructions.actions import open_comparison
from readerstudy.reconstructions.exports import request_inputs, request_reconstructions
from readerstudy.reconstructions.importing import import_reconstructions
from readerstudy.reconstructions.models import Run
from readerstudy.studies.actions import StudyError, add_member, create_study
from readerstudy.studies.models import Reader, Study, StudySlice
from tests.factories import LEVELS, World, make_case, make_draft, make_open, make_protocol, make_user, read_all
from tests.reconstructions.test_importing import sent

pytestmark = pytest.mark.django_db
REFUSED = r"You are a reader of case .+ in the study “A study”, which is not unblinded yet"


@pytest.fixture(autouse=True)
def exports_of_its_own(settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path


@pytest.fixture
def world() -> World:
    """An open study of twelve slices, which are all there are; its readers may coordinate elsewhere."""
    world = make_open(slices={"number": 12})
    for reader in world.readers:
        reader.may_coordinate = True
        reader.save()
    return world


def a_case(study: Study) -> Case:
    row = StudySlice.objects.filter(study=study).select_related("slice__case").first()
    assert row is not None
    return row.slice.case


def second_study(world: World, readers: int = 1, **changes: Any) -> Study:
    """A draft over the same cases with the first readers of the other study."""
    design = {"readers": readers, "reserves": 1, "minimum_gap": 2} | changes.pop("design", {})
    title = {"title": "Another", "seed": 8}
    made = create_study(make_protocol(study=title, slices={"number": 12}, design=design, **changes), world.coordinator)
    for user in world.readers[:readers]:
        add_member(made, user, "reader", world.coordinator)
    return made


def test_opening_names_the_readers_and_the_cases_that_they_have_seen() -> None:
    world = make_draft(slices={"number": 12})
    first, second = Case.objects.order_by("pseudonym")[:2]
    Look.objects.create(case=first, user=world.readers[1])
    Look.objects.create(case=second, user=world.readers[1])
    Look.objects.create(case=second, user=world.readers[0])
    with pytest.raises(StudyError) as refused:
        open_study(world.study, world.coordinator)
    sentence = str(refused.value)
    assert f"R1 has seen {second.pseudonym} unblinded; R2 has seen {first.pseudonym}, {second.pseudonym}" in sentence
    assert "replace the reader, or leave these cases out" in sentence
    assert not any(user.name in sentence for user in world.readers)
    world.study.refresh_from_db()
    assert world.study.state == Study.State.DRAFT and not world.study.slices.exists()


def test_a_look_at_a_case_that_is_not_drawn_hinders_nothing() -> None:
    world = make_draft()
    Look.objects.create(case=make_case(slices=0), user=world.readers[0])
    assert open_study(world.study, world.coordinator).state == Study.State.OPEN


def test_opening_records_who_had_looked_before_the_draw() -> None:
    world = make_draft(slices={"number": 12})
    for case in Case.objects.order_by("pseudonym")[:2]:
        record_look(case, world.coordinator)
    record_look(Case.objects.earliest("pseudonym"), world.second)
    study = open_study(world.study, world.coordinator)
    entry = Entry.objects.get(chain__name=study.chain, verb="study.open")
    assert entry.data["looks"] == {"people": 2, "cases": 2}


def test_a_reader_opens_no_comparison_export_or_image_of_a_drawn_case(world: World) -> None:
    reader, case = world.readers[0], a_case(world.study)
    for look in (open_comparison, record_look):
        with pytest.raises(LookRefused, match=REFUSED):
            look(case, reader)
    with pytest.raises(LookRefused, match=REFUSED):
        request_inputs([case], LEVELS, reader)
    with pytest.raises(LookRefused, match=REFUSED):
        request_reconstructions(Run.objects.filter(measurement__case=case, method="tv_recon"), reader)
    assert not Look.objects.exists() and not Entry.objects.filter(verb__in=["run.compare", "case.look"]).exists()
    open_comparison(make_case(), reader)
    open_comparison(case, world.coordinator)
    assert set(Look.objects.values_list("user", flat=True)) == {reader.pk, world.coordinator.pk}


def test_the_pages_say_so(world: World) -> None:
    case = a_case(world.study)
    client = Client()
    client.force_login(world.readers[0])
    pages = [
        client.post(reverse("reconstructions:open_comparison", args=[case.pk])),
        client.post(reverse("cases:look", args=[case.pk])),
        client.get(reverse("cases:image", args=[case.pk, 0])),
    ]
    for page in pages:
        assert page.status_code == 403
        assert "which is not unblinded yet" in page.content.decode()
    form = {"what": "inputs", "cases": case.pseudonym, "ct": "0.25", "mr": "6", "us": "-6"}
    page = client.post(reverse("reconstructions:exports"), form)
    assert page.status_code == 400 and "which is not unblinded yet" in page.content.decode()
    assert not Look.objects.exists()


def test_what_an_outside_method_made_is_imported_by_others_only(world: World, tmp_path: Path) -> None:
    case, reader, other = a_case(world.study), world.readers[0], make_user(may_coordinate=True)
    folder = tmp_path / "back"
    sent(case, world.coordinator, folder)
    report = import_reconstructions(folder, method="outside", version="1", by=reader)
    sentences = {file.reason for file in report.files if "not unblinded yet" in file.reason}
    assert report.accepted == 0 and len(sentences) == 1 and not Run.objects.filter(method="outside").exists()
    assert import_reconstructions(folder, method="outside", version="1", by=other).accepted == case.slices.count()
    assert Look.objects.filter(case=case, user=other).exists(), "whoever brings images has seen them"


@pytest.mark.parametrize("state", ["open", "closed", "locked"])
def test_it_holds_until_unblinding(world: World, state: str) -> None:
    case, reader = a_case(world.study), world.readers[0]
    Study.objects.filter(pk=world.study.pk).update(state=state)
    with pytest.raises(LookRefused):
        open_comparison(case, reader)
    Study.objects.filter(pk=world.study.pk).update(state="unblinded")
    open_comparison(case, reader)


def test_who_accepted_an_invitation_into_the_place_of_a_reader_is_one(world: World) -> None:
    case, person = a_case(world.study), make_user(may_coordinate=True)
    reader = Reader.objects.get(study=world.study, number=1)
    made = invite(world.study, "reader", "", world.coordinator, replaces=reader, reason="Ill")
    accept_invitation(made.token, person)
    with pytest.raises(LookRefused):
        open_comparison(case, person)


def test_who_has_looked_takes_nobody_s_place_by_any_way(world: World) -> None:
    case, person = a_case(world.study), make_user(may_coordinate=True)
    reader = Reader.objects.get(study=world.study, number=1)
    made = invite(world.study, "reader", "", world.coordinator, replaces=reader, reason="Ill")
    open_comparison(case, person)
    with pytest.raises(StudyError, match="unblinded: choose another reader") as refused:
        accept_invitation(made.token, person)
    assert case.pseudonym not in str(refused.value), "who will read must not learn which cases these are"
    with pytest.raises(StudyError, match="unblinded: choose another reader"):
        replace_reader(world.study, reader, world.coordinator, person, "Ill")


def test_an_extension_knows_its_cases_while_it_is_a_draft(world: World) -> None:
    made = extend_study(world.study, world.coordinator, make_protocol(slices={"number": 12}))
    person = make_user(may_coordinate=True)
    open_comparison(a_case(world.study), person)
    with pytest.raises(StudyError, match="unblinded: choose another reader"):
        add_member(made, person, "reader", world.coordinator)
    invited = invite(made, "reader", "", world.coordinator)
    with pytest.raises(StudyError, match="unblinded: choose another reader"):
        accept_invitation(invited.token, person)


def test_who_has_left_the_study_may_look_again(world: World) -> None:
    reader = Reader.objects.get(study=world.study, number=1)
    withdraw_reader(world.study, reader, world.coordinator, "Moved away")
    open_comparison(a_case(world.study), world.readers[0])


def test_another_study_that_shows_references_waits_for_its_readers(world: World) -> None:
    made = second_study(world, display={"reference": "beside", "check": "off"})
    sentence = "R1 still reads the study “A study”, and one of the two shows references of CT-"
    with pytest.raises(StudyError, match=sentence):
        open_study(made, world.coordinator)
    read_all(world)
    assert open_study(made, world.coordinator).state == Study.State.OPEN


def test_two_studies_without_references_share_their_readers(world: World) -> None:
    assert open_study(second_study(world), world.coordinator).state == Study.State.OPEN


def test_nor_does_a_reader_come_later_from_a_study_that_shows_references(world: World) -> None:
    made = second_study(world, readers=0, design={"readers": 1})
    person = make_user()
    add_member(made, person, "reader", world.coordinator)
    other = open_study(made, world.coordinator)
    Study.objects.filter(pk=other.pk).update(protocol=other.protocol | {"display": {"reference": "beside"}})
    reader = Reader.objects.get(study=world.study, number=1)
    with pytest.raises(StudyError, match="R3 would see references of this study's cases in another study"):
        replace_reader(world.study, reader, world.coordinator, person, "Ill")
    reader.refresh_from_db()
    assert reader.state == Reader.State.ACTIVE


def test_after_unblinding_everything_may_be_seen(world: World) -> None:
    read_all(world)
    close_study(world.study, world.coordinator)
    lock_study(world.study, world.coordinator)
    unblind_study(world.study, world.second)
    open_comparison(a_case(world.study), world.readers[0])
