"""Finding runs, reconstructions and how far a run has come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q, QuerySet

from inference.methods.register import METHODS, validate_settings
from readerstudy.audit.canonical import sha256_of
from readerstudy.cases.models import Slice
from readerstudy.reconstructions.models import Reconstruction, Run


@dataclass(frozen=True)
class Progress:
    """How far a run has come; ``failed`` slices are recorded with their reason."""

    total: int
    done: int
    failed: int

    @property
    def percent(self) -> int:
        return round(100 * (self.done + self.failed) / self.total) if self.total else 100

    @property
    def finished(self) -> bool:
        return self.done + self.failed >= self.total


def settings_hash(method: str, settings: Mapping[str, Any]) -> str:
    """One hash for one configuration, defaults filled in; raises ``ValueError`` for an unknown setting."""
    return sha256_of({"method": method, "settings": validate_settings(method, dict(settings))})


def runs() -> QuerySet[Run]:
    """All runs with their counts, the newest first, in one query."""
    return (
        Run.objects.select_related("measurement__case")
        .annotate(
            total=Count("measurement__case__slices", distinct=True),
            done=Count("reconstructions", filter=~Q(reconstructions__pixels=""), distinct=True),
            failed=Count("reconstructions", filter=Q(reconstructions__pixels=""), distinct=True),
        )
        .order_by("-created_at", "pk")
    )


def find_reconstructions(
    slices: Iterable[Slice], method: str, levels: Mapping[str, float], settings: Mapping[str, Any]
) -> dict[int, Reconstruction]:
    """The newest finished reconstruction of each slice (by its id) that the arm asks for."""
    wanted = settings_hash(method, settings) if method in METHODS else None
    chosen: dict[int, Reconstruction] = {}
    ids = [s.pk for s in slices]
    rows = (
        Reconstruction.objects.filter(slice_id__in=ids, run__method=method)
        .exclude(pixels="")
        .select_related("run__measurement__case")
        .order_by("run__created_at", "pk")
    )
    for row in rows:
        measurement = row.run.measurement
        if wanted is not None and row.run.settings_hash != wanted:
            continue
        if measurement.level == levels.get(measurement.case.modality):
            chosen[row.slice_id] = row
    return chosen
