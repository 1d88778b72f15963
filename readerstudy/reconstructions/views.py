"""The coordinator's runs: ask for them, watch them, try failures again."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Avg
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from inference.methods.register import METHODS
from readerstudy.accounts.views import SignedInRequest
from readerstudy.cases.queries import require_coordinator
from readerstudy.jobs.queries import counts, workers
from readerstudy.reconstructions import actions
from readerstudy.reconstructions.forms import RunForm
from readerstudy.reconstructions.models import Run
from readerstudy.reconstructions.queries import runs

PER_PAGE = 50


@login_required
@require_http_methods(["GET", "POST"])
def run_list(request: SignedInRequest) -> HttpResponse:
    """All runs with their progress, and the form that asks for more."""
    user = require_coordinator(request.user)
    form = RunForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = actions.request_runs(form.cases(), form.cleaned_data["methods"], form.levels(), user)
            messages.success(request, f"{len(made)} runs are requested or done already.")
            return redirect("reconstructions:list")
        except actions.RunError as error:
            form.add_error(None, str(error))
    page = Paginator(runs(), PER_PAGE).get_page(request.GET.get("page"))
    context = {"form": form, "page": page, "titles": {m.key: m.title for m in METHODS.values()}, **_live()}
    return render(request, "reconstructions/list.html", context)


@login_required
@require_GET
def live(request: SignedInRequest) -> HttpResponse:
    """The fragment that follows the queue."""
    require_coordinator(request.user)
    return render(request, "reconstructions/_live.html", _live())


def _live() -> dict[str, object]:
    return {"queue": counts("reconstruct:"), "workers": workers()}


def run_for(request: SignedInRequest, pk: UUID) -> Run:
    """The run if the person may coordinate; everyone else learns nothing (404)."""
    require_coordinator(request.user)
    run = runs().filter(pk=pk).first()
    if run is None:
        raise Http404
    return run


@login_required
@require_GET
def detail(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """One run: what made it, its metrics per slice, its failures."""
    run = run_for(request, pk)
    rows = run.reconstructions.select_related("slice").order_by("slice__index")
    means = rows.exclude(pixels="").aggregate(Avg("psnr"), Avg("ssim"), Avg("nmse"), Avg("latency_ms"))
    context = {
        "run": run,
        "rows": rows,
        "means": means,
        "title": METHODS[run.method].title if run.method in METHODS else run.method,
    }
    return render(request, "reconstructions/detail.html", context)


@login_required
@require_POST
def retry(request: SignedInRequest, pk: UUID) -> HttpResponse:
    run = run_for(request, pk)
    made = actions.retry_run(run, request.user)
    messages.success(request, f"{made} jobs are queued." if made else "Nothing to try again: all is done or under way.")
    return redirect("reconstructions:detail", pk=pk)


@login_required
@require_POST
def cancel(request: SignedInRequest, pk: UUID) -> HttpResponse:
    run = run_for(request, pk)
    count = actions.cancel_run(run, request.user)
    messages.success(request, f"{count} jobs were called back." if count else "Nothing of this run is under way.")
    return redirect("reconstructions:detail", pk=pk)
