"""The quarantine: case after case is looked at, then released or withdrawn, and nothing is released unseen."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from pytest_django.fixtures import DjangoAssertNumQueries

from readerstudy.accounts.models import User
from readerstudy.audit.models import Entry
from readerstudy.cases import actions
from readerstudy.cases.blinding import LookRefused
from readerstudy.cases.models import Case, Import, ImportedFile, Look, Source
from tests.cases.factories import case

LIST = "/cases/quarantine/"
NEXT = "/cases/quarantine/next/"


@pytest.fixture
def desk(client: Client, coordinator: User) -> Client:
    client.force_login(coordinator)
    return client


@pytest.fixture
def three(source: Source) -> list[Case]:
    return [case(source, "US", seed=seed) for seed in range(3)]


def review(found: Case) -> str:
    return f"{LIST}{found.pk}/"


def test_the_list_says_why_from_where_and_since_when(desk: Client, three: list[Case], source: Source) -> None:
    batch = Import.objects.create(source=source)
    later = Import.objects.create(source=source)
    for number, found in enumerate(three[:2], start=1):
        ImportedFile.objects.create(batch=batch, number=number, status="quarantined", case=found)
        ImportedFile.objects.create(batch=batch, number=10 + number, status="quarantined", case=found)
        ImportedFile.objects.create(batch=later, number=number, status="quarantined", case=found)
    case(source, "CT", seed=9)
    html = desk.get(LIST).content.decode()
    assert re.findall(r"US-000\d", html) == ["US-0001", "US-0002", "US-0003"] and "CT-0001" not in html
    assert html.count("Text may be burned into the pixels") == 3 and html.count("Hospital A") == 3
    assert html.count(str(batch.pk)) == 2 and str(later.pk) not in html
    assert html.count("0\xa0minutes") == 3
    assert not Look.objects.exists()


def test_the_tab_counts_what_waits(desk: Client, three: list[Case], coordinator: User) -> None:
    badge = '<span class="badge badge--warn">3</span>'
    for page in ("/cases/", LIST, "/cases/imports/", "/cases/sources/"):
        assert badge in desk.get(page).content.decode(), page
    for found in three:
        actions.withdraw(found, coordinator, "not needed")
    html = desk.get(LIST).content.decode()
    assert "Nothing waits" in html and 'class="badge' not in html


def test_the_list_is_paged_and_cheap(
    desk: Client, three: list[Case], django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    fields = {f.attname: getattr(three[0], f.attname) for f in Case._meta.fields if f.name != "id"}
    Case.objects.bulk_create(Case(**{**fields, "pseudonym": f"US-{n:04d}", "key": f"{n}"}) for n in range(4, 121))
    with django_assert_max_num_queries(10):
        html = desk.get(LIST + "?page=3").content.decode()
    assert "Page 3 of 3" in html and len(re.findall(r">US-\d{4}<", html)) == 20


def test_images_are_shown_after_a_recorded_look_only(desk: Client, three: list[Case], coordinator: User) -> None:
    html = desk.get(review(three[1])).content.decode()
    assert "image.png" not in html and "Open the images" in html and "disabled>Release" in html
    assert not Look.objects.exists()
    answer = desk.post(review(three[1]) + "look/", follow=True)
    assert answer.redirect_chain == [(review(three[1]), 302)]
    assert Look.objects.get().user == coordinator and Look.objects.get().case == three[1]
    html = answer.content.decode()
    assert html.count("<img") == 4 and re.search(r'id="release-reason"[^>]* autofocus', html)


def test_a_release_leads_to_the_next_case_with_its_images(desk: Client, three: list[Case]) -> None:
    assert desk.post(NEXT).headers["Location"] == review(three[0])
    seen = []
    for found in three:
        assert Look.objects.filter(case=found).exists()
        answer = desk.post(f"/cases/{found.pk}/release/", {"reason": "no text on any image"}, follow=True)
        assert f"{found.pseudonym} is released" in answer.content.decode()
        seen.append(answer.redirect_chain[-1][0])
    assert seen == [review(three[1]), review(three[2]), LIST]
    assert set(Case.objects.values_list("state", "state_reason")) == {("ready", "no text on any image")}
    assert Entry.objects.filter(verb="case.release").count() == 3


def test_nothing_is_released_unseen_or_without_a_reason(desk: Client, three: list[Case]) -> None:
    address = f"/cases/{three[0].pk}/release/"
    answer = desk.post(address, {"reason": "no text"}, follow=True)
    assert answer.redirect_chain == [(review(three[0]), 302)]
    assert "Look at the images of case US-0001 first" in answer.content.decode()
    desk.post(review(three[0]) + "look/")
    assert "Say what you saw" in desk.post(address, {"reason": " "}, follow=True).content.decode()
    assert Case.objects.filter(state="quarantined").count() == 3 and Look.objects.count() == 1


def test_a_case_can_be_left_and_comes_again(desk: Client, three: list[Case]) -> None:
    assert desk.post(NEXT, {"after": three[1].pk}).headers["Location"] == review(three[2])
    assert desk.post(NEXT, {"after": three[2].pk}).headers["Location"] == review(three[0])
    assert desk.post(NEXT, {"after": "nonsense"}).status_code == 404


def test_a_withdrawal_leads_on_too(desk: Client, three: list[Case]) -> None:
    address = review(three[0]) + "withdraw/"
    assert "Say why" in desk.post(address, {"reason": ""}, follow=True).content.decode()
    answer = desk.post(address, {"reason": "a name is burned in"}, follow=True)
    assert answer.redirect_chain == [(review(three[1]), 302)] and "US-0001 is withdrawn." in answer.content.decode()
    three[0].refresh_from_db()
    assert (three[0].state, three[0].state_reason) == ("withdrawn", "a name is burned in")


def test_what_a_colleague_did_meanwhile_is_said(desk: Client, three: list[Case], coordinator: User) -> None:
    colleague = User.objects.create_user("cora", password="a long enough password", may_coordinate=True)
    desk.post(NEXT)
    actions.record_look(three[0], colleague)
    actions.release_quarantine(three[0], colleague, "no text")
    answer = desk.post(f"/cases/{three[0].pk}/release/", {"reason": "no text"}, follow=True)
    assert answer.redirect_chain[-1][0] == f"/cases/{three[0].pk}/"
    assert "US-0001 is ready, so there is nothing to release." in answer.content.decode()
    assert not Look.objects.filter(case=three[1]).exists()


def test_cases_that_one_reads_blinded_are_passed_over(
    desk: Client, three: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    blinded = {three[0].pk, three[1].pk}

    def check(cases: list[Case], user: User) -> None:
        if blinded & {found.pk for found in cases}:
            raise LookRefused("Leave the case to a colleague who does not read it.")

    monkeypatch.setattr(actions, "require_may_look", check)
    assert desk.post(NEXT).headers["Location"] == review(three[2])
    answer = desk.post(f"/cases/{three[2].pk}/release/", {"reason": "no text"}, follow=True)
    assert answer.redirect_chain[-1][0] == LIST and "Leave the case to a colleague" in answer.content.decode()
    assert list(Look.objects.values_list("case", flat=True)) == [three[2].pk]


def test_the_cases_page_leads_to_the_review(desk: Client, three: list[Case]) -> None:
    assert f'href="{review(three[0])}"' in desk.get(f"/cases/{three[0].pk}/").content.decode()


def test_strangers_and_wrong_verbs(client: Client, stranger: User, three: list[Case]) -> None:
    client.force_login(stranger)
    gets, posts = [LIST, review(three[0])], [NEXT, review(three[0]) + "look/", review(three[0]) + "withdraw/"]
    assert {client.get(address).status_code for address in gets} == {404}
    assert {client.post(address, {"reason": "x"}).status_code for address in posts} == {404}
    assert {client.get(address).status_code for address in posts} == {405}
    assert not Look.objects.exists() and Case.objects.filter(state="quarantined").count() == 3
