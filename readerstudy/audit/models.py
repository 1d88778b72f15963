"""The append-only record of who did what: one hash chain per study and one for the installation."""

from __future__ import annotations

import json
from typing import Any

from django.db import models


class Chain(models.Model):
    """A chain's name (``installation`` or ``study:<id>``), its length and the hash of its last entry."""

    name = models.CharField(max_length=80, unique=True)
    length = models.PositiveBigIntegerField(default=0)
    head = models.CharField(max_length=64, default="0" * 64)

    def __str__(self) -> str:
        return self.name


class Entry(models.Model):
    """One event. ``text`` is canonical JSON, kept as text so that its bytes, and so the hash, never change."""

    chain = models.ForeignKey(Chain, on_delete=models.PROTECT, related_name="entries")
    sequence = models.PositiveBigIntegerField()
    at = models.CharField(max_length=32, help_text="UTC, ISO 8601 with microseconds.")
    actor = models.CharField(max_length=20, help_text="A person's handle, or the program's name.")
    verb = models.CharField(max_length=60)
    subject = models.CharField(max_length=120)
    text = models.TextField()
    previous = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    class Meta:
        ordering = ["chain_id", "sequence"]
        constraints = [models.UniqueConstraint(fields=["chain", "sequence"], name="audit_one_entry_per_place")]
        indexes = [models.Index(fields=["subject"])]

    def __str__(self) -> str:
        return f"{self.chain_id}/{self.sequence} {self.verb}"

    @property
    def data(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.text)
        return loaded
