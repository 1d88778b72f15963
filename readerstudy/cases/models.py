"""Held-out cases under pseudonyms. Pixels are files in the store; these rows carry their hashes."""

from __future__ import annotations

import uuid

from django.db import models

from readerstudy.accounts.models import User


class Modality(models.TextChoices):
    CT = "CT", "CT"
    MR = "MR", "MR"
    US = "US", "Ultrasound"


class Source(models.Model):
    """Where cases come from, with the approval and the data-use agreement that allow their use."""

    name = models.CharField(max_length=120, unique=True)
    approval = models.CharField(max_length=200, blank=True)
    agreement = models.CharField(max_length=200, blank=True)
    expires_on = models.DateField(null=True, blank=True, help_text="No import after this day.")
    licence = models.CharField(max_length=200, blank=True)

    def __str__(self) -> str:
        return self.name


class Patient(models.Model):
    """The unit of independence: a pseudonym and a keyed hash of the source's identifier, nothing else of a person."""

    pseudonym = models.CharField(max_length=20, unique=True)
    key = models.CharField(max_length=64, unique=True, help_text="HMAC-SHA-256 of the source's identifier.")
    age_band = models.CharField(max_length=10, blank=True)
    sex = models.CharField(max_length=10, blank=True)

    def __str__(self) -> str:
        return self.pseudonym


class Import(models.Model):
    """One import: who, from which source, and what became of every file."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="imports")
    started_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL)
    started_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    options = models.JSONField(default=dict)
    accepted = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)
    quarantined = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["-started_at"]


class Upload(models.Model):
    """Scans on their way in from a browser. Files go by their number: their names never leave the browser."""

    class State(models.TextChoices):
        RECEIVING = "receiving", "receiving"
        WAITING = "waiting", "waiting to be imported"
        IMPORTING = "importing", "being imported"
        DONE = "done", "imported"
        FAILED = "failed", "failed"
        GIVEN_UP = "given_up", "given up"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="uploads")
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="uploads")
    keep = models.JSONField(default=list, help_text="Facts to store of patient, device and acquisition.")
    state = models.CharField(max_length=10, choices=State.choices, default=State.RECEIVING)
    reason = models.CharField(max_length=400, blank=True, help_text="Why it failed or was given up.")
    files = models.PositiveIntegerField()
    bytes = models.PositiveBigIntegerField()
    files_received = models.PositiveIntegerField(default=0, help_text="As last counted; the disk knows better.")
    bytes_received = models.PositiveBigIntegerField(default=0)
    batch = models.OneToOneField(Import, null=True, on_delete=models.SET_NULL, related_name="upload")
    created_at = models.DateTimeField(auto_now_add=True)
    touched_at = models.DateTimeField(help_text="When something last arrived, within a minute.")

    class Meta:
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["by", "state"])]


class ImportedFile(models.Model):
    """One file of an import by its number (a file's name may name a patient, so it is not kept)."""

    class Status(models.TextChoices):
        ACCEPTED = "accepted", "accepted"
        REFUSED = "refused", "refused"
        QUARANTINED = "quarantined", "quarantined"

    batch = models.ForeignKey(Import, on_delete=models.CASCADE, related_name="files")
    number = models.PositiveIntegerField()
    status = models.CharField(max_length=12, choices=Status.choices)
    reason = models.CharField(max_length=400, blank=True)
    case = models.ForeignKey("Case", null=True, on_delete=models.SET_NULL, related_name="files")

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["batch", "number"], name="cases_one_row_per_file")]


class Case(models.Model):
    """One patient's held-out scan. value = intercept + slope * stored, stored little-endian uint16."""

    class State(models.TextChoices):
        READY = "ready", "ready"
        QUARANTINED = "quarantined", "quarantined until looked at"
        WITHDRAWN = "withdrawn", "withdrawn"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    pseudonym = models.CharField(max_length=20, unique=True)
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="cases")
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="cases")
    key = models.CharField(max_length=64, unique=True, help_text="HMAC of the series and its pixels: no case twice.")
    state = models.CharField(max_length=12, choices=State.choices, default=State.READY)
    state_reason = models.CharField(max_length=400, blank=True)
    modality = models.CharField(max_length=2, choices=Modality.choices)
    anatomy = models.CharField(max_length=40, blank=True)
    plane = models.CharField(max_length=20, blank=True)
    rows = models.PositiveIntegerField()
    columns = models.PositiveIntegerField()
    slope = models.FloatField()
    intercept = models.FloatField()
    data_range = models.FloatField(help_text="Physical units; the range of PSNR and SSIM for this case.")
    row_spacing = models.FloatField(null=True, help_text="mm; empty where the source states none.")
    column_spacing = models.FloatField(null=True)
    slice_spacing = models.FloatField(null=True)
    window_center = models.FloatField()
    window_width = models.FloatField()
    inverted = models.BooleanField(default=False)
    already_noisy = models.BooleanField(default=True, help_text="A real scan, whose own noise counts.")
    phantom = models.BooleanField(default=False)
    source_ids = models.JSONField(default=list, help_text="Keyed hashes to hold against a weights' training list.")
    acquisition = models.JSONField(default=dict, help_text="Device and acquisition, from a written allow-list.")
    notes = models.JSONField(default=list)
    created_at = models.DateTimeField(auto_now_add=True)
    frozen_at = models.DateTimeField(null=True, blank=True, help_text="Since a study uses it, nothing changes.")

    class Meta:
        ordering = ["pseudonym"]
        indexes = [models.Index(fields=["modality", "state"])]

    def __str__(self) -> str:
        return self.pseudonym

    @property
    def pixel_spacing(self) -> tuple[float, float] | None:
        if self.row_spacing is None or self.column_spacing is None:
            return None
        return (self.row_spacing, self.column_spacing)


class Slice(models.Model):
    """One slice (or frame) of a case: the hash of its pixels and what the rules of eligibility ask for."""

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="slices")
    index = models.PositiveIntegerField()
    pixels = models.CharField(max_length=64, help_text="SHA-256 of the stored bytes.")
    position = models.FloatField(null=True, help_text="mm along the normal, or s in a cine loop.")
    body_share = models.FloatField(help_text="Share of the field of view that shows the body.")
    edge = models.BooleanField(default=False, help_text="First or last slice of a volume.")
    window_center = models.FloatField()
    window_width = models.FloatField()

    class Meta:
        ordering = ["case_id", "index"]
        constraints = [models.UniqueConstraint(fields=["case", "index"], name="cases_one_row_per_slice")]


class Look(models.Model):
    """Who has seen a case's reference or a comparison of it: never again its reader, in any study."""

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="looks")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="looks")
    first_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["case", "user"], name="cases_one_look_per_person")]
