"""Release, withdraw, freeze and look: each checks, writes its audit entry, and has one effect."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import PermissionDenied

from readerstudy.accounts.models import User
from readerstudy.audit.actions import INSTALLATION, verify
from readerstudy.audit.models import Entry
from readerstudy.cases.actions import CaseError, freeze, record_look, release_quarantine, withdraw
from readerstudy.cases.models import Case, Look, Source
from tests.cases.factories import case


@pytest.fixture
def waiting(source: Source) -> Case:
    return case(source, "US")


def entries(verb: str) -> list[dict[str, Any]]:
    return [entry.data for entry in Entry.objects.filter(verb=verb)]


def test_release_needs_a_look_and_a_reason(waiting: Case, coordinator: User) -> None:
    with pytest.raises(CaseError, match="Look at the images of case US-0001 first"):
        release_quarantine(waiting, coordinator, "no text")
    record_look(waiting, coordinator)
    with pytest.raises(CaseError, match="Say what you saw"):
        release_quarantine(waiting, coordinator, "  ")
    released = release_quarantine(waiting, coordinator, "no text on any image")
    assert (released.state, released.state_reason) == (Case.State.READY, "no text on any image")
    assert entries("case.release") == [
        {"case": "US-0001", "from": "quarantined", "to": "ready", "reason": "no text on any image"}
    ]
    with pytest.raises(CaseError, match="nothing to release"):
        release_quarantine(waiting, coordinator, "again")
    assert list(verify(INSTALLATION)) == []


def test_another_persons_look_does_not_count(waiting: Case, coordinator: User) -> None:
    record_look(waiting, User.objects.create_user("cora", may_coordinate=True))
    with pytest.raises(CaseError, match="Look at the images"):
        release_quarantine(waiting, coordinator, "no text")


def test_only_coordinators_may_change_states(waiting: Case, stranger: User) -> None:
    for verb in (release_quarantine, withdraw):
        with pytest.raises(PermissionDenied):
            verb(waiting, stranger, "why not")
    waiting.refresh_from_db()
    assert waiting.state == Case.State.QUARANTINED
    assert not Entry.objects.filter(verb__in=["case.release", "case.withdraw"]).exists()


def test_withdraw_once_and_for_good(source: Source, coordinator: User) -> None:
    found = case(source)
    with pytest.raises(CaseError, match="Say why"):
        withdraw(found, coordinator, "")
    assert withdraw(found, coordinator, "consent withdrawn").state == Case.State.WITHDRAWN
    with pytest.raises(CaseError, match="withdrawn already"):
        withdraw(found, coordinator, "again")
    assert len(entries("case.withdraw")) == 1
    assert found.slices.count() == 4


def test_freeze_is_repeatable_and_dated_once(source: Source) -> None:
    found = case(source)
    first = freeze(found).frozen_at
    assert first is not None
    assert freeze(found).frozen_at == first == found.frozen_at
    assert len(entries("case.freeze")) == 1


def test_a_case_that_is_not_ready_cannot_be_frozen(waiting: Case) -> None:
    with pytest.raises(CaseError, match="quarantined until looked at: choose another case"):
        freeze(waiting)


def test_a_look_is_kept_once_per_person(waiting: Case, coordinator: User) -> None:
    record_look(waiting, coordinator)
    record_look(waiting, coordinator)
    assert Look.objects.filter(case=waiting, user=coordinator).count() == 1
    assert Entry.objects.get(verb="case.look").actor == coordinator.handle
