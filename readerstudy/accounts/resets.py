"""A lost password where no e-mail gets through: a link that an administrator makes and hands over."""

from __future__ import annotations

from django.core import signing
from django.db import transaction
from django.utils.crypto import salted_hmac

from readerstudy.accounts.models import User
from readerstudy.audit.actions import INSTALLATION, record

HOURS = 24
SALT = "readerstudy.accounts.resets"


class ResetError(ValueError):
    """Why there is no link or no new password, in one sentence that says what to do."""


@transaction.atomic
def make_reset_link(user: User, by: User) -> str:
    """The secret of a link that sets one new password within a day; it exists nowhere else."""
    if not by.is_superuser:
        raise ResetError("Only an administrator makes a link for a lost password.")
    if not user.is_active or user.simulated:
        raise ResetError("This account doesn't sign in: there is no password to lose.")
    record(INSTALLATION, by.handle, "account.reset_link", f"user:{user.handle}", {"hours": HOURS})
    return signing.dumps([user.handle, _state(user)], salt=SALT)


def person_of(token: str) -> User | None:
    """Whose link it is, while it can be used; a new password or a sign-in makes it worthless."""
    try:
        handle, state = signing.loads(token, salt=SALT, max_age=HOURS * 3600)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    user = User.objects.filter(handle=handle, is_active=True).first()
    return user if user is not None and state == _state(user) else None


@transaction.atomic
def use_reset_link(token: str, password: str) -> User:
    """Set the new password, once. Raises ``ResetError``."""
    known = person_of(token)
    if known is not None:
        User.objects.select_for_update().get(pk=known.pk)
        known = person_of(token)
    if known is None:
        raise ResetError("It was used, has expired or never existed: ask the administrator for a new one.")
    known.set_password(password)
    known.save(update_fields=["password"])
    record(INSTALLATION, known.handle, "account.reset", f"user:{known.handle}", {})
    return known


def _state(user: User) -> str:
    """A digest that changes with the password and with every sign-in; says nothing of either."""
    return salted_hmac(SALT, f"{user.password} {user.last_login}", algorithm="sha256").hexdigest()[:32]
