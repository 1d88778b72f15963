"""Erasing a person: name, address, password, factors and tokens go; what they scored stays whole under a pseudonym."""

from __future__ import annotations

import pytest
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount

from readerstudy.accounts.models import Token, User
from readerstudy.accounts.tokens import create_token
from readerstudy.audit.models import Entry
from readerstudy.conduct.verify import verify_study
from readerstudy.reading.models import Score
from tests.factories import make_open, read_session

pytestmark = pytest.mark.django_db


def test_scores_and_chain_hold_without_the_person() -> None:
    world = make_open()
    reader = world.readers[0]
    User.objects.filter(pk=reader.pk).update(username="canarylogin", email="canary@example.org", first_name="Canary")
    Authenticator.objects.create(user=reader, type=Authenticator.Type.TOTP, data={})
    SocialAccount.objects.create(user=reader, provider="sso", uid="p-1", extra_data={"name": "Canary"})
    read_session(reader, world.sessions()[0])
    before = list(Score.objects.order_by("pk").values_list("pk", "value"))
    User.objects.get(pk=reader.pk).delete()
    assert list(Score.objects.order_by("pk").values_list("pk", "value")) == before and len(before) > 5
    assert list(verify_study(world.study)) == []
    assert not Authenticator.objects.exists() and not SocialAccount.objects.exists()
    assert not any("canary" in entry.text.lower() for entry in Entry.objects.all())


def test_tokens_go_with_their_owner() -> None:
    world = make_open()
    create_token(world.analyst, "a script", ["results:read"])
    User.objects.get(pk=world.analyst.pk).delete()
    assert not Token.objects.exists()
