"""The demo's accounts: people with printed passwords, and programs that read."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from readerstudy.accounts.models import User

READERS = 5
NAMES = {
    "coordinator1": ("Cora", "Coordinator"),
    "coordinator2": ("Dana", "Coordinator"),
    "analyst1": ("Anton", "Analyst"),
} | {f"reader{n}": (f"Reader {n}", "") for n in range(1, READERS + 1)}


@dataclass(frozen=True)
class People:
    coordinator: User
    second_coordinator: User
    analyst: User
    readers: list[User]
    simulated: list[User]
    passwords: dict[str, str]


def make_people() -> People:
    """Find or make everyone; passwords are drawn once and kept in a file that only the owner reads."""
    passwords = _passwords()
    users = {name: _person(name, password) for name, password in passwords.items()}
    return People(
        users["coordinator1"], users["coordinator2"], users["analyst1"],
        [users[f"reader{n}"] for n in range(1, READERS + 1)],
        [_program(f"simulated{n}") for n in range(1, READERS + 1)], passwords,
    )  # fmt: skip


def _person(name: str, password: str) -> User:
    first, last = NAMES[name]
    user, created = User.objects.get_or_create(
        username=name,
        defaults={
            "first_name": first, "last_name": last, "may_coordinate": name.startswith("coordinator"),
        },
    )  # fmt: skip
    if created or not user.check_password(password):
        user.set_password(password)
        user.save(update_fields=["password"])
    return user


def _program(name: str) -> User:
    """A simulated reader can't sign in."""
    user, created = User.objects.get_or_create(
        username=name,
        defaults={"simulated": True, "first_name": "Simulated", "last_name": f"reader {name[-1]}"},
    )
    if created:
        user.set_unusable_password()
        user.save(update_fields=["password"])
    return user


def _passwords() -> dict[str, str]:
    path: Path = settings.DATA_DIR / "demo" / "logins.json"
    if path.exists():
        known: dict[str, str] = json.loads(path.read_text())
        return known
    made = {name: secrets.token_urlsafe(9) for name in NAMES}
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        json.dump(made, stream, indent=2)
    return made
