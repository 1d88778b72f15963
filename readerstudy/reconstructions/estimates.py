"""What a request would make and how long it takes, told before it is started."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any
from uuid import UUID

from django.conf import settings as django_settings
from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from inference.methods.register import METHODS, weights_sha256
from readerstudy.cases.models import Case, Slice
from readerstudy.jobs.models import Job
from readerstudy.jobs.queries import with_prefix, workers
from readerstudy.reconstructions.actions import VERSION, Levels, levels_for, physics_hash
from readerstudy.reconstructions.models import Reconstruction, Run
from readerstudy.reconstructions.queries import JOBS, method_title, run_of_job, settings_hash

# Milliseconds per slice of 256 x 256 on one CPU core (the diffusion model: per network call), until measured.
DEFAULT_MS = {
    "reference": 0.1, "degraded": 0.1, "tv_recon": 220.0, "pix2pix": 20.0, "restormer": 1100.0, "diffusion_unet": 90.0,
}  # fmt: skip
UNKNOWN_MS = 1000.0
DEFAULT_OVERHEAD_MS = 200.0  # degrading a slice, measuring and storing its result
DEFAULT_PIXELS = 256 * 256
LATEST_RUNS, LATEST_JOBS = 300, 200
Settings = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Part:
    """One method on all chosen cases: runs, slices still to make, and how long one takes."""

    method: str
    runs: int
    slices: int
    missing: int
    milliseconds: float | None
    measured: bool
    queue: str

    @property
    def title(self) -> str:
        return method_title(self.method)

    @property
    def seconds(self) -> float:
        return self.missing * (self.milliseconds or 0.0) / 1000


@dataclass(frozen=True)
class Estimate:
    """A whole request; ``seconds`` with the workers that run now (one where none runs)."""

    cases: int
    runs: int
    existing: int
    slices: int
    missing: int
    seconds: float
    workers: int
    parts: list[Part]

    @property
    def measured(self) -> bool:
        return all(part.measured for part in self.parts if part.missing)


@dataclass(frozen=True)
class Speeds:
    """Median milliseconds of a network call (a slice, where there is none) by method and pixels, and all beside it."""

    per_call: Mapping[tuple[str, int], float]
    overhead: float | None

    @property
    def beyond(self) -> float:
        return DEFAULT_OVERHEAD_MS if self.overhead is None else self.overhead


@dataclass(frozen=True)
class _Group:
    """Cases that cost the same: one modality, one matrix size."""

    modality: str
    pixels: int
    cases: int
    slices: int


def estimate_runs(cases: QuerySet[Case], methods: Sequence[str], levels: Levels, settings: Settings) -> Estimate:
    """Count runs and slices in a few queries, however many cases are chosen."""
    groups = _groups(cases)
    existing = _existing(cases, methods, levels, settings)
    speeds = measured_speeds(methods)
    parts = [_part(method, groups, levels, settings.get(method, {}), existing, speeds) for method in methods]
    serving = _serving({part.queue for part in parts})
    by_queue: dict[str, float] = defaultdict(float)
    for part in parts:
        by_queue[part.queue] += part.seconds / max(1, serving[part.queue])
    return Estimate(
        cases=sum(group.cases for group in groups),
        runs=sum(part.runs for part in parts),
        existing=sum(runs for runs, _ in existing.values()),
        slices=sum(part.slices for part in parts),
        missing=sum(part.missing for part in parts),
        seconds=max(by_queue.values(), default=0.0),
        workers=max(serving.values(), default=0),
        parts=parts,
    )


def measured_speeds(methods: Sequence[str]) -> Speeds:
    """What the latest runs on the device that is used now have taken."""
    same = Run.objects.filter(method__in=methods, device=django_settings.DEVICE, imported=False)
    # The latest first, by themselves: joined to their cases, some plans would read every run there is.
    latest = Run.objects.filter(pk__in=same.order_by("-created_at").values("pk")[:LATEST_RUNS])
    size = ("measurement__case__rows", "measurement__case__columns")
    runs = {
        pk: (method, rows * columns, max(1, calls))
        for pk, method, rows, columns, calls in latest.order_by().values_list("pk", "method", *size, "network_calls")
    }
    samples: dict[UUID, list[float]] = defaultdict(list)
    by_size: dict[tuple[str, int], list[float]] = defaultdict(list)
    rows = Reconstruction.objects.filter(run__in=list(runs)).exclude(latency_ms=None)
    for pk, milliseconds in rows.values_list("run", "latency_ms"):
        method, pixels, calls = runs[pk]
        assert milliseconds is not None
        samples[pk].append(milliseconds)
        by_size[method, pixels].append(milliseconds / calls)
    return Speeds({key: median(values) for key, values in by_size.items()}, _overhead(samples))


def _overhead(samples: Mapping[UUID, list[float]]) -> float | None:
    """Mean milliseconds per slice of the latest jobs beyond the method's own time."""
    jobs = with_prefix(JOBS).filter(state=Job.State.DONE).order_by("-finished_at")
    beyond = []
    for key, total, started, finished in jobs.values_list("key", "total", "started_at", "finished_at")[:LATEST_JOBS]:
        own = samples.get(run_of_job(key))
        if own and started and finished:
            each = 1000 * (finished - started).total_seconds() / max(1, total)
            beyond.append(max(0.0, each - fmean(own)))
    return fmean(beyond) if beyond else None


def network_calls(method: str, settings: Mapping[str, Any]) -> int:
    """How often a slice passes the network under these settings; guidance other than 1 doubles the steps."""
    full = {**METHODS[method].settings, **settings}
    if "steps" not in full:
        return 1
    return int(full["steps"]) * int(full.get("samples", 1)) * (1 if full.get("guidance", 1.0) == 1.0 else 2)


def latency(method: str, pixels: int, speeds: Speeds) -> tuple[float, bool]:
    """Milliseconds of one network call, and whether they were measured: at this size, or at the nearest and scaled."""
    known = speeds.per_call
    if (method, pixels) in known:
        return known[method, pixels], True
    sizes = [size for name, size in known if name == method]
    if sizes:
        nearest = min(sizes, key=lambda size: abs(size - pixels))
        return known[method, nearest] * pixels / nearest, True
    return DEFAULT_MS.get(method, UNKNOWN_MS) * pixels / DEFAULT_PIXELS, False


def _groups(cases: QuerySet[Case]) -> list[_Group]:
    rows = (
        cases.order_by()
        .annotate(own=_slices_of("pk"))
        .values_list("modality", "rows", "columns")
        .annotate(n=Count("pk"), of=Sum("own"))
    )
    return [_Group(modality, r * c, n, slices) for modality, r, c, n, slices in rows]


def _slices_of(case: str) -> Coalesce:
    """The number of slices of the case that a query's rows name."""
    own = Slice.objects.filter(case=OuterRef(case)).order_by().values("case").annotate(n=Count("pk"))
    return Coalesce(Subquery(own.values("n")), 0)


def _existing(
    cases: QuerySet[Case], methods: Sequence[str], levels: Levels, settings: Settings
) -> dict[tuple[str, str, int], tuple[int, int]]:
    """Runs and finished slices that are there already, by method, modality and matrix size."""
    asked = Q(pk__in=[])
    for method in methods:
        same = Q(
            method=method, settings_hash=settings_hash(method, settings.get(method, {})),
            weights_hash=weights_sha256(method), version=VERSION, seed=0,
        )  # fmt: skip
        if method == "reference":
            asked |= same & Q(measurement__level=None)
            continue
        for modality in levels:
            at = levels_for(modality, method, levels)
            asked |= same & Q(measurement__level__in=at, measurement__case__modality=modality)
    rows = (
        Run.objects.filter(asked, measurement__physics=physics_hash(), measurement__case__in=cases.order_by())
        .order_by()
        .annotate(own=_slices_of("measurement__case"))
        .values_list("method", "measurement__case__modality", "measurement__case__rows", "measurement__case__columns")
        .annotate(n=Count("pk"), done=Sum(F("own") - F("missing")))
    )
    found: dict[tuple[str, str, int], tuple[int, int]] = {}
    for method, modality, r, c, n, done in rows:
        before = found.get((method, modality, r * c), (0, 0))
        found[method, modality, r * c] = (before[0] + n, before[1] + done)
    return found


def _part(
    method: str,
    groups: list[_Group],
    levels: Levels,
    settings: Mapping[str, Any],
    existing: Mapping[tuple[str, str, int], tuple[int, int]],
    speeds: Speeds,
) -> Part:
    runs = slices = missing = 0
    milliseconds, measured = 0.0, True
    calls = network_calls(method, settings)
    by_size: dict[tuple[str, int], list[_Group]] = defaultdict(list)
    for group in groups:
        by_size[group.modality, group.pixels].append(group)
    for (modality, pixels), same in by_size.items():
        count = len(levels_for(modality, method, levels))
        all_slices = count * sum(group.slices for group in same)
        left = max(0, all_slices - existing.get((method, modality, pixels), (0, 0))[1])
        each, known = latency(method, pixels, speeds)
        runs += count * sum(group.cases for group in same)
        slices += all_slices
        missing += left
        milliseconds += left * (each * calls + speeds.beyond)
        measured = measured and (known or not left)
    return Part(
        method, runs, slices, missing, milliseconds / missing if missing else None, measured, METHODS[method].queue
    )


def _serving(queues: Collection[str]) -> dict[str, int]:
    """How many workers take jobs of each queue now."""
    served = Counter(queue for worker in workers() for queue in worker.queue.split(","))
    return {queue: served[queue] for queue in queues}
