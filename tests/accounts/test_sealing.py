"""Secrets of second factors are of no use to whoever has the database alone."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal import auth as totp
from django.apps import apps
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from readerstudy.accounts.models import User
from readerstudy.accounts.sealing import MARK, seal, unseal
from tests.factories import PASSWORD, make_user

pytestmark = pytest.mark.django_db
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def code_of(secret: str) -> str:
    counter = next(totp.yield_hotp_counters_from_time())
    return str(totp.format_hotp_value(totp.hotp_value(secret, counter)))


def signs_in(user: User, code: str) -> bool:
    cache.clear()  # a code works once, and the tests are quicker than the next code comes
    client = Client()
    client.post(reverse("account_login"), {"login": user.username, "password": PASSWORD})
    answer = client.post(reverse("mfa_authenticate"), {"code": code})
    assert answer.status_code in (200, 302)
    return "_auth_user_id" in client.session


@pytest.fixture
def user(settings: Any) -> User:
    settings.MFA_TOTP_TOLERANCE = 1
    person = make_user()
    totp.TOTP.activate(person, SECRET)
    return person


def stored() -> str:
    return json.dumps(list(Authenticator.objects.values_list("data", flat=True)))


def test_the_database_holds_no_secret_and_the_code_still_signs_in(user: User) -> None:
    RecoveryCodes.activate(user)
    assert SECRET not in stored() and stored().count(MARK) == 2
    assert signs_in(user, code_of(SECRET))


def test_recovery_codes_work_once(user: User) -> None:
    (first, *_) = RecoveryCodes.activate(user).get_unused_codes()
    assert signs_in(user, first) and not signs_in(user, first)


def test_a_new_key_knows_the_old_one_and_a_foreign_one_lets_nobody_in(
    user: User, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    before = settings.SECRET_KEY
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another key" * 5, [before]
    assert signs_in(user, code_of(SECRET))
    settings.SECRET_KEY_FALLBACKS = []
    assert not signs_in(user, code_of(SECRET))
    assert "set up anew" in caplog.text and SECRET not in caplog.text


def test_no_code_fits_what_another_key_sealed(settings: Any) -> None:
    sealed = seal(SECRET)
    settings.SECRET_KEY = "another key" * 5
    first, second = unseal(sealed), unseal(sealed)
    assert len({first, second, SECRET}) == 3 and len(first) == 32


def test_what_stood_in_clear_is_sealed_by_the_upgrade_and_goes_back(user: User) -> None:
    migration = import_module("readerstudy.accounts.migrations.0004_sealed_factors").Migration
    (step,) = migration.operations
    RecoveryCodes.activate(user)
    sealed = stored()
    step.reverse_code(apps, None)
    assert SECRET in stored() and MARK not in stored()
    assert signs_in(user, code_of(SECRET)), "read as it stands, until the upgrade has run"
    step.code(apps, None)
    assert SECRET not in stored() and stored().count(MARK) == sealed.count(MARK) == 2
    once = stored()
    step.code(apps, None)
    assert stored() == once
