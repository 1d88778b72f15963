"""Who sees what in which order: rows drawn once, at opening, and never changed."""

from __future__ import annotations

from django.db import models

from readerstudy.cases.models import Slice
from readerstudy.reconstructions.models import Reconstruction, Run
from readerstudy.studies.models import Arm, Reader, Study, StudySlice


class OrderSecret(models.Model):
    """256 random bits made at opening, shown to nobody before unblinding, and the commitment that binds them."""

    study = models.OneToOneField(Study, on_delete=models.PROTECT, related_name="order_secret")
    secret = models.CharField(max_length=64, help_text="Hex.")
    commitment = models.CharField(max_length=64, help_text="SHA-256 over canonical JSON.")
    made_at = models.DateTimeField(auto_now_add=True)
    revealed_at = models.DateTimeField(null=True, blank=True)


class Schedule(models.Model):
    """One reader's order; without a reader it is a reserve for a replacement."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="schedules")
    number = models.PositiveSmallIntegerField()
    reader = models.OneToOneField(Reader, null=True, blank=True, on_delete=models.PROTECT, related_name="schedule")
    token = models.CharField(max_length=40, unique=True, help_text="All that a browser sees of it.")

    class Meta:
        ordering = ["study_id", "number"]
        constraints = [models.UniqueConstraint(fields=["study", "number"], name="schedules_number")]


class Session(models.Model):
    """One sitting of a reader. Once signed, its scores and marks are immutable by trigger.

    ``scores_final_at``: when its fidelity pass began, after which no score of it changes.
    """

    schedule = models.ForeignKey(Schedule, on_delete=models.PROTECT, related_name="sessions")
    number = models.PositiveSmallIntegerField()
    token = models.CharField(max_length=40, unique=True)
    started_at = models.DateTimeField(null=True, blank=True)
    environment = models.JSONField(default=dict, help_text="Screen, browser, display check.")
    scores_final_at = models.DateTimeField(null=True, blank=True)
    signed_at = models.DateTimeField(null=True, blank=True)
    signature = models.JSONField(default=dict, help_text="Printed name, meaning, hash of the signed scores.")
    waived_reason = models.CharField(max_length=400, blank=True, help_text="Why it may stay unsigned at the lock.")

    class Meta:
        ordering = ["schedule_id", "number"]
        constraints = [models.UniqueConstraint(fields=["schedule", "number"], name="schedules_session_number")]


class Presentation(models.Model):
    """One position of a schedule; its random id is all that a browser sees."""

    class Kind(models.TextChoices):
        MAIN = "main", "main"
        REPEAT = "repeat", "repeat"
        FIDELITY = "fidelity", "fidelity pass"

    id = models.CharField(primary_key=True, max_length=40)
    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="presentations")
    position = models.PositiveIntegerField()
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.MAIN)
    round = models.PositiveSmallIntegerField(null=True)
    study_slice = models.ForeignKey(StudySlice, on_delete=models.PROTECT, related_name="presentations")
    repeat_of = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="repeats")

    class Meta:
        ordering = ["session_id", "position"]
        constraints = [models.UniqueConstraint(fields=["session", "position"], name="schedules_one_per_position")]


class Pane(models.Model):
    """What stands side by side in a presentation: one run of one arm, or, without an arm, the reference."""

    presentation = models.ForeignKey(Presentation, on_delete=models.PROTECT, related_name="panes")
    index = models.PositiveSmallIntegerField(default=0)
    arm = models.ForeignKey(Arm, null=True, on_delete=models.PROTECT, related_name="panes")
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ["presentation_id", "index"]
        constraints = [models.UniqueConstraint(fields=["presentation", "index"], name="schedules_pane_index")]


class Frame(models.Model):
    """One image of a pane, frozen by the hash of its pixels: first the slice itself, then its neighbours.

    ``offset`` counts slices from the one that is scored (0), negative towards the first of the volume.
    """

    pane = models.ForeignKey(Pane, on_delete=models.PROTECT, related_name="frames")
    index = models.PositiveSmallIntegerField(default=0)
    offset = models.SmallIntegerField(default=0)
    reconstruction = models.ForeignKey(Reconstruction, on_delete=models.PROTECT, related_name="+")
    pixels = models.CharField(max_length=64)

    class Meta:
        ordering = ["pane_id", "index"]
        constraints = [models.UniqueConstraint(fields=["pane", "index"], name="schedules_frame_index")]


class PracticeImage(models.Model):
    """An image of the training phase: the reference of a patient outside the study, degraded to a grade of 1-5.

    It is never an arm's image, and what readers answer to it is no data of the study.
    """

    id = models.CharField(primary_key=True, max_length=40)
    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="practice_images")
    position = models.PositiveSmallIntegerField()
    slice = models.ForeignKey(Slice, on_delete=models.PROTECT, related_name="+")
    grade = models.PositiveSmallIntegerField(help_text="1 (worst) to 5, the slice as it is.")
    pixels = models.CharField(max_length=64)

    class Meta:
        ordering = ["study_id", "position"]
        constraints = [models.UniqueConstraint(fields=["study", "position"], name="schedules_practice_position")]
