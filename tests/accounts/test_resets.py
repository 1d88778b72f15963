"""A lost password: one link, made by an administrator, for one day and one new password."""

from __future__ import annotations

import re

import pytest
from django.core import mail, signing
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from readerstudy.accounts.models import User
from readerstudy.accounts.resets import ResetError, make_reset_link, person_of, use_reset_link
from readerstudy.audit.models import Entry
from tests.factories import PASSWORD, make_user

pytestmark = pytest.mark.django_db
NEW = "quite another secret"


@pytest.fixture(autouse=True)
def no_tries_left_over() -> None:
    cache.clear()


@pytest.fixture
def administrator() -> User:
    return make_user(is_superuser=True, is_staff=True)


def test_the_administrator_hands_over_a_link_that_works_once(administrator: User) -> None:
    lost, client = make_user(email="lost@example.org"), Client()
    client.force_login(administrator)
    page = client.post(reverse("people:reset", args=[lost.handle])).content.decode()
    link = re.search(r"http://testserver(/people/password/[^<]+)", page)
    assert link is not None
    visitor = Client()
    assert b"passwords differ" in visitor.post(link[1], {"password": NEW, "again": "x"}).content
    assert visitor.post(link[1], {"password": NEW, "again": NEW}).status_code == 302
    lost.refresh_from_db()
    assert lost.check_password(NEW)
    assert visitor.get(link[1]).status_code == 404
    entries = Entry.objects.filter(verb__startswith="account.reset").order_by("sequence")
    assert [(e.verb, e.actor, e.subject) for e in entries] == [
        ("account.reset_link", administrator.handle, f"user:{lost.handle}"),
        ("account.reset", lost.handle, f"user:{lost.handle}"),
    ]
    assert not any("lost" in e.text or "person" in e.text for e in entries)


def test_it_dies_with_the_day_a_sign_in_or_a_new_password(administrator: User, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = make_user()
    token = make_reset_link(lost, administrator)
    assert person_of(token) == lost
    assert person_of(token[:-1] + ("a" if token[-1] != "a" else "b")) is None
    Client().login(username=lost.username, password=PASSWORD)
    assert person_of(token) is None
    lost.refresh_from_db()
    token = make_reset_link(lost, administrator)
    use_reset_link(token, NEW)
    with pytest.raises(ResetError):
        use_reset_link(token, "a third long secret")
    lost.refresh_from_db()
    token = make_reset_link(lost, administrator)
    now = signing.time.time
    monkeypatch.setattr(signing.time, "time", lambda: now() + 24 * 3600 + 1)
    assert person_of(token) is None


def test_nobody_else_makes_one(administrator: User) -> None:
    lost = make_user()
    for by in (make_user(), make_user(may_coordinate=True), make_user(is_staff=True)):
        with pytest.raises(ResetError, match="Only an administrator"):
            make_reset_link(lost, by)
    with pytest.raises(ResetError, match="doesn't sign in"):
        make_reset_link(make_user(simulated=True), administrator)


def test_the_other_way_is_by_e_mail() -> None:
    make_user(email="lost@example.org")
    assert Client().post(reverse("account_reset_password"), {"email": "lost@example.org"}).status_code == 302
    assert "/accounts/password/reset/key/" in mail.outbox[0].body


def test_both_ways_are_found_from_the_pages(administrator: User) -> None:
    sign_in = Client().get(reverse("account_login")).content.decode()
    assert f'href="{reverse("account_reset_password")}"' in sign_in
    lost, program = make_user(), make_user(simulated=True)
    client = Client()
    client.force_login(administrator)
    for page in ("/admin/accounts/user/", f"/admin/accounts/user/{lost.pk}/change/"):
        content = client.get(page).content.decode()
        assert f'href="{reverse("people:reset", args=[lost.handle])}"' in content
        assert reverse("people:reset", args=[program.handle]) not in content
    assert client.get("/admin/accounts/user/add/").status_code == 200
