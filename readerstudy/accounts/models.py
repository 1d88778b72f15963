"""People. Everything else knows a person by the random ``handle``, so that erasing a row breaks nothing."""

from __future__ import annotations

import secrets
import uuid
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser, UserManager
from django.db import models
from django.utils import timezone


def new_handle() -> str:
    return f"u-{secrets.token_hex(8)}"


class People(UserManager["User"]):
    """Whoever installs the product begins with every right, so that ``createsuperuser`` is enough to begin."""

    def create_superuser(
        self, username: str, email: str | None = None, password: str | None = None, **more: Any
    ) -> User:
        return super().create_superuser(username, email, password, **{"may_coordinate": True, **more})


class User(AbstractUser):
    """A person who signs in; roles are memberships of studies, not columns here."""

    handle = models.CharField(max_length=20, unique=True, default=new_handle, editable=False)
    may_coordinate = models.BooleanField(default=False, help_text="May import cases, start runs and create studies.")
    simulated = models.BooleanField(
        default=False, editable=False, help_text="A program, not a person; marked wherever its scores appear."
    )

    objects: ClassVar[People] = People()

    @property
    def name(self) -> str:
        return self.get_full_name() or self.username

    @property
    def reads(self) -> bool:
        """Whether the person is a radiologist of any study."""
        return self.memberships.filter(role="reader").exists()

    @property
    def at_desk(self) -> bool:
        """Whether the person coordinates or analyses anything, or may begin to."""
        return self.may_coordinate or self.memberships.filter(role__in=["coordinator", "analyst"]).exists()


class Scope(models.TextChoices):
    """What a token may do; never more than its owner."""

    STUDIES = "studies:read", "List your studies and their states"
    RESULTS = "results:read", "Read statistics, scores, metrics, annotations and figures"
    EXPORTS = "exports:read", "Download whole exports, each recorded in the study's audit"


class Token(models.Model):
    """A secret by which a program acts for a person; ``hash`` is the SHA-256 of what the person saw once."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=60)
    scopes = models.JSONField()
    hash = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.name

    @property
    def state(self) -> str:
        if self.revoked_at:
            return "revoked"
        return "expired" if self.expires_at <= timezone.now() else "works"
