"""Accounts of invited people: the only way, beside the administrator's, in which an account comes into being."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction
from django.db.models import Q

from readerstudy.accounts.models import User
from readerstudy.audit.actions import INSTALLATION, record


class AccountError(ValueError):
    """Why there is no account, in one sentence that says what to do."""


@dataclass(frozen=True)
class NewAccount:
    """What an invited person says; the password has passed Django's validators."""

    name: str
    email: str
    password: str

    def as_user(self) -> User:
        """The person, not stored: they sign in with their address. Never a simulated reader."""
        first, _, last = self.name.strip().rpartition(" ")
        address = self.email.strip().lower()
        return User(username=address, email=address, first_name=first or last, last_name=last if first else "")


@transaction.atomic
def create_account(account: NewAccount) -> User:
    """Raises ``AccountError`` where somebody signs in with this address already."""
    user = account.as_user()
    if User.objects.filter(Q(username__iexact=user.username) | Q(email__iexact=user.email)).exists():
        raise AccountError("Somebody signs in with this address already: sign in first, then open the link again.")
    user.set_password(account.password)
    user.save()
    record(INSTALLATION, user.handle, "account.create", f"user:{user.handle}", {})
    return user
