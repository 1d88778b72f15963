"""Frozen numbers with the hash of everything they were computed from, and links by which a reviewer sees them."""

from __future__ import annotations

import uuid

from django.db import models

from readerstudy.accounts.models import User
from readerstudy.studies.models import Study


class Snapshot(models.Model):
    """One computation: ``inputs_hash`` covers scores, metrics, plan and the code's version."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="snapshots")
    inputs_hash = models.CharField(max_length=64)
    statistics = models.TextField(help_text="Strict JSON as printed; the digits that figures and exports show.")
    tables = models.JSONField(default=dict, help_text="Every table that was computed from, as CSV by its name.")
    chain_head = models.CharField(max_length=64)
    simulated = models.BooleanField(default=False)
    made_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-made_at"]
        constraints = [models.UniqueConstraint(fields=["study", "inputs_hash"], name="analytics_one_per_input")]


class ReviewLink(models.Model):
    """A read-only look at one snapshot for a reviewer who has no account; only the hash of the link is kept."""

    snapshot = models.ForeignKey(Snapshot, on_delete=models.PROTECT, related_name="review_links")
    token_hash = models.CharField(max_length=64, unique=True)
    title = models.CharField(max_length=200, help_text="Shown instead of the study's own title.")
    made_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    made_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    opened_at = models.DateTimeField(null=True, blank=True, help_text="When it was last opened.")
    openings = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["-made_at"]
