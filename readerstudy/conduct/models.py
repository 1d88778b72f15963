"""The coordinator's own records: who was invited, by a link of which only the hash is kept."""

from __future__ import annotations

from django.db import models

from readerstudy.accounts.models import User
from readerstudy.studies.models import Membership, Reader, Study


class Invitation(models.Model):
    """A one-time link; only its hash is kept, and the address only until it is used or taken back."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="invitations")
    role = models.CharField(max_length=12, choices=Membership.Role.choices)
    email = models.EmailField(blank=True)
    token_hash = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)
    used_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL)
    revoked_at = models.DateTimeField(null=True, blank=True)
    made_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    made_at = models.DateTimeField(auto_now_add=True)
    replaces = models.ForeignKey(
        Reader, null=True, blank=True, on_delete=models.PROTECT, related_name="+",
        help_text="Whose place the person takes, from a reserve schedule.",
    )  # fmt: skip
    reason = models.CharField(max_length=400, blank=True, help_text="Why that reader is replaced.")

    class Meta:
        ordering = ["-made_at"]
