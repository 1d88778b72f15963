"""Personal tokens: made once, for a time and a purpose, and worthless at once when they should be."""

from __future__ import annotations

import logging
import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from readerstudy.accounts.bearer import REFUSED
from readerstudy.accounts.limits import TRIES
from readerstudy.accounts.models import Scope, Token, User
from readerstudy.accounts.tokens import (
    MOST_TOKENS,
    TokenError,
    create_token,
    digest,
    revoke_token,
    token_of,
)
from readerstudy.audit.actions import INSTALLATION, verify
from readerstudy.audit.models import Entry
from tests.factories import PASSWORD, make_user

pytestmark = pytest.mark.django_db
STUDIES = "/api/studies/"


@pytest.fixture(autouse=True)
def no_tries_left_over() -> None:
    cache.clear()


@pytest.fixture
def person() -> User:
    return make_user(may_coordinate=True)


def signed_in(person: User) -> Client:
    """Somebody who has just given their password."""
    client = Client()
    client.force_login(person)
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    return client


def ask(secret: str, address: str = STUDIES, **headers: str) -> Any:
    return Client().get(address, headers={"authorization": f"Bearer {secret}", **headers})


def test_it_is_shown_once_and_only_its_hash_is_kept(person: User, caplog: pytest.LogCaptureFixture) -> None:
    client = signed_in(person)
    caplog.set_level(logging.DEBUG)
    values = {"name": "Scores into R", "days": 90, "scopes": ["studies:read", "results:read"]}
    page = client.post(reverse("tokens:new"), values)
    found = re.search(r"rs_[\w-]{43}", page.content.decode())
    assert found is not None and "no-store" in page["Cache-Control"]
    made = Token.objects.get()
    assert made.hash == digest(found[0]) and made.owner == person
    assert made.expires_at - timezone.now() > timedelta(days=89, hours=23)
    listed = client.get(reverse("tokens:list")).content.decode()
    assert "Scores into R" in listed and "rs_" not in listed
    assert ask(found[0]).status_code == 200
    assert ask(found[0] + "x").status_code == 401
    row = " ".join(str(value) for value in Token.objects.values_list().get())
    entries = " ".join(entry.text for entry in Entry.objects.all())
    for text in (row, entries, caplog.text):
        assert found[0] not in text and found[0][3:] not in text
    assert "Scores into R" not in entries


def test_both_verbs_are_in_the_installation_s_chain(person: User) -> None:
    made, _ = create_token(person, "one", ["exports:read"], 7)
    revoke_token(made, person)
    revoke_token(made, person)
    entries = Entry.objects.filter(chain__name=INSTALLATION, subject=f"token:{made.pk}").order_by("sequence")
    assert [(e.verb, e.actor, e.data) for e in entries] == [
        ("token.create", person.handle, {"days": 7, "scopes": ["exports:read"]}),
        ("token.revoke", person.handle, {}),
    ]
    assert list(verify(INSTALLATION)) == []


@pytest.mark.parametrize("end", ["revoked", "expired", "closed", "never was", "cut off", "empty"])
def test_every_useless_token_gets_the_same_answer(person: User, end: str) -> None:
    made, secret = create_token(person, "one", Scope.values)
    assert ask(secret).status_code == 200
    if end == "revoked":
        revoke_token(made, person)
    elif end == "expired":
        Token.objects.update(expires_at=timezone.now())
    elif end == "closed":
        User.objects.filter(pk=person.pk).update(is_active=False)
    else:
        secret = {"never was": "rs_" + "a" * 43, "cut off": secret[:-1], "empty": ""}[end]
    answer = ask(secret)
    assert answer.status_code == 401 and answer.json() == {"detail": REFUSED}
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert token_of(secret) is None


def test_a_bad_token_is_not_saved_by_a_session(person: User) -> None:
    client = signed_in(person)
    assert client.get(STUDIES).status_code == 200
    assert client.get(STUDIES, headers={"authorization": "Bearer rs_wrong"}).status_code == 401


def test_tokens_of_a_closed_account_stay_dead_when_it_opens_again(person: User) -> None:
    made, secret = create_token(person, "one", Scope.values)
    admin = make_user(is_superuser=True, is_staff=True)
    client = Client()
    client.force_login(admin)
    address = reverse("admin:accounts_user_change", args=[person.pk])
    values = {"username": person.username, "date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"}
    assert client.post(address, values).status_code == 302
    person.refresh_from_db()
    assert not person.is_active
    User.objects.filter(pk=person.pk).update(is_active=True)
    assert ask(secret).status_code == 401
    assert Entry.objects.get(verb="token.revoke").actor == admin.handle
    made.refresh_from_db()
    assert made.state == "revoked"


def test_too_many_wrong_tokens_from_one_machine_wait(person: User) -> None:
    _, secret = create_token(person, "one", Scope.values)
    for _ in range(TRIES):
        assert ask("rs_wrong").status_code == 401
    answer = ask(secret)
    assert answer.status_code == 429 and answer.json()["detail"].startswith("Too many wrong tokens")
    assert signed_in(person).get(STUDIES).status_code == 200


def test_a_scope_opens_its_addresses_only(person: User) -> None:
    _, secret = create_token(person, "one", ["exports:read"])
    answer = ask(secret)
    assert answer.status_code == 403 and "studies:read" in answer.json()["detail"]
    _, secret = create_token(person, "two", ["studies:read"])
    assert ask(secret).status_code == 200
    for part in ("statistics/", "scores/", "export.zip"):
        assert ask(secret, f"/api/studies/4b4ff1d0-3b07-4b44-9f0c-0f8f3bd1c4a1/{part}").status_code == 403
    assert ask(secret, "/api/schema/").status_code == 200


@pytest.mark.parametrize("verb", ["post", "put", "patch", "delete"])
def test_nothing_can_be_changed(person: User, verb: str) -> None:
    _, secret = create_token(person, "one", Scope.values)
    answer = getattr(Client(), verb)(STUDIES, headers={"authorization": f"Bearer {secret}"})
    assert answer.status_code == 405


def test_the_last_use_is_kept_to_the_hour(person: User) -> None:
    made, secret = create_token(person, "one", Scope.values)
    ask(secret)
    made.refresh_from_db()
    first = made.last_used_at
    assert first is not None
    ask(secret)
    made.refresh_from_db()
    assert made.last_used_at == first
    Token.objects.update(last_used_at=first - timedelta(hours=1))
    ask(secret)
    made.refresh_from_db()
    assert made.last_used_at is not None and made.last_used_at >= first


@pytest.mark.parametrize(
    ("name", "scopes", "days", "sentence"),
    [
        (" ", ["studies:read"], 90, "Give the token a name"),
        ("one", [], 90, "at least one scope"),
        ("one", ["studies:write"], 90, "at least one scope"),
        ("one", ["studies:read"], 366, "1 to 365 days"),
        ("one", ["studies:read"], 0, "1 to 365 days"),
    ],
)
def test_a_bad_wish_gets_a_sentence(person: User, name: str, scopes: list[str], days: int, sentence: str) -> None:
    with pytest.raises(TokenError, match=sentence):
        create_token(person, name, scopes, days)
    values = {"name": name, "scopes": scopes, "days": days}
    assert signed_in(person).post(reverse("tokens:new"), values).status_code == 200
    assert not Token.objects.exists()


def test_not_more_than_one_keeps_an_eye_on(person: User) -> None:
    for number in range(MOST_TOKENS):
        create_token(person, f"t{number}", Scope.values)
    client = signed_in(person)
    page = client.post(reverse("tokens:new"), {"name": "x", "scopes": ["studies:read"], "days": 30})
    assert "revoke one first" in page.content.decode()
    client.post(reverse("tokens:revoke", args=[Token.objects.all()[0].pk]))
    create_token(person, "again", Scope.values)


def test_the_page_asks_for_the_password_again(person: User) -> None:
    client = Client()
    client.force_login(person)
    answer = client.get(reverse("tokens:new"))
    assert answer.status_code == 302 and "/accounts/reauthenticate/" in answer["Location"]
    assert client.get(reverse("tokens:list")).status_code == 200
    values = {"name": "one", "scopes": ["studies:read"], "days": 30}
    assert client.post(reverse("tokens:new"), values).status_code == 302
    assert not Token.objects.exists()
    resumed = client.post(answer["Location"], {"password": PASSWORD}, follow=True)
    assert b"rs_" in resumed.content and Token.objects.get().name == "one"


def test_only_the_desk_has_tokens_and_only_its_own(person: User) -> None:
    made, secret = create_token(person, "one", Scope.values)
    other, outsider = make_user(may_coordinate=True), make_user()
    client = signed_in(outsider)
    for name in ("list", "new"):
        assert client.get(reverse(f"tokens:{name}")).status_code == 404
    assert client.post(reverse("tokens:revoke", args=[made.pk])).status_code == 404
    assert b"/accounts/tokens/" not in client.get(reverse("account_change_password")).content
    assert b"/accounts/tokens/" in signed_in(other).get(reverse("account_change_password")).content
    assert signed_in(other).post(reverse("tokens:revoke", args=[made.pk])).status_code == 404
    with pytest.raises(TokenError, match="Only its owner"):
        revoke_token(made, other)
    with pytest.raises(TokenError, match="coordinators and analysts"):
        create_token(outsider, "one", Scope.values)
    assert ask(secret).status_code == 200
