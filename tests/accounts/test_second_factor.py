"""Coordinators and administrators have a second factor, or get no further than setting one up."""

from __future__ import annotations

import re
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal import auth as totp
from django.test import Client
from django.urls import reverse

from readerstudy.accounts.models import User
from readerstudy.accounts.second_factor import needs_second_factor
from readerstudy.accounts.tokens import create_token
from readerstudy.audit.models import Entry
from readerstudy.reading.actions import start_session
from readerstudy.studies.models import Membership
from tests.factories import PASSWORD, make_open, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def required(settings: Any) -> None:
    settings.REQUIRE_MFA = True


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def add_factor(user: User, kind: Authenticator.Type = Authenticator.Type.TOTP) -> Authenticator:
    return Authenticator.objects.create(user=user, type=kind, data={"secret": "CANARYSECRET"})


@pytest.mark.parametrize("values", [{"may_coordinate": True}, {"is_superuser": True, "is_staff": True}])
def test_who_decides_is_led_to_the_page_that_sets_it_up(values: dict[str, bool]) -> None:
    user = make_user(**values)
    client = signed_in(user)
    for address in (reverse("studies:list"), reverse("home"), "/admin/"):
        answer = client.get(address)
        assert (answer.status_code, answer["Location"]) == (302, reverse("mfa_index")), address
    page = client.get(reverse("mfa_index"))
    assert page.status_code == 200 and b"Set up a second factor first" in page.content
    add_factor(user)
    assert client.get(reverse("studies:list")).status_code == 200


def test_a_passkey_counts_and_recovery_codes_alone_do_not() -> None:
    user = make_user(may_coordinate=True)
    client = signed_in(user)
    RecoveryCodes.activate(user)
    assert client.get(reverse("studies:list")).status_code == 302
    add_factor(user, Authenticator.Type.WEBAUTHN)
    assert client.get(reverse("studies:list")).status_code == 200


def test_a_study_s_coordinator_without_the_right_to_begin_one_needs_it_too() -> None:
    world = make_open()
    plain = make_user()
    Membership.objects.create(study=world.study, user=plain, role="coordinator")
    assert needs_second_factor(plain)
    assert signed_in(plain).get(reverse("conduct:study", args=[world.study.pk])).status_code == 302


def test_readers_and_analysts_are_offered_one_and_not_asked() -> None:
    world = make_open()
    for user in (world.readers[0], world.analyst):
        assert not needs_second_factor(user)
        assert signed_in(user).get(reverse("studies:list")).status_code == 200


def test_who_coordinates_elsewhere_keeps_reading_here() -> None:
    """An answer is never lost for want of a factor: the reading room is nobody's seat of power."""
    world = make_open()
    reader = world.readers[0]
    start_session(reader, world.sessions()[0])
    User.objects.filter(pk=reader.pk).update(may_coordinate=True)
    client = signed_in(reader)
    url = reverse("reading:frame", args=[world.presentations()[0].pk, 0, 0])
    assert client.get(url).status_code == 200
    assert client.get(reverse("studies:list")).status_code == 302


def test_scripts_and_programs_are_told_in_their_own_way() -> None:
    user = make_user(may_coordinate=True)
    client = signed_in(user)
    moved = client.get(reverse("studies:list"), headers={"HX-Request": "true"})
    assert (moved.status_code, moved["HX-Redirect"]) == (204, reverse("mfa_index"))
    refused = client.get(reverse("api:studies"))
    assert refused.status_code == 403 and "second factor" in refused.json()["detail"]
    bogus = client.get(reverse("studies:list"), headers={"authorization": "Bearer rs_no"})
    assert bogus.status_code == 302, "a header is no way around it"
    _, secret = create_token(user, "a script", ["studies:read"])
    answer = Client().get(reverse("api:studies"), headers={"authorization": f"Bearer {secret}"})
    assert answer.status_code == 200, "a token was made by somebody who had signed in"


def test_signing_out_and_the_probes_stay_open() -> None:
    client = signed_in(make_user(may_coordinate=True))
    for name in ("account_logout", "account_change_password", "healthz", "readyz", "mfa_activate_totp"):
        answer = client.get(reverse(name))
        assert answer.get("Location") != reverse("mfa_index"), name


def test_it_can_be_turned_off(settings: Any) -> None:
    settings.REQUIRE_MFA = False
    assert signed_in(make_user(may_coordinate=True)).get(reverse("studies:list")).status_code == 200


def test_an_administrator_takes_a_lost_one_away_and_sees_no_secret() -> None:
    administrator, lost = make_user(is_superuser=True, is_staff=True), make_user(may_coordinate=True)
    add_factor(administrator)
    factor = add_factor(lost)
    client = signed_in(administrator)
    for page in ("", f"{factor.pk}/change/"):
        content = client.get(f"/admin/mfa/authenticator/{page}")
        assert content.status_code == 200 and b"CANARYSECRET" not in content.content
    assert client.get("/admin/mfa/authenticator/add/").status_code == 403
    client.post(f"/admin/mfa/authenticator/{factor.pk}/delete/", {"post": "yes"})
    assert not Authenticator.objects.filter(pk=factor.pk).exists()
    entry = Entry.objects.get(verb="account.second_factor_removed")
    assert (entry.actor, entry.subject) == (administrator.handle, f"user:{lost.handle}")
    assert client.get("/admin/socialaccount/socialapp/").status_code == 404


def test_the_way_from_the_first_sign_in_to_the_desk(settings: Any) -> None:
    settings.MFA_TOTP_TOLERANCE = 1
    user, client = make_user(may_coordinate=True), Client()
    client.post(reverse("account_login"), {"login": user.username, "password": PASSWORD})
    assert client.get(reverse("home"))["Location"] == reverse("mfa_index")
    page = client.get(reverse("mfa_activate_totp"), follow=True)
    if page.redirect_chain:
        page = client.post(page.redirect_chain[-1][0], {"password": PASSWORD}, follow=True)
    secret = re.search(rf'value="({"[A-Z2-7]" * 32})"', page.content.decode())
    assert secret is not None
    counter = next(totp.yield_hotp_counters_from_time())
    code = totp.format_hotp_value(totp.hotp_value(secret[1], counter))
    client.post(reverse("mfa_activate_totp"), {"code": code})
    assert Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).exists()
    assert client.get(reverse("studies:list")).status_code == 200
    again = Client()
    answer = again.post(reverse("account_login"), {"login": user.username, "password": PASSWORD})
    assert answer["Location"] == reverse("mfa_authenticate"), "from now on the password alone signs nobody in"
    assert again.get(reverse("studies:list")).status_code == 302
