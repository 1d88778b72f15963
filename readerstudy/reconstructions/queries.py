"""Finding runs, reconstructions and how far a run has come."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.db.models import Case as SqlCase
from django.db.models import Count, Expression, Q, QuerySet, UUIDField, Value, When
from django.db.models.functions import Cast, Replace, Substr
from django.http import Http404

from inference.methods.register import METHODS, validate_settings
from inference.physics.levels import LEVELS
from readerstudy.accounts.models import User
from readerstudy.audit.canonical import sha256_of
from readerstudy.cases.models import Case, Look, Slice
from readerstudy.cases.queries import require_coordinator
from readerstudy.jobs.models import Job
from readerstudy.jobs.queries import with_prefix
from readerstudy.reconstructions.models import Measurement, Reconstruction, Run

JOBS = "reconstruct:"
UUID_LENGTH = 36
RUN_KEY = f"^{JOBS}[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}:"
OPEN = (Job.State.QUEUED, Job.State.RUNNING)
STATES = {
    "open": "under way",
    "done": "done",
    "failed": "failed",
    "stopped": "stopped",
}


@dataclass(frozen=True)
class RunRow:
    """A run and how far it has come; ``failed`` slices are recorded with their reason."""

    run: Run
    total: int
    done: int
    failed: int
    waiting: int
    working: int
    reason: str

    @property
    def title(self) -> str:
        return method_title(self.run.method)

    @property
    def level(self) -> str:
        return level_short(self.run.measurement.level, self.run.measurement.case.modality)

    @property
    def state(self) -> str:
        if self.waiting or self.working:
            return "open"
        if self.done >= self.total:
            return "done"
        return "failed" if self.reason else "stopped"

    @property
    def state_title(self) -> str:
        return STATES[self.state]


@dataclass(frozen=True)
class LookBefore:
    """Someone, by handle, saw a case unblinded at a time."""

    handle: str
    case: str
    at: datetime


def method_title(key: str) -> str:
    return METHODS[key].title if key in METHODS else key


def level_title(level: float | None, modality: str) -> str:
    """The level as a person reads it, for example ``25 % dose CT``."""
    if level is None:
        return "as acquired"
    return LEVELS[modality].text(level) if modality in LEVELS else f"{level:g}"


def level_short(level: float | None, modality: str) -> str:
    """The level for a narrow column: ``25 % dose``, ``6x``, ``-6 dB``."""
    if level is None:
        return "as acquired"
    if modality == "CT":
        return f"{100 * level:g} % dose"
    unit = LEVELS[modality].unit if modality in LEVELS else ""
    return f"{level:g} {unit}" if unit == "dB" else f"{level:g}{unit}"


def settings_hash(method: str, settings: Mapping[str, Any]) -> str:
    """One hash for one configuration, defaults filled in; raises ``ValueError`` for an unknown setting."""
    return sha256_of({"method": method, "settings": validate_settings(method, dict(settings))})


def changed_settings(method: str, settings: Mapping[str, Any]) -> str:
    """The settings that are not the method's own, for example ``steps 50, guidance 2``; empty where all are."""
    usual: Mapping[str, object] = METHODS[method].settings if method in METHODS else {}
    return ", ".join(f"{k.replace('_', ' ')} {_short(v)}" for k, v in settings.items() if usual.get(k) != v)


def runs(method: str = "", modality: str = "", level: str = "", state: str = "") -> QuerySet[Run]:
    """Runs with their case, the newest first; empty words let everything pass. ``level`` may be ``none``."""
    rows = Run.objects.select_related("measurement__case").order_by("-created_at", "pk")
    if method:
        rows = rows.filter(method=method)
    if modality:
        rows = rows.filter(measurement__case__modality=modality)
    if level == "none":
        rows = rows.filter(measurement__level=None)
    elif level:
        rows = rows.filter(measurement__level=_number(level)) if _number(level) is not None else rows.none()
    return _in_state(rows, state) if state in STATES else rows


def failed_runs() -> QuerySet[Run]:
    """Runs that are not under way and have a failed slice, or a job that was given up and slices missing."""
    return runs(state="failed")


def run_rows(page: Iterable[Run]) -> list[RunRow]:
    """Progress of the runs of one page, in three queries however many they are."""
    listed = list(page)
    if not listed:
        return []
    cases = {run.measurement.case_id for run in listed}
    totals = dict(Slice.objects.filter(case__in=cases).order_by().values_list("case").annotate(n=Count("pk")))
    jobs = _job_states(listed)
    reasons = _reasons([run for run in listed if run.failed])
    rows = []
    for run in listed:
        states, reason = jobs[run.pk], reasons.get(run.pk, "")
        if not reason and run.missing:
            reason = next((why for state, why in states if state == Job.State.FAILED), "")
        total = totals.get(run.measurement.case_id, 0)
        rows.append(
            RunRow(
                run, total, total - run.missing, run.failed,
                sum(state == Job.State.QUEUED for state, _ in states),
                sum(state == Job.State.RUNNING for state, _ in states), reason,
            )
        )  # fmt: skip
    return rows


def run_for(user: User | AnonymousUser, pk: UUID) -> Run:
    """The run if the person may coordinate; everyone else learns nothing (404)."""
    require_coordinator(user)
    run = Run.objects.select_related("measurement__case").filter(pk=pk).first()
    if run is None:
        raise Http404
    return run


def known_levels() -> list[tuple[str, float | None]]:
    """Every modality and level that was ever measured, for the filter above a list."""
    rows = Measurement.objects.order_by("case__modality", "level").values_list("case__modality", "level").distinct()
    return [(modality, level) for modality, level in rows]


def looks_before(cases: Iterable[Case], moment: datetime) -> list[LookBefore]:
    """Who had seen which of the cases unblinded (reference or comparison) before a moment, the earliest first."""
    rows = Look.objects.filter(case__in=[case.pk for case in cases], first_at__lt=moment)
    found = rows.order_by("first_at", "case__pseudonym").values_list("user__handle", "case__pseudonym", "first_at")
    return [LookBefore(*row) for row in found]


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


def _in_state(rows: QuerySet[Run], state: str) -> QuerySet[Run]:
    """The runs in one of ``STATES``, as ``RunRow.state`` has it."""
    if state == "open":
        return rows.filter(pk__in=_runs_of_jobs(*OPEN))
    rows = rows.exclude(pk__in=_runs_of_jobs(*OPEN))
    if state == "done":
        return rows.filter(missing=0)
    failed = Q(failed__gt=0) | Q(pk__in=_runs_of_jobs(Job.State.FAILED))
    return rows.filter(failed if state == "failed" else ~failed, missing__gt=0)


def _runs_of_jobs(*states: str) -> QuerySet[Any, Any]:
    """The runs of all jobs in a state, by the database itself: they may be more than a statement takes parameters."""
    written = Substr("key", len(JOBS) + 1, UUID_LENGTH)
    run: Expression
    if connection.vendor == "sqlite":
        run = Replace(written, Value("-"), Value(""))  # as it keeps an id
    else:
        run = SqlCase(When(key__regex=RUN_KEY, then=Cast(written, UUIDField())))
    jobs = with_prefix(JOBS).filter(state__in=states)
    return jobs.annotate(run=run).filter(run__isnull=False).values("run")


def run_of_job(key: str) -> UUID:
    """The run that a job of this app belongs to."""
    return UUID(key.removeprefix(JOBS).split(":")[0])


def _job_states(listed: list[Run]) -> dict[UUID, list[tuple[str, str]]]:
    """State and reason of the jobs of each run, the latest first."""
    prefixes = Q()
    for run in listed:
        prefixes |= Q(key__gte=run.job_prefix, key__lt=f"{run.job_prefix};")  # the sign after the colon's digits
    found: dict[UUID, list[tuple[str, str]]] = defaultdict(list)
    for key, state, reason in (
        Job.objects.filter(prefixes).order_by("-created_at").values_list("key", "state", "reason")
    ):
        found[run_of_job(key)].append((state, reason))
    return found


def _reasons(listed: list[Run]) -> dict[UUID, str]:
    rows = Reconstruction.objects.filter(run__in=listed, pixels="").order_by("-pk").values_list("run", "failure")
    return dict(rows)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _short(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, int | float) else str(value)
