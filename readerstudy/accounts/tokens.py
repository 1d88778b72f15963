"""Personal tokens: a program acts for a person, within scopes and for a limited time. Only a hash is stored."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from datetime import timedelta

from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.http import Http404
from django.utils import timezone

from readerstudy.accounts.models import Scope, Token, User
from readerstudy.audit.actions import INSTALLATION, record

PREFIX = "rs_"
DAYS = 90
MOST_DAYS = 365
MOST_TOKENS = 20
SEEN_EVERY = timedelta(hours=1)


class TokenError(ValueError):
    """Why there is no token, in one sentence that says what to do."""


def desk_person(user: User | AnonymousUser) -> User:
    """The person, if they coordinate or analyse anything; everyone else gets a 404."""
    if not isinstance(user, User) or not user.at_desk:
        raise Http404
    return user


@transaction.atomic
def create_token(owner: User, name: str, scopes: Collection[str], days: int = DAYS) -> tuple[Token, str]:
    """The token and its secret, which exists nowhere else. Raises ``TokenError``."""
    name = name.strip()
    if not owner.is_active or not owner.at_desk:
        raise TokenError("Tokens are for coordinators and analysts: ask a study's coordinator to add you.")
    if not name:
        raise TokenError("Give the token a name, so that you know it again.")
    if not scopes or not set(scopes) <= set(Scope.values):
        raise TokenError(f"Choose at least one scope among {', '.join(Scope.values)}.")
    if not 1 <= days <= MOST_DAYS:
        raise TokenError(f"A token lives 1 to {MOST_DAYS} days.")
    User.objects.select_for_update().get(pk=owner.pk)
    if live_tokens(owner) >= MOST_TOKENS:
        raise TokenError(f"You have {MOST_TOKENS} tokens that work: revoke one first.")
    secret = PREFIX + secrets.token_urlsafe(32)
    chosen = [scope for scope in Scope.values if scope in scopes]
    made = Token.objects.create(
        owner=owner, name=name, scopes=chosen, hash=digest(secret), expires_at=timezone.now() + timedelta(days=days)
    )
    record(INSTALLATION, owner.handle, "token.create", f"token:{made.pk}", {"scopes": chosen, "days": days})
    return made, secret


@transaction.atomic
def revoke_token(token: Token, by: User) -> None:
    """End a token at once; harmless where it has ended already. Raises ``TokenError``."""
    if token.owner_id != by.pk:
        raise TokenError("Only its owner revokes a token.")
    _end(token, by)


@transaction.atomic
def revoke_all(owner: User, by: User) -> None:
    """End every token of a person whose account is closed; they stay ended if it is opened again."""
    for token in Token.objects.filter(owner=owner, revoked_at=None):
        _end(token, by)


def _end(token: Token, by: User) -> None:
    if Token.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now()):
        record(INSTALLATION, by.handle, "token.revoke", f"token:{token.pk}", {})


def live_tokens(owner: User) -> int:
    return Token.objects.filter(owner=owner, revoked_at=None, expires_at__gt=timezone.now()).count()


def token_of(secret: str) -> Token | None:
    """The token that works now; nothing for a wrong, expired or revoked one or one of a closed account."""
    found = Token.objects.select_related("owner").filter(
        hash=digest(secret), revoked_at=None, expires_at__gt=timezone.now(), owner__is_active=True
    )
    return found.first()


def seen(token: Token) -> None:
    """Remember the use, at most once an hour: a script that pages must not write with every page."""
    now = timezone.now()
    if token.last_used_at is None or now - token.last_used_at >= SEEN_EVERY:
        Token.objects.filter(pk=token.pk).update(last_used_at=now)


def digest(secret: str) -> str:
    """SHA-256: 256 random bits need no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()
