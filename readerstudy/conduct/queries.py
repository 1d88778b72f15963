"""The monitor: how far each reader has come. Nothing here is per arm, before the lock or after."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Avg, Count, Q

from readerstudy.audit.models import Entry
from readerstudy.reading.models import Score
from readerstudy.reading.queries import SCORED
from readerstudy.schedules.models import OrderSecret, Schedule
from readerstudy.studies.models import Study


@dataclass(frozen=True)
class ReaderProgress:
    """One reader: presentations done, sessions signed, median pace and what was flagged."""

    pseudonym: str
    state: str
    simulated: bool
    done: int
    total: int
    signed: int
    sessions: int
    mean_seconds: float | None
    too_fast: int
    cannot_judge: int

    @property
    def percent(self) -> int:
        return round(100 * self.done / self.total) if self.total else 0


@dataclass(frozen=True)
class Event:
    at: str
    actor: str
    verb: str
    sequence: int


def progress(study: Study) -> list[ReaderProgress]:
    """Every reader of the study, in the order of their numbers; four queries whatever the size."""
    criteria = max(1, study.criteria.count())
    schedules = Schedule.objects.filter(study=study, reader__isnull=False).select_related("reader")
    sizes = {
        row["pk"]: row
        for row in schedules.annotate(
            total=Count("sessions__presentations", filter=Q(sessions__presentations__kind__in=SCORED), distinct=True),
            sessions_total=Count("sessions", distinct=True),
            signed=Count("sessions", filter=Q(sessions__signed_at__isnull=False), distinct=True),
        ).values("pk", "total", "sessions_total", "signed")
    }
    scores = {
        row["presentation__session__schedule"]: row
        for row in Score.objects.filter(presentation__session__schedule__study=study)
        .values("presentation__session__schedule")
        .annotate(
            n=Count("pk"), elapsed=Avg("elapsed_ms"), fast=Count("pk", filter=Q(too_fast=True)),
            unjudged=Count("pk", filter=~Q(cannot_judge="")),
        )
    }  # fmt: skip
    rows = []
    for schedule in schedules.order_by("reader__number"):
        reader, size, score = schedule.reader, sizes[schedule.pk], scores.get(schedule.pk)
        assert reader is not None
        elapsed = score["elapsed"] if score else None
        rows.append(
            ReaderProgress(
                reader.pseudonym, reader.get_state_display(), reader.simulated,
                (score["n"] // criteria) if score else 0, size["total"], size["signed"], size["sessions_total"],
                elapsed / 1000 if elapsed is not None else None, score["fast"] if score else 0,
                score["unjudged"] if score else 0,
            )
        )  # fmt: skip
    return rows


def commitment_of(study: Study) -> OrderSecret | None:
    return OrderSecret.objects.filter(study=study).first()


def events(study: Study, limit: int = 20) -> list[Event]:
    """The latest transitions of the study from its audit chain, scores left out."""
    rows = Entry.objects.filter(chain__name=study.chain).exclude(verb="score").order_by("-sequence")[:limit]
    return [Event(row.at[:19].replace("T", " "), row.actor, row.verb, row.sequence) for row in rows]
