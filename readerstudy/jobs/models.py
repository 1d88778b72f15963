"""The job table is the truth about work; messages of the broker are only wake-ups."""

from __future__ import annotations

import uuid

from django.db import models


class Job(models.Model):
    """One piece of work, known by an opaque key; ``kind`` names its handler, ``payload`` holds ids."""

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    key = models.CharField(max_length=200, unique=True)
    kind = models.CharField(max_length=60)
    queue = models.CharField(max_length=20)
    payload = models.JSONField(default=dict, help_text="Ids only, never data.")
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    priority = models.SmallIntegerField(default=0, help_text="Larger goes first.")
    attempts = models.PositiveSmallIntegerField(default=0)
    max_attempts = models.PositiveSmallIntegerField(default=3)
    interruptions = models.PositiveSmallIntegerField(
        default=0, help_text="Times the job was given back because the worker or the database went away."
    )
    token = models.UUIDField(null=True, help_text="Fences the writes of the attempt that holds the lease.")
    lease_expires_at = models.DateTimeField(null=True)
    worker = models.CharField(max_length=40, blank=True)
    total = models.PositiveIntegerField(default=0, help_text="Units of work in the job; 0 counts as one.")
    progress = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField()
    queued_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True, help_text="Not before this time; empty means at once.")
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True, help_text="When a wake-up was last sent for it.")
    reason = models.TextField(blank=True, help_text="The last recorded error, in one sentence.")

    class Meta:
        indexes = [
            models.Index(fields=["queue", "state", "-priority", "queued_at", "key"], name="jobs_claim"),
            models.Index(fields=["state", "lease_expires_at"], name="jobs_expiry"),
            models.Index(fields=["state", "finished_at"], name="jobs_finished"),
            # All that the progress of a group of jobs is counted from, so that no row need be read.
            models.Index(
                fields=["key", "state", "total", "progress", "started_at", "finished_at"], name="jobs_progress"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key} ({self.state})"


class Worker(models.Model):
    """A living worker process; removed when it ends or has not been seen for a while."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    host = models.CharField(max_length=120)
    pid = models.PositiveIntegerField()
    queue = models.CharField(max_length=80, help_text="The queues it serves, separated by commas.")
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    current = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="+")

    def __str__(self) -> str:
        return f"{self.host}:{self.pid} ({self.queue})"


class Lease(models.Model):
    """A duty that one process at a time may have, such as the reaper's."""

    name = models.CharField(max_length=40, unique=True)
    holder = models.CharField(max_length=40)
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} held by {self.holder}"
