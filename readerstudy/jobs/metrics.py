"""Figures for a monitoring system, as Prometheus text (version 0.0.4); no name, no id, nothing per study or person."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from secrets import compare_digest

import django
from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from readerstudy.jobs import health, queries
from readerstudy.jobs.models import Job

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Labels = Mapping[str, str]


@dataclass(frozen=True)
class Figure:
    """One measure with its samples: labels and value."""

    name: str
    help: str
    samples: list[tuple[Labels, float]] = field(default_factory=list)


@require_GET
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """The figures, for who has the token; for everybody else there is nothing here."""
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    known = settings.METRICS_TOKEN
    if not known or scheme.lower() != "bearer" or not compare_digest(given.strip().encode(), known.encode()):
        raise Http404
    return HttpResponse(text(figures()), content_type=CONTENT_TYPE)


def figures() -> list[Figure]:
    """Everything that can be known; without a database what needs none."""
    found = [build(), disk()]
    try:
        with transaction.atomic():
            return [*found, Figure("database_up", "Whether the database answers.", [({}, 1)]), *of_jobs()]
    except DatabaseError:
        return [*found, Figure("database_up", "Whether the database answers.", [({}, 0)])]


def build() -> Figure:
    try:
        product = version("readerstudy")
    except PackageNotFoundError:
        product = "unknown"
    labels = {"version": product, "python": platform.python_version(), "django": django.get_version()}
    return Figure("build_info", "What runs; the value is always 1.", [(labels, 1)])


def disk() -> Figure:
    found = health.folders().items()
    samples: list[tuple[Labels, float]] = [({"folder": name}, health.free_bytes(path)) for name, path in found]
    return Figure("disk_free_bytes", "Room left on the disks of the data folder and the pixel store.", samples)


def of_jobs() -> Iterable[Figure]:
    """Jobs by kind and state (zeros too, so that an alarm can be set on them), the queue's age, living workers."""
    rows = Job.objects.order_by().values_list("kind", "state").annotate(number=Count("pk"))
    counted = {(kind, state): number for kind, state, number in rows}
    kinds = sorted({*settings.JOB_HANDLERS, *(kind for kind, _ in counted)})
    jobs: list[tuple[Labels, float]] = [
        ({"kind": kind, "state": state}, counted.get((kind, state), 0)) for kind in kinds for state in Job.State.values
    ]
    alive = queries.workers()
    serving: list[tuple[Labels, float]] = [
        ({"queue": queue}, sum(queue in worker.queue.split(",") for worker in alive)) for queue in settings.QUEUES
    ]
    return [
        Figure("jobs", "Jobs in the table.", jobs),
        Figure(
            "oldest_queued_job_seconds",
            "How long the longest waiting job that could run has been queued; 0 when none waits.",
            [({}, queries.oldest_queued_age() or 0.0)],
        ),
        Figure("workers", "Workers with a recent heartbeat, by the queue they serve.", serving),
    ]


def text(figures: Iterable[Figure]) -> str:
    """Prometheus' text: a help and a type line per figure, then a line per sample."""
    lines = []
    for figure in figures:
        name = f"readerstudy_{figure.name}"
        lines += [f"# HELP {name} {_escaped(figure.help)}", f"# TYPE {name} gauge"]
        for labels, value in figure.samples:
            inner = ",".join(f'{key}="{_escaped(label, quotes=True)}"' for key, label in labels.items())
            lines.append(f"{name}{f'{{{inner}}}' if inner else ''} {value:.10g}")
    return "\n".join(lines) + "\n"


def _escaped(words: str, quotes: bool = False) -> str:
    words = words.replace("\\", "\\\\").replace("\n", "\\n")
    return words.replace('"', '\\"') if quotes else words
