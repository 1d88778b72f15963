"""Invited by a link that works once; withdrawn or replaced without losing a score."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.http import Http404
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from readerstudy.accounts.invitations import NewAccount
from readerstudy.accounts.limits import TRIES
from readerstudy.accounts.models import User
from readerstudy.analytics.actions import make_snapshot
from readerstudy.cases.models import Look
from readerstudy.conduct.actions import (
    InvitationGone,
    accept_invitation,
    close_study,
    invite,
    lock_study,
    replace_reader,
    revoke_invitation,
    unblind_study,
    withdraw_reader,
)
from readerstudy.conduct.models import Invitation
from readerstudy.conduct.verify import verify_study
from readerstudy.reading.models import Score
from readerstudy.schedules.models import Schedule
from readerstudy.studies.actions import StudyError
from readerstudy.studies.models import Membership, Reader, StudySlice
from tests.factories import PASSWORD, World, answer, make_draft, make_open, make_user, read_session

pytestmark = pytest.mark.django_db
NEW = NewAccount("Ada Byron", "Ada@Example.org", "a long enough secret")


@pytest.fixture(autouse=True)
def no_tries_left_over() -> None:
    cache.clear()


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def reader_of(world: World, number: int = 1) -> Reader:
    return Reader.objects.get(study=world.study, number=number)


def test_a_new_person_joins_a_draft_with_an_account_of_their_own() -> None:
    world = make_draft(design={"readers": 3})
    invited = invite(world.study, "reader", "ada@example.org", world.coordinator)
    page = reverse("invitation", args=[invited.token])
    client = Client()
    assert b"ada@example.org" in client.get(page).content
    given = {"name": NEW.name, "email": NEW.email, "password": NEW.password, "again": NEW.password}
    assert client.post(page, given).status_code == 302
    user = User.objects.get(username="ada@example.org")
    assert (user.name, user.simulated, user.may_coordinate, user.is_staff) == ("Ada Byron", False, False, False)
    assert Reader.objects.get(study=world.study, membership__user=user).pseudonym == "R4"
    assert client.get(reverse("reading:worklist")).status_code == 200, "signed in"
    row = Invitation.objects.get(pk=invited.invitation.pk)
    assert (row.used_by, row.email) == (user, "") and row.token_hash != invited.token
    assert Client().login(username="ada@example.org", password=NEW.password)
    assert client.get(page).status_code == 404, "it works once"


def test_a_person_with_an_account_joins_with_one_press() -> None:
    world = make_draft()
    person, invited = make_user(), invite(world.study, "analyst", "", world.coordinator)
    page = reverse("invitation", args=[invited.token])
    client = signed_in(person)
    assert b"Join the study" in client.get(page).content
    client.post(page)
    assert Membership.objects.get(study=world.study, user=person).role == "analyst"


def test_used_expired_revoked_and_unknown_links_say_the_same() -> None:
    world = make_draft()
    used, old, back = (invite(world.study, "analyst", "", world.coordinator) for _ in range(3))
    accept_invitation(used.token, make_user())
    Invitation.objects.filter(pk=old.invitation.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    revoke_invitation(back.invitation, world.coordinator)
    pages = [Client().get(reverse("invitation", args=[t])) for t in (used.token, old.token, back.token, "unknown")]
    assert {page.status_code for page in pages} == {404}
    assert len({page.content for page in pages}) == 1 and b"ask the study" in pages[0].content
    for token in (used.token, old.token, back.token, "unknown"):
        with pytest.raises(InvitationGone):
            accept_invitation(token, make_user())


def test_too_many_wrong_links_and_the_right_one_fails_too() -> None:
    world = make_draft()
    page = reverse("invitation", args=[invite(world.study, "analyst", "", world.coordinator).token])
    client = Client()
    assert client.get(page).status_code == 200
    for number in range(TRIES):
        client.get(reverse("invitation", args=[f"wrong{number}"]))
    assert client.get(page).status_code == 404
    assert Client(REMOTE_ADDR="10.0.0.7").get(page).status_code == 200


@pytest.mark.parametrize(
    ("password", "again", "sentence"),
    [("short", "short", b"too short"), ("a long enough secret", "another one", b"passwords differ"),
     ("ada@example.org", "ada@example.org", b"too similar")],
)  # fmt: skip
def test_a_poor_password_makes_no_account(password: str, again: str, sentence: bytes) -> None:
    world = make_draft()
    page = reverse("invitation", args=[invite(world.study, "analyst", "", world.coordinator).token])
    given = {"name": NEW.name, "email": NEW.email, "password": password, "again": again}
    assert sentence in Client().post(page, given).content
    assert not User.objects.filter(email="ada@example.org").exists()


def test_an_address_that_signs_in_already_is_told_so_and_nothing_is_used() -> None:
    world = make_draft()
    make_user(email="ada@example.org")
    invited = invite(world.study, "analyst", "", world.coordinator)
    given = {"name": NEW.name, "email": NEW.email, "password": NEW.password, "again": NEW.password}
    assert b"sign in first" in Client().post(reverse("invitation", args=[invited.token]), given).content
    assert Invitation.objects.get(pk=invited.invitation.pk).used_at is None


def test_an_open_study_invites_radiologists_as_replacements_only() -> None:
    world = make_open()
    with pytest.raises(StudyError, match="replaces one"):
        invite(world.study, "reader", "", world.coordinator)
    invited = invite(world.study, "reader", "", world.coordinator, replaces=reader_of(world), reason="Ill")
    study, user = accept_invitation(invited.token, NEW)
    new = Reader.objects.get(study=study, membership__user=user)
    assert new.pseudonym == "R3" and Schedule.objects.get(reader=new).number == 3
    assert reader_of(world).state == "replaced"


def test_a_withdrawn_reader_keeps_the_scores_and_reads_no_more() -> None:
    world = make_open()
    read_session(world.readers[0], world.sessions()[0])
    withdraw_reader(world.study, reader_of(world), world.coordinator, "Left the hospital")
    assert Score.objects.filter(presentation__session__schedule__reader=reader_of(world)).count() == 8
    client = signed_in(world.readers[0])
    assert client.get(reverse("reading:room", args=[world.sessions()[1].token])).status_code == 404
    with pytest.raises(Http404):
        answer(world.readers[0], world.presentations(0, 1)[0])
    assert {s.waived_reason for s in world.sessions()[1:]} == {"Left the hospital"}
    with pytest.raises(StudyError, match="R1 is withdrawn already"):
        withdraw_reader(world.study, reader_of(world), world.coordinator, "Again")
    assert list(verify_study(world.study)) == []


def test_a_reason_is_needed() -> None:
    world = make_open()
    for reason in ("", "  ", "x" * 401):
        with pytest.raises(StudyError, match="Write the reason"):
            withdraw_reader(world.study, reader_of(world), world.coordinator, reason)


def test_a_replaced_reader_s_place_is_taken_from_the_reserve_to_the_end() -> None:
    world = make_open()
    read_session(world.readers[0], world.sessions()[0])
    new = replace_reader(world.study, reader_of(world), world.coordinator, make_user(), "Ill")
    assert new.membership is not None
    for session in Schedule.objects.get(reader=new).sessions.order_by("number"):
        read_session(new.membership.user, session)
    for session in world.sessions(1):
        read_session(world.readers[1], session)
    client = signed_in(world.coordinator)
    page = client.get(reverse("conduct:study", args=[world.study.pk])).content
    assert b"R3" in page and b"replaced" in page
    assert client.get(reverse("conduct:balance", args=[world.study.pk])).status_code == 200
    close_study(world.study, world.coordinator)
    lock_study(world.study, world.coordinator)
    study = unblind_study(world.study, world.second)
    made = make_snapshot(study, world.analyst)
    assert all(f",{reader}," in made.tables["scores"] for reader in ("R1", "R2", "R3")), "all are reported"
    assert list(verify_study(study)) == []


def test_who_can_t_take_the_place() -> None:
    world = make_open()
    seen = make_user()
    first = StudySlice.objects.filter(study=world.study).first()
    assert first is not None
    Look.objects.create(case=first.slice.case, user=seen)
    for user, sentence in ((seen, "unblinded"), (world.analyst, "has a role"), (world.readers[1], "has a role")):
        with pytest.raises(StudyError, match=sentence):
            replace_reader(world.study, reader_of(world), world.coordinator, user, "Ill")
    assert reader_of(world).state == "active"
    replace_reader(world.study, reader_of(world), world.coordinator, make_user(), "Ill")
    with pytest.raises(StudyError, match="R1 is replaced already"):
        replace_reader(world.study, reader_of(world), world.coordinator, make_user(), "Ill")
    with pytest.raises(StudyError, match="No reserve schedule is left"):
        replace_reader(world.study, reader_of(world, 2), world.coordinator, make_user(), "Ill")


def test_only_a_coordinator_of_the_study_does_it() -> None:
    world = make_open()
    for by in (world.analyst, world.readers[0], make_user(may_coordinate=True, is_superuser=True)):
        with pytest.raises(StudyError, match="coordinator of this study"):
            invite(world.study, "analyst", "", by)
        with pytest.raises(StudyError, match="coordinator of this study"):
            withdraw_reader(world.study, reader_of(world), by, "x")
        with pytest.raises(StudyError, match="coordinator of this study"):
            replace_reader(world.study, reader_of(world), by, make_user(), "x")


def test_the_pages_do_it_too() -> None:
    world = make_open()
    client, person = signed_in(world.coordinator), make_user()
    replaced = reverse("conduct:replace", args=[world.study.pk, 1])
    assert b"Write the name of a person" in client.post(replaced, {"reason": "Ill"}).content
    assert b"Nobody signs in" in client.post(replaced, {"reason": "Ill", "username": "nobody"}).content
    done = client.post(replaced, {"reason": "Ill", "username": person.username}, follow=True)
    assert b"R3 reads in place of R1" in done.content
    left = client.post(reverse("conduct:withdraw", args=[world.study.pk, 2]), {"reason": "Moved"}, follow=True)
    assert b"every score stays" in left.content
    assert person.check_password(PASSWORD)
