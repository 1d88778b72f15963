"""Single sign-on: the institution's word for an address opens the one account that has it, and never makes one."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
import requests
from allauth.socialaccount.models import SocialAccount
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from readerstudy import configuration
from readerstudy.accounts.models import User
from readerstudy.accounts.single_sign_on import SingleSignOnAdapter
from readerstudy.audit.models import Entry
from tests.factories import make_user

pytestmark = pytest.mark.django_db
ISSUER = "https://login.example.org"
LOGIN = "/accounts/oidc/sso/login/"
CALLBACK = f"{LOGIN}callback/"


class Provider:
    """What an OpenID Connect provider answers, without a network."""

    def __init__(self) -> None:
        self.claims: dict[str, Any] = {"sub": "p-1", "email": "Reader@Example.org", "email_verified": True}
        self.sent: dict[str, Any] = {}

    def __enter__(self) -> Provider:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def get(self, url: str, **_: Any) -> Any:
        if url.endswith("/.well-known/openid-configuration"):
            ends = {"authorization": "authorize", "token": "token", "userinfo": "userinfo"}
            return Answer({f"{name}_endpoint": f"{ISSUER}/{end}" for name, end in ends.items()} | {
                "issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys",
                "token_endpoint_auth_methods_supported": ["client_secret_post"],
            })  # fmt: skip
        return Answer(self.claims)

    def request(self, method: str, url: str, **options: Any) -> Any:
        self.sent = options["data"]
        body = {"iss": ISSUER, "aud": "client", "sub": self.claims["sub"], "exp": 2_000_000_000, "iat": 1}
        return Answer({"access_token": "t", "id_token": jwt.encode(body, "k" * 32, "HS256"), "token_type": "Bearer"})


class Answer:
    status_code = 200
    headers = {"content-type": "application/json"}

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data

    def raise_for_status(self) -> None:
        pass

    def json(self) -> dict[str, Any]:
        return self.data


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Provider:
    cache.clear()
    made = Provider()
    settings.SOCIALACCOUNT_PROVIDERS = configuration.oidc_providers(
        configuration.Oidc(ISSUER, "client", "secret", "Example Hospital")
    )
    monkeypatch.setattr(SingleSignOnAdapter, "get_requests_session", lambda self: made)
    return made


def sign_in(client: Client, query: str = "") -> Any:
    """Go to the provider and come back with its word."""
    there = client.get(f"{LOGIN}{query}")
    assert there.status_code == 302 and there["Location"].startswith(f"{ISSUER}/authorize?")
    asked = parse_qs(urlsplit(there["Location"]).query)
    assert asked["code_challenge_method"] == ["S256"] and "openid" in asked["scope"][0].split()
    return client.get(CALLBACK, {"code": "c", "state": asked["state"][0]})


def who(client: Client) -> str | None:
    return client.session.get("_auth_user_id")


def test_the_sign_in_page_leads_there_only_when_there_is_a_provider(settings: Any) -> None:
    assert b"/oidc/" not in Client().get(reverse("account_login")).content
    assert Client().get(LOGIN).status_code == 404


def test_an_account_with_the_confirmed_address_opens(provider: Provider) -> None:
    person = make_user(email="reader@example.org")
    client = Client()
    page = client.get(f"{reverse('account_login')}?next=/reading/").content.decode()
    assert "Sign in with Example Hospital" in page and f'href="{LOGIN}?next=%2Freading%2F"' in page
    answer = sign_in(client, "?next=/reading/")
    assert (answer.status_code, answer["Location"]) == (302, "/reading/")
    assert who(client) == str(person.pk) and provider.sent["code_verifier"]
    entry = Entry.objects.get(verb="account.single_sign_on")
    assert entry.actor == person.handle and "example.org" not in entry.text


def test_the_second_time_the_person_is_known_by_the_provider_s_id(provider: Provider) -> None:
    person = make_user(email="reader@example.org")
    sign_in(Client())
    person.set_password("a password chosen afterwards")
    person.save()
    provider.claims["email"] = "married@example.org"
    client = Client()
    sign_in(client)
    assert who(client) == str(person.pk) and SocialAccount.objects.count() == 1
    assert Entry.objects.filter(verb="account.single_sign_on").count() == 1
    person.refresh_from_db()
    assert person.check_password("a password chosen afterwards")


def test_a_password_that_somebody_else_may_have_set_ends_at_the_first_time(provider: Provider) -> None:
    """Nobody had confirmed the address before: who wrote it on an invitation may not have been its owner."""
    person = make_user(email="reader@example.org")
    sign_in(Client())
    person.refresh_from_db()
    assert not person.has_usable_password()


@pytest.mark.parametrize(
    ("claims", "people"),
    [
        ({}, []),
        ({"email_verified": False}, [{"email": "reader@example.org"}]),
        ({"email_verified": "false"}, [{"email": "reader@example.org"}]),
        ({}, [{"email": "reader@example.org", "is_active": False}]),
        ({}, [{"email": "reader@example.org", "simulated": True}]),
        ({}, [{"email": "reader@example.org"}, {"email": "READER@example.org"}]),
    ],
)
def test_everyone_else_stays_outside(provider: Provider, claims: dict[str, Any], people: list[dict[str, Any]]) -> None:
    for values in people:
        make_user(**values)
    provider.claims |= claims
    client, before = Client(), User.objects.count()
    answer = sign_in(client)
    assert answer.status_code == 403 and b"No account here has this address" in answer.content
    assert who(client) is None and User.objects.count() == before and not SocialAccount.objects.exists()


def test_a_closed_account_stays_closed_though_the_provider_knows_it(provider: Provider) -> None:
    person = make_user(email="reader@example.org")
    sign_in(Client())
    User.objects.filter(pk=person.pk).update(is_active=False)
    client = Client()
    assert sign_in(client).status_code == 403 and who(client) is None


def test_nobody_connects_an_identity_by_hand(provider: Provider) -> None:
    person = make_user(email="else@example.org")
    client = Client()
    client.force_login(person)
    assert sign_in(client, "?process=connect").status_code == 403
    assert not SocialAccount.objects.exists()


def test_a_forged_or_cancelled_return_signs_nobody_in(provider: Provider, caplog: pytest.LogCaptureFixture) -> None:
    make_user(email="reader@example.org")
    client = Client()
    client.get(LOGIN)
    with caplog.at_level(logging.WARNING):
        forged = client.get(CALLBACK, {"code": "c", "state": "forged"}, follow=True)
    assert b"Single sign-on did not work" in forged.content and who(client) is None
    state = parse_qs(urlsplit(client.get(LOGIN)["Location"]).query)["state"][0]
    cancelled = client.get(CALLBACK, {"error": "access_denied", "state": state}, follow=True)
    assert b"You are not signed in" in cancelled.content and who(client) is None


@pytest.mark.parametrize("fault", [requests.ConnectionError(), requests.Timeout(), 502])
def test_a_provider_that_is_away_is_a_page_that_says_so(
    fault: Any, provider: Provider, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*_: Any, **__: Any) -> Any:
        if isinstance(fault, Exception):
            raise fault
        made = requests.Response()
        made.status_code = fault
        return made

    monkeypatch.undo()
    monkeypatch.setattr(requests.Session, "request", away)
    answer = Client().get(LOGIN)
    assert answer.status_code == 503 and b"sign in with your password" in answer.content
    assert "READERSTUDY_OIDC_ISSUER" in caplog.text
