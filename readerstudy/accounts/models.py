"""People. Everything else knows a person by the random ``handle``, so that erasing a row breaks nothing."""

from __future__ import annotations

import secrets

from django.contrib.auth.models import AbstractUser
from django.db import models


def new_handle() -> str:
    return f"u-{secrets.token_hex(8)}"


class User(AbstractUser):
    """A person who signs in; roles are memberships of studies, not columns here."""

    handle = models.CharField(max_length=20, unique=True, default=new_handle, editable=False)
    may_coordinate = models.BooleanField(default=False, help_text="May import cases, start runs and create studies.")
    simulated = models.BooleanField(
        default=False, editable=False, help_text="A program, not a person; marked wherever its scores appear."
    )

    @property
    def name(self) -> str:
        return self.get_full_name() or self.username

    @property
    def reads(self) -> bool:
        """Whether the person is a radiologist of any study."""
        return self.memberships.filter(role="reader").exists()
