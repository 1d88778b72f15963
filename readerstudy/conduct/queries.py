"""What a coordinator may know while a study runs: how far each reader has come, and who is in. Nothing is per arm."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import datetime
from statistics import median

from django.db.models import Count, Max, Q, QuerySet
from django.utils import timezone

from readerstudy.audit.models import Entry
from readerstudy.conduct.flags import Flags, flags_from
from readerstudy.conduct.models import Invitation
from readerstudy.reading.models import Score
from readerstudy.reading.queries import SCORED
from readerstudy.schedules.actions import design_of
from readerstudy.schedules.designs import BalanceReport, balance_report
from readerstudy.schedules.designs.types import Design
from readerstudy.schedules.models import OrderSecret, Schedule, Session
from readerstudy.schedules.queries import stored_orders
from readerstudy.studies.models import Reader, Study
from readerstudy.studies.protocol import Protocol


@dataclass(frozen=True)
class ReaderProgress:
    """One reader: images scored and missing, sessions signed, median pace, last activity, and what was flagged."""

    number: int
    pseudonym: str
    active: bool
    state: str
    simulated: bool
    done: int
    total: int
    signed: int
    sessions: int
    median_seconds: float | None
    last_activity: datetime | None
    too_fast: int
    cannot_judge: int
    flags: tuple[str, ...]

    @property
    def missing(self) -> int:
        return max(0, self.total - self.done)

    @property
    def percent(self) -> int:
        return round(100 * self.done / self.total) if self.total else 0


@dataclass(frozen=True)
class Event:
    at: str
    actor: str
    verb: str
    sequence: int


@dataclass(frozen=True)
class _Scored:
    """What the scores of one schedule add up to."""

    n: int = 0
    images: int = 0
    fast: int = 0
    unjudged: int = 0
    last: datetime | None = None
    median_seconds: float | None = None
    uniform: tuple[str, ...] = ()


def progress(study: Study) -> list[ReaderProgress]:
    """Every reader of the study, in the order of their numbers; few queries whatever the size."""
    schedules = Schedule.objects.filter(study=study, reader__isnull=False).select_related("reader")
    sized = schedules.annotate(
        total=Count("sessions__presentations", filter=Q(sessions__presentations__kind__in=SCORED), distinct=True),
        sessions_total=Count("sessions", distinct=True),
        signed=Count("sessions", filter=Q(sessions__signed_at__isnull=False), distinct=True),
    )
    flags = frozen_flags(study)
    scored, displays = _scored(study, flags), _flagged_displays(study)
    rows = []
    for schedule in sized.order_by("reader__number"):
        reader, score = schedule.reader, scored.get(schedule.pk, _Scored())
        assert reader is not None
        rows.append(
            ReaderProgress(
                reader.number, reader.pseudonym, reader.state == Reader.State.ACTIVE, reader.get_state_display(),
                reader.simulated, score.images, schedule.total, schedule.signed, schedule.sessions_total,
                score.median_seconds, score.last, score.fast, score.unjudged,
                _flags(score, displays.get(schedule.pk, []), flags),
            )
        )  # fmt: skip
    return rows


def _scored(study: Study, flags: Flags) -> dict[int, _Scored]:
    """Per schedule; the pace is that of the first criterion, since an image's criteria share one time."""
    schedule = "presentation__session__schedule"
    mine = Score.objects.filter(criterion__study=study)
    sums = mine.values(schedule).annotate(
        n=Count("pk"), last=Max("stored_at"),
        fast=Count("pk", filter=Q(too_fast=True)), unjudged=Count("pk", filter=~Q(cannot_judge="")),
    )  # fmt: skip
    times: dict[int, list[int]] = defaultdict(list)
    criteria = list(study.criteria.order_by("position"))
    for pk, elapsed in mine.filter(criterion__in=criteria[:1], elapsed_ms__isnull=False).values_list(
        schedule, "elapsed_ms"
    ):
        times[pk].append(elapsed)
    uniform: dict[int, list[str]] = defaultdict(list)
    given = mine.filter(cannot_judge="").values(schedule, "criterion__title").annotate(
        n=Count("pk"), values=Count("value", distinct=True), choices=Count("choice", distinct=True)
    )  # fmt: skip
    for row in given.order_by("criterion__position"):
        if row["n"] >= flags.enough and row["values"] <= 1 and row["choices"] <= 1:
            uniform[row[schedule]].append(row["criterion__title"])
    return {
        row[schedule]: _Scored(
            row["n"], row["n"] // len(criteria), row["fast"], row["unjudged"], row["last"],
            median(times[row[schedule]]) / 1000 if times[row[schedule]] else None, tuple(uniform[row[schedule]]),
        )
        for row in sums
    }  # fmt: skip


def _flagged_displays(study: Study) -> dict[int, list[int]]:
    """Numbers of the sessions that were read on a display which failed its check, per schedule."""
    found: dict[int, list[int]] = defaultdict(list)
    started = Session.objects.filter(schedule__study=study, schedule__reader__isnull=False, started_at__isnull=False)
    for schedule, number, environment in started.order_by("number").values_list("schedule", "number", "environment"):
        if environment.get("check") == "flagged":
            found[schedule].append(number)
    return found


def _flags(score: _Scored, displays: list[int], flags: Flags) -> tuple[str, ...]:
    found = []
    if score.n >= flags.enough and score.fast > flags.too_fast_share * score.n:
        found.append(f"{100 * score.fast / score.n:.0f} % too fast")
    found += [f"one score only: {title}" for title in score.uniform]
    if displays:
        found.append(f"display check not passed: session {', '.join(map(str, displays))}")
    return tuple(found)


def frozen_flags(study: Study) -> Flags:
    """The flags as they were fixed at the study's opening."""
    opened = Entry.objects.filter(chain__name=study.chain, verb="study.open").first()
    return flags_from(opened.data if opened else {})


def frozen_design(study: Study, protocol: Protocol) -> Design:
    """The design as it was drawn: readers who came later took reserve schedules."""
    return replace(design_of(study, protocol), readers=protocol.design.readers)


def balance(study: Study, protocol: Protocol) -> BalanceReport:
    """Every rule of a balanced order with its measured value; names no arm."""
    return balance_report(frozen_design(study, protocol), stored_orders(study))


def reserves_left(study: Study) -> int:
    return study.schedules.filter(reader=None).count()


def hash_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def usable_invitation(token: str) -> Invitation | None:
    """The invitation of a link if it can still be used; why it can't is nobody's business."""
    return open_invitations().filter(token_hash=hash_of(token)).select_related("study", "replaces").first()


def open_invitations() -> QuerySet[Invitation]:
    return Invitation.objects.filter(used_at=None, revoked_at=None, expires_at__gt=timezone.now())


def pause_reason(study: Study) -> str:
    """Why a paused study pauses, as the audit chain has it."""
    if not study.paused:
        return ""
    entry = Entry.objects.filter(chain__name=study.chain, verb="study.pause").order_by("-sequence").first()
    return str(entry.data["reason"]) if entry else ""


def opening_hash(study: Study) -> str:
    """The protocol's hash at the opening, which the commitment seals; amendments don't change it."""
    entry = Entry.objects.filter(chain__name=study.chain, verb="study.open").first()
    return str(entry.data["protocol"]) if entry else ""


def commitment_of(study: Study) -> OrderSecret | None:
    return OrderSecret.objects.filter(study=study).first()


def events(study: Study, limit: int = 20) -> list[Event]:
    """The latest transitions of the study from its audit chain, scores left out."""
    rows = Entry.objects.filter(chain__name=study.chain).exclude(verb="score").order_by("-sequence")[:limit]
    return [Event(row.at[:19].replace("T", " "), row.actor, row.verb, row.sequence) for row in rows]
