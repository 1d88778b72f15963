"""What each method made of each case: measurements, runs and one reconstruction per slice."""

from __future__ import annotations

import uuid

from django.db import models

from readerstudy.accounts.models import User
from readerstudy.cases.models import Case, Slice


class Measurement(models.Model):
    """A case degraded at a stated level (dose share, acceleration, SNR in dB); no level means as acquired."""

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="measurements")
    level = models.FloatField(null=True)
    seed = models.PositiveBigIntegerField()
    physics = models.CharField(max_length=64, help_text="Version of the forward model and its constants.")
    parameters = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["case", "level", "physics"],
                name="reconstructions_one_measurement",
                nulls_distinct=False,
            )
        ]


class Run(models.Model):
    """One method over one measurement, with everything that makes it repeatable."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    measurement = models.ForeignKey(Measurement, on_delete=models.PROTECT, related_name="runs")
    method = models.CharField(max_length=40)
    version = models.CharField(max_length=20)
    settings = models.JSONField(default=dict)
    settings_hash = models.CharField(max_length=64)
    weights_hash = models.CharField(max_length=64, blank=True)
    seed = models.PositiveBigIntegerField(default=0)
    sampler = models.CharField(max_length=80, blank=True)
    precision = models.CharField(max_length=20, blank=True)
    network_calls = models.PositiveIntegerField(default=0)
    device = models.CharField(max_length=80, blank=True)
    peak_memory_mib = models.PositiveIntegerField(
        null=True, help_text="On a GPU the most that a batch's tensors took; on a CPU the most its process ever had."
    )
    imported = models.BooleanField(default=False, help_text="Made elsewhere and brought in.")
    requested_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)
    # Counted from the reconstructions by ``recording.counted`` alone, so that a list need not count them.
    missing = models.PositiveIntegerField(default=0, help_text="Slices of the case without a finished image.")
    failed = models.PositiveIntegerField(default=0, help_text="Slices among the missing that failed.")

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["measurement", "method", "version", "settings_hash", "weights_hash", "seed"],
                name="reconstructions_one_run",
            )
        ]
        indexes = [
            models.Index(fields=["-created_at", "id"], name="reconstructions_newest"),
            models.Index(fields=["missing", "-created_at", "id"], name="reconstructions_missing"),
        ]

    @property
    def job_prefix(self) -> str:
        return f"reconstruct:{self.pk}:"


class Reconstruction(models.Model):
    """One slice of a run: the hash of its pixels and how far it is from the reference; or why it failed."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="reconstructions")
    slice = models.ForeignKey(Slice, on_delete=models.PROTECT, related_name="reconstructions")
    pixels = models.CharField(max_length=64, blank=True, help_text="SHA-256 of the stored bytes; empty when failed.")
    uncertainty = models.CharField(max_length=64, blank=True, help_text="SHA-256 of the SD map over seeds, if any.")
    uncertainty_step = models.FloatField(null=True, help_text="Physical units of SD per stored step of the map.")
    features = models.CharField(max_length=64, blank=True, help_text="SHA-256 of the FID-Med features (float32).")
    feature_network = models.CharField(max_length=64, blank=True, help_text="SHA-256 of the network's weights.")
    failure = models.CharField(max_length=400, blank=True)
    psnr = models.FloatField(null=True, help_text="dB")
    ssim = models.FloatField(null=True)
    nmse = models.FloatField(null=True)
    feature_distance = models.FloatField(null=True, help_text="Euclidean, to the reference, 32 dimensions.")
    latency_ms = models.FloatField(null=True, help_text="Wall time of its batch divided by the batch size.")
    batch_size = models.PositiveSmallIntegerField(default=1)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "slice"], name="reconstructions_one_per_slice")]
