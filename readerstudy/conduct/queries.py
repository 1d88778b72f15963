"""What a coordinator may know while a study runs: how far each reader has come, and who is in. Nothing is per arm."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any

from django.db import connection
from django.db.models import Aggregate, Count, Max, Min, OuterRef, Q, QuerySet, Subquery, TextField, Value
from django.db.models.functions import Cast, Coalesce
from django.utils import timezone

from readerstudy.accounts.tokens import digest
from readerstudy.audit.models import Entry
from readerstudy.conduct.flags import Flags, flags_from
from readerstudy.conduct.models import Invitation
from readerstudy.reading.models import Score
from readerstudy.reading.queries import SCORED
from readerstudy.schedules.models import OrderSecret, Presentation, Session
from readerstudy.studies.models import Criterion, Reader, Study

SHOWN_EVENTS = 20


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
class Marks:
    """What the study's chain says of the whole study: its opening, why it pauses, its last events and its head."""

    flags: Flags
    opening_hash: str
    pause_reason: str
    events: tuple[Event, ...]
    head: str


@dataclass(frozen=True)
class Sitting:
    """One session with the number of its images that are to be scored."""

    session: Session
    total: int


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


class _Listed(Aggregate):
    """All numbers of a group as one text with commas, so that a median needs no query of its own."""

    function = "GROUP_CONCAT"
    output_field = TextField()

    def __init__(self, number: str, **more: Any) -> None:
        super().__init__(Cast(number, TextField()), Value(","), **more)

    def as_postgresql(self, compiler: Any, connection: Any, **more: Any) -> Any:
        return self.as_sql(compiler, connection, function="STRING_AGG", **more)


def sittings(study: Study) -> list[Sitting]:
    """Every session of a reader, by number of the schedule and of the session."""
    shown = Presentation.objects.filter(session=OuterRef("pk"), kind__in=SCORED).order_by()
    total = Subquery(shown.values("session").annotate(n=Count("pk")).values("n"))
    mine = Session.objects.filter(schedule__study=study, schedule__reader__isnull=False)
    rows = mine.select_related("schedule__reader").annotate(total=Coalesce(total, 0))
    return [Sitting(row, row.total) for row in rows.order_by("schedule__number", "number")]


def progress(
    study: Study,
    given: Sequence[Sitting] | None = None,
    criteria: Sequence[Criterion] | None = None,
    flags: Flags | None = None,
) -> list[ReaderProgress]:
    """Every reader of the study, in the order of their numbers; few queries whatever the size.

    What a page has read already (``sittings``, the criteria in their order, the frozen flags) it gives.
    """
    criteria = list(study.criteria.all()) if criteria is None else criteria
    flags = frozen_flags(study) if flags is None else flags
    own: dict[int, list[Sitting]] = defaultdict(list)
    for sitting in sittings(study) if given is None else given:
        own[sitting.session.schedule_id].append(sitting)
    scored = _scored(own, criteria, flags)
    rows = [_row(mine, scored.get(schedule, _Scored()), flags) for schedule, mine in own.items()]
    return sorted(rows, key=lambda row: row.number)


def _row(mine: list[Sitting], score: _Scored, flags: Flags) -> ReaderProgress:
    sessions = [sitting.session for sitting in mine]
    reader = sessions[0].schedule.reader
    assert reader is not None
    displays = [s.number for s in sessions if s.started_at and s.environment.get("check") == "flagged"]
    return ReaderProgress(
        reader.number, reader.pseudonym, reader.state == Reader.State.ACTIVE, reader.get_state_display(),
        reader.simulated, score.images, sum(sitting.total for sitting in mine),
        sum(s.signed_at is not None for s in sessions), len(sessions), score.median_seconds, score.last, score.fast,
        score.unjudged, _flags(score, displays, flags),
    )  # fmt: skip


def _scored(own: Mapping[int, list[Sitting]], criteria: Sequence[Criterion], flags: Flags) -> dict[int, _Scored]:
    """Per schedule; the pace is that of the first criterion, since an image's criteria share one time."""
    schedule_of = {sitting.session.pk: pk for pk, mine in own.items() for sitting in mine}
    given, first = Q(cannot_judge=""), Q(criterion__in=criteria[:1])
    found = Score.objects.filter(presentation__session__in=schedule_of)
    if connection.vendor == "postgresql":
        found = found.filter(criterion__in=criteria)  # the same rows by an index: else it reads every study's scores
    sums = found.order_by().values(
        "presentation__session", "criterion"
    ).annotate(
        n=Count("pk"), last=Max("stored_at"), fast=Count("pk", filter=Q(too_fast=True)),
        given=Count("pk", filter=given), lowest=Min("value"), highest=Max("value"),
        least=Min("choice", filter=given), most=Max("choice", filter=given),
        times=_Listed("elapsed_ms", filter=first),
    )  # fmt: skip
    rows: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
    for row in sums:
        rows[schedule_of[row["presentation__session"]]].append(row)
    return {pk: _sum(mine, criteria, flags) for pk, mine in rows.items()}


def _sum(rows: list[Mapping[str, Any]], criteria: Sequence[Criterion], flags: Flags) -> _Scored:
    """``rows``: one for each session and criterion of a schedule that has scores."""
    n, given = sum(row["n"] for row in rows), sum(row["given"] for row in rows)
    times = [int(time) for row in rows for time in (row["times"] or "").split(",") if time]
    return _Scored(
        n, n // len(criteria), sum(row["fast"] for row in rows), n - given, max(row["last"] for row in rows),
        median(times) / 1000 if times else None,
        tuple(c.title for c in criteria if _is_uniform([r for r in rows if r["criterion"] == c.pk], flags)),
    )  # fmt: skip


def _is_uniform(rows: list[Mapping[str, Any]], flags: Flags) -> bool:
    """Whether enough scores of a criterion were given and all say the same."""
    values = {row[name] for row in rows for name in ("lowest", "highest")} - {None}
    choices = {row[name] for row in rows for name in ("least", "most")} - {None}
    return sum(row["given"] for row in rows) >= flags.enough and len(values) <= 1 and len(choices) <= 1


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
    return flags_from(_opening(study))


def reserves_left(study: Study) -> int:
    return study.schedules.filter(reader=None).count()


def usable_invitation(token: str) -> Invitation | None:
    """The invitation of a link if it can still be used; why it can't is nobody's business."""
    return open_invitations().filter(token_hash=digest(token)).select_related("study", "replaces").first()


def open_invitations() -> QuerySet[Invitation]:
    return Invitation.objects.filter(used_at=None, revoked_at=None, expires_at__gt=timezone.now())


def opening_hash(study: Study) -> str:
    """The protocol's hash at the opening, which the commitment seals; amendments don't change it."""
    return str(_opening(study).get("protocol", ""))


def marks(study: Study) -> Marks:
    """What the page of a study tells from its chain, in two queries."""
    told = list(_about(study).filter(verb__in=("study.open", "study.pause")).order_by("sequence"))
    opening = next((entry.data for entry in told if entry.verb == "study.open"), {})
    reasons = [str(entry.data["reason"]) for entry in told if entry.verb == "study.pause"]
    rows = Entry.objects.filter(chain__name=study.chain).exclude(verb="score").select_related("chain")
    latest = list(rows.order_by("-sequence")[:SHOWN_EVENTS])
    return Marks(
        flags_from(opening), str(opening.get("protocol", "")), reasons[-1] if study.paused and reasons else "",
        tuple(Event(row.at[:19].replace("T", " "), row.actor, row.verb, row.sequence) for row in latest),
        latest[0].chain.head if latest else "0" * 64,
    )  # fmt: skip


def _opening(study: Study) -> dict[str, Any]:
    """What the study's opening recorded; empty before it."""
    entry = _about(study).filter(verb="study.open").first()
    return entry.data if entry else {}


def _about(study: Study) -> QuerySet[Entry]:
    """The entries about the study as a whole, by the index of their subject: a chain has one for every score."""
    return Entry.objects.filter(chain__name=study.chain, subject=f"study:{study.pk}")


def commitment_of(study: Study) -> tuple[OrderSecret | None, int]:
    """The commitment, if the study was opened, and the number of its amendments since."""
    row = OrderSecret.objects.filter(study=study).annotate(amendments=Count("study__amendments")).first()
    return row, row.amendments if row else 0
