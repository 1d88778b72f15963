"""The coordinator's own records: invitations and looks at what is watched during a study."""

from __future__ import annotations

from django.db import models

from readerstudy.accounts.models import User
from readerstudy.studies.models import Membership, Study


class Invitation(models.Model):
    """A one-time link; only its hash is kept."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="invitations")
    role = models.CharField(max_length=12, choices=Membership.Role.choices)
    email = models.EmailField(blank=True)
    token_hash = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)
    used_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL)
    made_at = models.DateTimeField(auto_now_add=True)
