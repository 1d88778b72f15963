"""What readers say: one live score per presentation and criterion, every change an entry of the chain."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q

from readerstudy.audit.models import Entry
from readerstudy.schedules.models import Pane, PracticeImage, Presentation, Session
from readerstudy.studies.models import Criterion, Reader


class Answer(models.Model):
    """What arrived under one idempotency key: the same key again changes nothing and gets the same reply.

    It carries scores, a mark, or the end of an image in the fidelity pass.
    """

    key = models.UUIDField(primary_key=True)
    presentation = models.ForeignKey(Presentation, on_delete=models.PROTECT, related_name="answers")
    digest = models.CharField(max_length=64, help_text="SHA-256 of the answer, so that one key has one meaning.")
    entry = models.OneToOneField(Entry, on_delete=models.PROTECT, related_name="+")
    received_at = models.DateTimeField(auto_now_add=True)


class Score(models.Model):
    """The live score; ``answer`` points to the event in the chain that set it."""

    class Choice(models.TextChoices):
        LEFT = "left", "left"
        RIGHT = "right", "right"
        EQUAL = "equal", "equal"

    presentation = models.ForeignKey(Presentation, on_delete=models.PROTECT, related_name="scores")
    criterion = models.ForeignKey(Criterion, on_delete=models.PROTECT, related_name="scores")
    value = models.PositiveSmallIntegerField(null=True)
    choice = models.CharField(max_length=5, choices=Choice.choices, blank=True, help_text="Pairwise studies only.")
    cannot_judge = models.CharField(max_length=300, blank=True, help_text="The reason; a value, not a gap.")
    comment = models.CharField(max_length=2000, blank=True)
    answer = models.ForeignKey(Answer, on_delete=models.PROTECT, related_name="scores")
    changes = models.PositiveSmallIntegerField(default=0)
    painted_at = models.DateTimeField(null=True)
    scored_at = models.DateTimeField(null=True)
    elapsed_ms = models.PositiveIntegerField(null=True, help_text="Image painted to score.")
    idle_ms = models.PositiveIntegerField(default=0)
    too_fast = models.BooleanField(default=False)
    viewport = models.JSONField(
        default=dict, help_text="Window, zoom, pan and inversion at the score, and the time spent in each setting."
    )
    stored_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["presentation", "criterion"], name="reading_one_live_score"),
            models.CheckConstraint(
                condition=Q(value__isnull=True) | Q(value__gte=1, value__lte=5),
                name="reading_score_from_1_to_5",
            ),
            models.CheckConstraint(
                condition=Q(value__isnull=False, choice="", cannot_judge="")
                | (Q(value__isnull=True, cannot_judge="") & ~Q(choice=""))
                | (Q(value__isnull=True, choice="") & ~Q(cannot_judge="")),
                name="reading_score_says_one_thing",
            ),
        ]


class Annotation(models.Model):
    """A mark in image coordinates: (x, y) with pixel (column c, row r) covering [c, c+1) x [r, r+1).

    That is the convention of DICOM's SCOORD (PS3.3 C.18.6). Points by shape: one; tail and tip; two ends; two opposite
    corners of the (bounding) box; or the vertices of a freehand line. ``entry`` is the event that made it what it is.
    """

    class Shape(models.TextChoices):
        POINT = "point", "point"
        ARROW = "arrow", "arrow"
        LINE = "line", "line"
        RECTANGLE = "rectangle", "rectangle"
        ELLIPSE = "ellipse", "ellipse"
        FREEHAND = "freehand", "freehand"

    class Consequence(models.TextChoices):
        NONE = "none", "none"
        REPORT = "could change the report", "could change the report"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    presentation = models.ForeignKey(Presentation, on_delete=models.PROTECT, related_name="annotations")
    pane = models.ForeignKey(Pane, on_delete=models.PROTECT, related_name="annotations")
    frame_index = models.PositiveSmallIntegerField(default=0)
    shape = models.CharField(max_length=10, choices=Shape.choices)
    points = models.JSONField()
    label = models.CharField(max_length=40)
    comment = models.CharField(max_length=2000, blank=True)
    confidence = models.PositiveSmallIntegerField(null=True, help_text="1-5, in the fidelity pass only.")
    consequence = models.CharField(
        max_length=40, blank=True, choices=Consequence.choices, help_text="Fidelity pass only."
    )
    deleted = models.BooleanField(default=False)
    revision = models.PositiveIntegerField(default=1)
    entry = models.ForeignKey(Entry, on_delete=models.PROTECT, related_name="+")


class MethodGuess(models.Model):
    """After the last session: which arm does the reader think made these images, and why."""

    pane = models.OneToOneField(Pane, on_delete=models.PROTECT, related_name="guess")
    guessed = models.CharField(max_length=60, blank=True, help_text="An arm's key; empty: don't know.")
    reason = models.CharField(max_length=400, blank=True)
    entry = models.ForeignKey(Entry, on_delete=models.PROTECT, related_name="+")


class DisplayCheck(models.Model):
    """One try at the display check of a session: where the hidden targets were and where the reader saw them.

    ``targets`` and ``reported``: per grey step the quadrant 0-3 (reading order), or -1 for "none seen".
    """

    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="display_checks")
    made_at = models.DateTimeField(auto_now_add=True)
    targets = models.JSONField()
    reported = models.JSONField(null=True)
    passed = models.BooleanField(null=True)

    class Meta:
        ordering = ["session_id", "pk"]


class PracticeAnswer(models.Model):
    """What a reader said of a practice image; no data of the study, and in no export."""

    key = models.UUIDField(primary_key=True)
    reader = models.ForeignKey(Reader, on_delete=models.PROTECT, related_name="practice_answers")
    image = models.ForeignKey(PracticeImage, on_delete=models.PROTECT, related_name="answers")
    answers = models.JSONField()
    answered_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["reader", "image"], name="reading_one_practice_answer")]
