"""The study: its frozen protocol and plan, its arms, slices, criteria, and the people in it."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q

from readerstudy.accounts.models import User
from readerstudy.cases.models import Slice
from readerstudy.reconstructions.models import Reconstruction


class Study(models.Model):
    """``protocol`` and ``plan`` are the documents as data; both freeze, hashed, at opening."""

    class State(models.TextChoices):
        DRAFT = "draft", "draft"
        OPEN = "open", "open"
        CLOSED = "closed", "closed"
        LOCKED = "locked", "locked"
        UNBLINDED = "unblinded", "unblinded"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    title = models.CharField(max_length=200)
    state = models.CharField(max_length=10, choices=State.choices, default=State.DRAFT)
    protocol = models.JSONField()
    plan = models.JSONField()
    protocol_hash = models.CharField(max_length=64, blank=True)
    plan_hash = models.CharField(max_length=64, blank=True)
    extends = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT)
    paused = models.BooleanField(default=False)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    opened_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    locked_at = models.DateTimeField(null=True, blank=True)
    locked_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    unblinded_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]
        verbose_name_plural = "studies"

    def __str__(self) -> str:
        return self.title

    @property
    def chain(self) -> str:
        return f"study:{self.pk}"

    @property
    def simulated(self) -> bool:
        """Whether any reader is a program; such a study is marked wherever it appears."""
        return any(reader.simulated for reader in self.readers.all())


class Amendment(models.Model):
    """A numbered change of protocol or plan after opening, with its reason and both hashes."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="amendments")
    number = models.PositiveIntegerField()
    reason = models.TextField()
    changes = models.JSONField()
    before_hash = models.CharField(max_length=64)
    after_hash = models.CharField(max_length=64)
    made_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["study", "number"], name="studies_amendment_number")]


class Arm(models.Model):
    """A method at a level in a study; the hidden reference and the low anchor are arms too."""

    class Role(models.TextChoices):
        COMPARED = "compared", "compared"
        REFERENCE = "reference", "hidden reference"
        ANCHOR = "anchor", "low anchor"

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="arms")
    position = models.PositiveSmallIntegerField()
    key = models.CharField(max_length=60)
    title = models.CharField(max_length=80)
    method = models.CharField(max_length=40)
    levels = models.JSONField(default=dict, help_text="Level by modality; empty: as acquired.")
    settings = models.JSONField(default=dict)
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.COMPARED)

    class Meta:
        ordering = ["study_id", "position"]
        constraints = [
            models.UniqueConstraint(fields=["study", "position"], name="studies_arm_position"),
            models.UniqueConstraint(fields=["study", "key"], name="studies_arm_key"),
        ]

    def __str__(self) -> str:
        return self.title


class Criterion(models.Model):
    """A scored question with a text for each of 1-5 (or left, right, equal in a pairwise study)."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="criteria")
    position = models.PositiveSmallIntegerField()
    key = models.CharField(max_length=40)
    title = models.CharField(max_length=80)
    question = models.CharField(max_length=300)
    texts = models.JSONField(help_text="Category to text.")

    class Meta:
        ordering = ["study_id", "position"]
        verbose_name_plural = "criteria"
        constraints = [models.UniqueConstraint(fields=["study", "key"], name="studies_criterion_key")]


class StudySlice(models.Model):
    """A slice drawn into a study, with the one starting window that all its arms share."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="slices")
    position = models.PositiveIntegerField()
    slice = models.ForeignKey(Slice, on_delete=models.PROTECT, related_name="+")
    stratum = models.CharField(max_length=40, blank=True)
    window_center = models.FloatField()
    window_width = models.FloatField()

    class Meta:
        ordering = ["study_id", "position"]
        constraints = [
            models.UniqueConstraint(fields=["study", "position"], name="studies_slice_position"),
            models.UniqueConstraint(fields=["study", "slice"], name="studies_slice_once"),
        ]


class StudyImage(models.Model):
    """What an arm shows of a drawn slice: one reconstruction, frozen by the hash of its pixels.

    Without an arm it is the reference that stands beside the arms, which nobody scores.
    """

    arm = models.ForeignKey(Arm, null=True, on_delete=models.CASCADE, related_name="images")
    study_slice = models.ForeignKey(StudySlice, on_delete=models.CASCADE, related_name="images")
    reconstruction = models.ForeignKey(Reconstruction, on_delete=models.PROTECT, related_name="+")
    pixels = models.CharField(max_length=64)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["arm", "study_slice"], name="studies_one_image_per_arm"),
            models.UniqueConstraint(
                fields=["study_slice"], condition=Q(arm__isnull=True), name="studies_one_reference_beside"
            ),
        ]


class Membership(models.Model):
    """A person's role in a study: one each, so nobody is reader and coordinator or analyst of the same study."""

    class Role(models.TextChoices):
        COORDINATOR = "coordinator", "coordinator"
        READER = "reader", "radiologist"
        ANALYST = "analyst", "analyst"

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=12, choices=Role.choices)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["study", "user"], name="studies_one_role_per_person")]


class Reader(models.Model):
    """A reader under the pseudonym R1, R2, ... by which all data know the person."""

    class State(models.TextChoices):
        ACTIVE = "active", "active"
        WITHDRAWN = "withdrawn", "withdrawn"
        REPLACED = "replaced", "replaced"

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="readers")
    membership = models.OneToOneField(Membership, null=True, on_delete=models.SET_NULL, related_name="reader")
    number = models.PositiveSmallIntegerField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.ACTIVE)
    state_reason = models.CharField(max_length=400, blank=True)
    simulated = models.BooleanField(default=False)
    record = models.JSONField(default=dict, help_text="Years, specialty, board, cases per year, conflicts.")
    consented_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["study_id", "number"]
        constraints = [
            models.UniqueConstraint(fields=["study", "number"], name="studies_reader_number"),
            models.CheckConstraint(condition=Q(number__gte=1), name="studies_reader_number_from_1"),
        ]

    def __str__(self) -> str:
        return self.pseudonym

    @property
    def pseudonym(self) -> str:
        return f"R{self.number}"
