"""Sources: made and changed by verbs that the audit keeps, on pages that say until when cases may come."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django.fixtures import DjangoAssertNumQueries

from readerstudy.accounts.models import User
from readerstudy.audit.models import Entry
from readerstudy.cases.actions import CaseError, freeze, require_valid
from readerstudy.cases.models import Import, Source
from readerstudy.cases.sources import change_source, create_source
from tests.cases.factories import case, write_dicom

LIST = "/cases/sources/"
NEW = "/cases/sources/new/"


@pytest.fixture
def desk(client: Client, coordinator: User) -> Client:
    client.force_login(coordinator)
    return client


def last(verb: str) -> Entry:
    return Entry.objects.filter(verb=verb).latest("sequence")


def test_a_new_source_is_audited_with_its_facts(coordinator: User) -> None:
    made = create_source(Source(name="  Clinic   B ", approval="EK 3", expires_on=date(2027, 1, 31)), coordinator)
    assert Source.objects.get(name="Clinic B") == made
    entry = last("source.create")
    assert (entry.actor, entry.subject) == (coordinator.handle, f"source:{made.pk}")
    assert entry.data == {"source": "Clinic B", "approval": "EK 3", "expires_on": "2027-01-31"}


@pytest.mark.parametrize(
    ("facts", "sentence", "field"),
    [
        ({"name": "   "}, "Give the source a name", "name"),
        ({"name": "Hospital A"}, "There is a source of this name", "name"),
        ({"name": "HOSPITAL a"}, "There is a source “Hospital A”", "name"),
        ({"name": "x" * 121}, "120 characters at most; these are 121", "name"),
        ({"name": "B", "licence": "x" * 201}, "200 characters at most", "licence"),
        ({"name": "B", "expires_on": "soon"}, "Give the day as a date", "expires_on"),
    ],
)
def test_what_is_wrong_is_refused(
    coordinator: User, source: Source, facts: dict[str, Any], sentence: str, field: str
) -> None:
    with pytest.raises(CaseError, match=sentence) as refused:
        create_source(Source(**facts), coordinator)
    assert refused.value.field == field
    assert Source.objects.count() == 1 and not Entry.objects.filter(verb="source.create").exists()


def test_only_a_coordinator_makes_and_changes_sources(stranger: User, source: Source) -> None:
    with pytest.raises(PermissionDenied):
        create_source(Source(name="B"), stranger)
    with pytest.raises(PermissionDenied):
        change_source(source, stranger, {"licence": "CC0"})
    assert Source.objects.get().licence == ""


def test_a_change_is_audited_before_and_after(coordinator: User, source: Source) -> None:
    change_source(source, coordinator, {"licence": "CC BY 4.0", "approval": source.approval, "expires_on": None})
    assert last("source.change").data == {"source": "Hospital A", "changed": {"licence": ["", "CC BY 4.0"]}}
    change_source(source, coordinator, {"licence": "CC BY 4.0"})
    assert Entry.objects.filter(verb="source.change").count() == 1
    with pytest.raises(CaseError, match="has no colour"):
        change_source(source, coordinator, {"colour": "red"})


def test_a_later_day_lets_cases_in_again(coordinator: User, source: Source) -> None:
    yesterday, tomorrow = (timezone.localdate() + timedelta(days=n) for n in (-1, 1))
    with pytest.raises(CaseError, match="renew it"):
        require_valid(change_source(source, coordinator, {"expires_on": yesterday}))
    require_valid(change_source(source, coordinator, {"expires_on": tomorrow}))
    assert last("source.change").data["changed"] == {"expires_on": [str(yesterday), str(tomorrow)]}


def test_the_name_stays_once_a_study_uses_a_case(coordinator: User, source: Source) -> None:
    used = case(source)
    assert change_source(source, coordinator, {"name": "Hospital AA"}).name == "Hospital AA"
    freeze(used)
    with pytest.raises(CaseError, match="its protocol may name it") as refused:
        change_source(source, coordinator, {"name": "Hospital B"})
    assert refused.value.field == "name"
    assert change_source(source, coordinator, {"agreement": "DUA 8"}).agreement == "DUA 8"


def test_a_name_may_change_its_capitals_but_not_take_anothers(coordinator: User, source: Source) -> None:
    other = create_source(Source(name="Clinic"), coordinator)
    assert change_source(other, coordinator, {"name": "CLINIC"}).name == "CLINIC"
    with pytest.raises(CaseError, match="There is a source of this name"):
        change_source(other, coordinator, {"name": "Hospital A"})


def test_the_command_makes_a_new_source_by_the_verb(tmp_path: Any, source: Source, capsys: Any) -> None:
    write_dicom(tmp_path / "in" / "1.dcm", number=1)
    for _ in range(2):
        call_command("import_cases", str(tmp_path / "in"), "--source", "Clinic")
    assert Entry.objects.filter(verb="source.create").count() == 1
    assert last("source.create").data == {"source": "Clinic"}
    with pytest.raises(CommandError, match="There is a source “Hospital A”"):
        call_command("import_cases", str(tmp_path / "in"), "--source", "hospital a")


def test_a_source_named_while_importing_is_audited(desk: Client, tmp_path: Any) -> None:
    path = write_dicom(tmp_path / "1.dcm", number=1)
    with path.open("rb") as scans:
        desk.post(reverse("cases:import_new"), {"name": "Clinic", "approval": "EK 9", "scans": scans})
    assert last("source.create").data == {"source": "Clinic", "approval": "EK 9"}
    with path.open("rb") as scans:
        answer = desk.post(reverse("cases:import_new"), {"name": "Late", "expires_on": "2020-01-01", "scans": scans})
    assert answer.status_code == 400 and "ended on 2020-01-01" in answer.content.decode()
    assert not Source.objects.filter(name="Late").exists()


@pytest.mark.parametrize(
    ("days", "shown"),
    [(-1, "ended"), (0, "ends today"), (1, "ends in 1 day"), (30, "ends in 30 days"), (400, None), (None, None)],
)
def test_the_list_says_until_when_cases_may_come(
    desk: Client, source: Source, days: int | None, shown: str | None
) -> None:
    source.expires_on = None if days is None else timezone.localdate() + timedelta(days=days)
    source.save()
    html = desk.get(LIST).content.decode()
    assert "Hospital A" in html and "DUA 7" in html
    found = [text for text in ("ended<", "ends today<", "ends in 1 day<", "ends in 30 days<") if text in html]
    assert found == ([f"{shown}<"] if shown else [])


def test_the_list_counts_and_leads_to_the_cases(desk: Client, source: Source) -> None:
    other = Source.objects.create(name="Clinic")
    case(source), case(source, seed=1), case(other, "MR", seed=2)
    Import.objects.create(source=source)
    html = desk.get(LIST).content.decode()
    assert f'<a href="/cases/?source={source.pk}" aria-label="2 cases from Hospital A">2</a>' in html
    cases = desk.get(f"/cases/?source={other.pk}").content.decode()
    assert "MR-0001" in cases and "CT-0001" not in cases
    for strange in ("x", "-1", "999999999999999999999"):
        assert "No case matches this filter" in desk.get(f"/cases/?source={strange}").content.decode()


def test_a_long_list_is_paged_and_cheap(desk: Client, django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    Source.objects.bulk_create(Source(name=f"Site {n:03d}") for n in range(120))
    with django_assert_max_num_queries(9):
        html = desk.get(LIST + "?page=2").content.decode()
    assert "Page 2 of 3" in html and "Site 050" in html and "Site 049" not in html


def test_a_source_is_made_and_changed_by_its_pages(desk: Client, source: Source) -> None:
    assert desk.post(NEW, {"name": "hospital A"}).status_code == 400
    assert desk.post(NEW, {"name": "B", "expires_on": "the 30th"}).status_code == 400
    answer = desk.post(NEW, {"name": "B", "expires_on": "2027-06-30"}, follow=True)
    assert answer.redirect_chain == [(LIST, 302)] and "B is a source now." in answer.content.decode()
    page = f"{LIST}{source.pk}/"
    html = desk.get(page).content.decode()
    assert 'value="EK 12/26"' in html and 'value="Hospital A"' in html
    desk.post(page, {"name": "Hospital A", "approval": "EK 13/26", "agreement": "", "expires_on": "2027-01-01"})
    source.refresh_from_db()
    assert (source.approval, source.agreement, source.expires_on) == ("EK 13/26", "", date(2027, 1, 1))
    assert 'value="2027-01-01"' in desk.get(page).content.decode()


def test_strangers_and_strange_numbers_get_nothing(client: Client, stranger: User, source: Source) -> None:
    client.force_login(stranger)
    for address in (LIST, NEW, f"{LIST}{source.pk}/"):
        assert client.get(address).status_code == 404
    assert client.post(NEW, {"name": "B"}).status_code == 404
    client.force_login(User.objects.create_user("cara", password="a long enough password", may_coordinate=True))
    for number in ("0", "99999999999999999999999"):
        assert client.get(f"{LIST}{number}/").status_code == 404
    assert client.post(LIST).status_code == 405
