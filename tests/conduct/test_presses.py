"""Twenty at once: open, lock, sign, unblind, amend, replace and accept have exactly one effect each."""

from __future__ import annotations

from typing import Any

import pytest

from readerstudy.accounts.invitations import NewAccount
from readerstudy.audit import actions as audit
from readerstudy.audit.models import Entry
from readerstudy.conduct.actions import (
    accept_invitation,
    amend_study,
    close_study,
    invite,
    lock_study,
    open_study,
    replace_reader,
    unblind_study,
    withdraw_reader,
)
from readerstudy.reading.actions import Closed, sign_session
from readerstudy.schedules.models import Schedule
from readerstudy.studies.models import Amendment, Membership, Reader, Study
from readerstudy.studies.queries import protocol_of
from tests.factories import World, make_draft, make_open, make_protocol, make_user, read_all, read_session
from tests.reading.test_races import at_once

pytestmark = pytest.mark.django_db(transaction=True)
PRESSES = 20


def entries(world: World, verb: str) -> int:
    return Entry.objects.filter(chain__name=world.study.chain, verb=verb).count()


def effects(results: list[Any], kind: type) -> int:
    return sum(isinstance(result, kind) for result in results)


@pytest.mark.parametrize("verb", ["open", "lock", "unblind"])
def test_a_transition(verb: str) -> None:
    world = make_draft(sessions={"number": 1})
    if verb != "open":
        open_study(world.study, world.coordinator)
        read_all(world)
        close_study(world.study, world.coordinator)
    if verb == "unblind":
        lock_study(world.study, world.coordinator)
    act = {"open": open_study, "lock": lock_study, "unblind": unblind_study}[verb]
    results = at_once(lambda: act(world.study, world.second), PRESSES)
    assert effects(results, Study) == entries(world, f"study.{verb}") == 1
    assert Schedule.objects.filter(study=world.study).count() == 3
    assert list(audit.verify(world.study.chain)) == []


def test_a_signature() -> None:
    world = make_open()
    session = world.sessions()[0]
    read_session(world.readers[0], session, sign=False)
    results = at_once(lambda: sign_session(world.readers[0], session, printed_name="R", meaning="mine"), PRESSES)
    assert effects(results, Closed) == PRESSES - 1
    assert entries(world, "session.sign") == 1


def test_an_amendment() -> None:
    world = make_open()
    protocol = make_protocol(study={"registration": "DRKS 1"})
    results = at_once(lambda: amend_study(world.study, world.coordinator, protocol, "Registered"), PRESSES)
    assert effects(results, Amendment) == entries(world, "study.amend") == 1
    assert protocol_of(Study.objects.get(pk=world.study.pk)).study.registration == "DRKS 1"


def test_a_replacement_and_a_withdrawal() -> None:
    world = make_open(design={"reserves": 4})
    first, second = world.study.readers.order_by("number")
    people = [make_user() for _ in range(PRESSES)]
    results = at_once(lambda: replace_reader(world.study, first, world.coordinator, people.pop(), "Ill"), PRESSES)
    assert effects(results, Reader) == entries(world, "reader.replace") == 1
    assert Schedule.objects.filter(study=world.study, reader=None).count() == 3
    assert Membership.objects.filter(study=world.study, role="reader").count() == 3
    results = at_once(lambda: withdraw_reader(world.study, second, world.coordinator, "Moved"), PRESSES)
    assert effects(results, Reader) == entries(world, "reader.withdraw") == 1


def test_an_invitation() -> None:
    world = make_draft()
    token = invite(world.study, "reader", "", world.coordinator).token
    accounts = [NewAccount("A B", f"a{n}@example.org", "a long enough secret") for n in range(PRESSES)]
    results = at_once(lambda: accept_invitation(token, accounts.pop()), PRESSES)
    assert effects(results, tuple) == 1
    assert Reader.objects.filter(study=world.study).count() == 3
