"""Every list page of every role, asked for through Django's test client with the product's own settings."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models import Count
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from bench.filled.load import say
from readerstudy.cases.models import Case, Import
from readerstudy.reconstructions.models import Run
from readerstudy.schedules.models import Session
from readerstudy.studies.models import Study

REPEATS = 5
RUN_STATES = ("open", "done", "failed", "stopped")


@dataclass(frozen=True)
class Page:
    """Whose page it is, its name and arguments; ``listing``: it counts for the figures."""

    role: str
    name: str
    arguments: tuple[Any, ...] = ()
    query: str = ""
    note: str = ""
    listing: bool = True


@dataclass(frozen=True)
class Timing:
    role: str
    path: str
    note: str
    ms: float
    queries: int
    listing: bool
    slowest_query: str


def pages() -> list[Page]:
    """All of them; what is no list (a detail, a report) stands below and does not count."""
    return [*_cases(), *_runs(), *_studies(), *_others()]


def _cases() -> Iterator[Page]:
    batch, case = Import.objects.order_by("pk").first(), Case.objects.order_by("pk").first()
    assert batch is not None and case is not None
    filters = ["", "modality=CT", "modality=US&state=ready", "state=quarantined", "state=withdrawn"]
    for query in [*filters, "page=100", "page=200", "modality=MR&page=60"]:
        yield Page("coordinator", "cases:list", query=query)
    for query in ("", "page=8"):
        yield Page("coordinator", "cases:imports", query=query)
    yield Page("coordinator", "cases:import", (batch.pk,))
    yield Page("coordinator", "cases:import", (batch.pk,), "status=refused")
    yield Page("coordinator", "cases:import_new")
    yield Page("coordinator", "cases:sources")
    yield Page("coordinator", "cases:quarantine")
    yield Page("coordinator", "cases:detail", (case.pk,), listing=False)


def _runs() -> Iterator[Page]:
    run = Run.objects.order_by("pk").first()
    assert run is not None
    filters = ["method=pix2pix", "modality=MR&level=6.0", "level=none", *(f"state={s}" for s in RUN_STATES)]
    for query in ("", "page=2", "page=500", "page=1000", *filters, "state=done&page=400"):
        yield Page("coordinator", "reconstructions:list", query=query)
    for name in ("rows", "live", "metrics", "new", "exports", "import"):
        yield Page("coordinator", f"reconstructions:{name}")
    for query in ("modality=CT", "sort=-ssim"):
        yield Page("coordinator", "reconstructions:metrics", query=query)
    yield Page("coordinator", "reconstructions:detail", (run.pk,))


def _studies() -> Iterator[Page]:
    for query in ("", "page=5", "page=10"):
        yield Page("coordinator", "studies:list", query=query)
        yield Page("analyst", "studies:list", query=query)
    yield Page("stranger", "studies:list")
    yield Page("coordinator", "studies:plan")
    yield Page("coordinator", "studies:new", note="a form", listing=False)
    for state in Study.State.values:
        found = Study.objects.filter(state=state).order_by("opened_at", "pk").first()
        if found is None:
            continue
        yield Page("coordinator", "conduct:study", (found.pk,), note=state)
        yield Page("coordinator", "conduct:monitor", (found.pk,), note=state)
        yield Page("analyst", "analytics:status", (found.pk,), note=state)
        if state != Study.State.UNBLINDED:
            yield Page("analyst", "analytics:results", (found.pk,), note=state)
        yield Page("coordinator", "conduct:people", (found.pk,), note=state)
        if state != Study.State.DRAFT:
            yield Page("coordinator", "conduct:amendments", (found.pk,), note=state)
        yield Page("coordinator", "conduct:protocol", (found.pk,), note=state, listing=False)
    large = Study.objects.annotate(n=Count("readers")).order_by("-n").first()
    assert large is not None
    yield Page("coordinator", "conduct:study", (large.pk,), note="25 readers, 50,000 scores")
    yield Page("coordinator", "conduct:monitor", (large.pk,), note="25 readers, 50,000 scores")
    yield Page("coordinator", "conduct:people", (large.pk,), note="25 readers, 50,000 scores")
    yield Page("coordinator", "conduct:reader", (large.pk, 1), note="25 readers, 50,000 scores")
    second = Study.objects.filter(state=Study.State.UNBLINDED).order_by("opened_at")[1]
    yield Page("analyst", "analytics:results", (second.pk,), note="without a snapshot")
    yield Page("coordinator", "conduct:balance", (second.pk,), note="a report", listing=False)


def _others() -> Iterator[Page]:
    """The reader's, the programs' and the administrator's."""
    yield Page("coordinator", "tokens:list")
    yield Page("reader000", "reading:worklist")
    yield Page("stranger", "reading:worklist")
    session = Session.objects.filter(signed_at=None, schedule__reader__membership__user__username="reader000").first()
    if session is not None:
        yield Page("reader000", "reading:room", (session.token,), note="a sitting", listing=False)
    for query in ("", "page=2") if Study.objects.count() > 200 else ("",):
        yield Page("coordinator", "api:studies", query=query)
        yield Page("analyst", "api:studies", query=query)
    numbers = Study.objects.filter(snapshots__isnull=False).first()
    if numbers is not None:
        for query in ("", "page=20"):
            yield Page("analyst", "api:scores", (numbers.pk,), query)
    for query in ("p=5", "q=person1"):
        yield Page("administrator", "admin:accounts_user_changelist", query=query)
    for model in admin.site._registry:
        yield Page("administrator", f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def measure(chosen: list[Page]) -> list[dict[str, Any]]:
    """Median milliseconds of five requests after one, and the queries of one more; a page that is refused ends it."""
    clients: dict[str, Client] = {}
    found = []
    for page in chosen:
        path = reverse(page.name, args=page.arguments) + (f"?{page.query}" if page.query else "")
        if page.role not in clients:
            clients[page.role] = Client(raise_request_exception=False, headers={"host": "localhost"})
            clients[page.role].force_login(get_user_model().objects.get(username=page.role))
        timing = _timed(clients[page.role], page, path)
        say(f"{timing.ms:8.1f} ms {timing.queries:3} queries  {page.role:13} {path} {page.note}")
        found.append(asdict(timing))
    return found


def _timed(client: Client, page: Page, path: str) -> Timing:
    taken = []
    for _ in range(1 + REPEATS):
        begun = time.perf_counter()
        status = client.get(path).status_code
        taken.append(1000 * (time.perf_counter() - begun))
        if status != 200:
            sys.exit(f"{page.role} gets {status} from {path}: mend it, or take it out of bench/filled/pages.py.")
    with CaptureQueriesContext(connection) as captured:
        client.get(path)
    slowest = max(captured.captured_queries, key=lambda query: float(query["time"]), default={"time": 0, "sql": ""})
    return Timing(
        page.role, path, page.note, statistics.median(taken[1:]), len(captured), page.listing,
        f"{slowest['time']} s {slowest['sql'][:600]}",
    )  # fmt: skip
