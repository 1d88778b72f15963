"""Fill an installation that ``manage.py prepare`` has made: a study that was read, and a row of every odd kind."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import Group, Permission
from django.contrib.sessions.models import Session
from django.utils import timezone

from readerstudy.accounts.tokens import create_token
from readerstudy.conduct.actions import close_study, lock_study
from readerstudy.jobs.models import Job
from tests.factories import make_open, make_user, read_all


def main() -> None:
    world = make_open()
    read_all(world)
    study = close_study(world.study, world.coordinator)
    lock_study(study, world.coordinator)
    gone = make_user("gone")
    gone.delete()
    create_token(world.coordinator, "script", ["results:read"])
    user = world.coordinator
    user.groups.add(Group.objects.create(name="Ärzte"))
    user.user_permissions.add(*Permission.objects.filter(codename__startswith="view_")[:3])
    EmailAddress.objects.create(user=user, email="someone@example.org", verified=True, primary=True)
    Authenticator.objects.create(user=user, type="totp", data={"secret": "JBSWY3DPEHPK3PXP"})
    for key in ("Zebra", "apple", "_x", "éa", "10", "9"):  # text in an order on which languages disagree
        Session.objects.create(session_key=key, session_data="", expire_date=timezone.now() + timedelta(days=1))
    odd = {"z": [1e300, 1e16, 2**60, -0.0, 1.0, 1e-9], "a": {"ü\n": None, "b": True}}
    moment = datetime(2026, 3, 29, 1, 30, 0, 123456, tzinfo=UTC)
    Job.objects.create(
        key="odd", kind="none", queue="cpu", payload=odd, state="done", created_at=moment, queued_at=moment
    )
    Job.objects.create(key="null", kind="none", queue="cpu", state="failed", created_at=moment, queued_at=moment)
