"""Frozen numbers, with the hash of everything they were computed from."""

from __future__ import annotations

import uuid

from django.db import models

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
