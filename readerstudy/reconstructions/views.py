"""The coordinator's runs: ask for them, watch them, try failures again, hold methods against each other."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Avg, Count
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from inference.methods.register import METHODS
from readerstudy.accounts.views import SignedInRequest
from readerstudy.cases import store
from readerstudy.cases.models import Case, Modality, Slice
from readerstudy.cases.queries import case_for, require_coordinator
from readerstudy.jobs.queries import RATE_WINDOW, counts, workers
from readerstudy.reconstructions import actions, comparison, estimates, queries
from readerstudy.reconstructions.forms import RunForm, ladder, opened_by
from readerstudy.reconstructions.models import Reconstruction
from readerstudy.reconstructions.uncertainty import samples_of

RUNS_PER_PAGE = 50
CASES_PER_PAGE = 40
MOST_RUNS = 2000
TOO_MANY = f"These are more than {MOST_RUNS:,} runs: choose fewer cases, methods or levels at a time."
COMPARED = "reconstructions.compared"
SHOWN_REFUSALS = 5


@login_required
@require_GET
def run_list(request: SignedInRequest) -> HttpResponse:
    """All runs with their progress, filtered by method, modality, level and state."""
    require_coordinator(request.user)
    levels = [
        (comparison.level_word(level), queries.level_title(level, modality))
        for modality, level in queries.known_levels()
    ]
    context = {
        **_page(request),
        **_live(),
        "methods": [(m.key, m.title) for m in METHODS.values()],
        "modalities": Modality.choices,
        "levels": list(dict(levels).items()),
        "states": queries.STATES.items(),
    }
    return render(request, "reconstructions/list.html", context)


@login_required
@require_GET
def run_rows(request: SignedInRequest) -> HttpResponse:
    """The fragment with the rows of one page of runs."""
    require_coordinator(request.user)
    return render(request, "reconstructions/_rows.html", _page(request))


@login_required
@require_GET
def live(request: SignedInRequest) -> HttpResponse:
    """The fragment that follows the queue."""
    require_coordinator(request.user)
    return render(request, "reconstructions/_live.html", _live())


def _page(request: SignedInRequest) -> dict[str, Any]:
    chosen = {name: request.GET.get(name, "") for name in ("method", "modality", "level", "state")}
    keys = queries.runs(**chosen).values_list("pk", flat=True)
    page = Paginator(keys, RUNS_PER_PAGE).get_page(request.GET.get("page"))
    rows = queries.run_rows(queries.runs().filter(pk__in=list(page.object_list)))
    return {
        "page": page, "rows": rows, "chosen": chosen, "query": urlencode({k: v for k, v in chosen.items() if v}),
        "open": any(row.state == "open" for row in rows),
    }  # fmt: skip


def _live() -> dict[str, object]:
    queue = counts(queries.JOBS)
    return {
        "queue": queue,
        "per_minute": None if queue.rate is None else 60 * queue.rate,
        "minutes": round(RATE_WINDOW.total_seconds() / 60),
        "workers": workers(),
    }


@login_required
@require_http_methods(["GET", "POST"])
def new(request: SignedInRequest) -> HttpResponse:
    """Choose cases, methods and levels; see what they cost; start. ``do`` is ``start`` or ``ladder``.

    An address fills the form in beforehand, for example ``?methods=restormer&modality=CT&ct=0.25``.
    """
    user = require_coordinator(request.user)
    data = request.POST.copy() if request.method == "POST" else None
    if data is not None and data.get("do") == "ladder":
        for name, value in ladder().items():
            data[name] = value
        data.setlist("methods", list(METHODS))
    form, left_out = opened_by(request.GET) if data is None else (RunForm(data), [])
    if data is not None and data.get("do") == "start" and form.is_valid() and form.cleaned_data:
        try:
            made = _start(form, user)
        except actions.RunError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"{made} runs are requested or done already.")
            return redirect("reconstructions:list")
    context = {**_cases(form, data), **_estimate(form), "form": form, "left_out": left_out}
    return render(request, "reconstructions/new.html", context)


@login_required
@require_POST
def new_cases(request: SignedInRequest) -> HttpResponse:
    """The fragment with the cases that match."""
    require_coordinator(request.user)
    return render(request, "reconstructions/_cases.html", _cases(RunForm(request.POST), request.POST))


@login_required
@require_POST
def new_estimate(request: SignedInRequest) -> HttpResponse:
    """The fragment that says what the choices would make and how long it takes."""
    require_coordinator(request.user)
    return render(request, "reconstructions/_estimate.html", _estimate(RunForm(request.POST)))


def _start(form: RunForm, user: Any) -> int:
    estimate = _estimated(form)
    if not estimate.cases:
        raise actions.RunError("Choose at least one case that is ready.")
    if estimate.runs > MOST_RUNS:
        raise actions.RunError(TOO_MANY)
    cases = form.cases()
    methods = form.cleaned_data["methods"]
    made = actions.request_runs(cases, methods, form.levels(), user, settings=form.settings(), leave_out=True)
    if not made:
        raise actions.RunError(actions.plan_runs(cases, methods, form.levels())[1][0])
    return len(made)


def _cases(form: RunForm, data: QueryDict | None) -> dict[str, Any]:
    """One page of the matching cases; ticks on other pages are kept as hidden fields."""
    page = Paginator(form.matching().select_related("source"), CASES_PER_PAGE).get_page(
        data.get("page") if data else None
    )
    listed = list(page.object_list)
    slices = dict(Slice.objects.filter(case__in=listed).order_by().values_list("case").annotate(n=Count("pk")))
    ticked = form.ticked()
    return {
        "cases": page,
        "case_rows": [(case, slices.get(case.pk, 0), case.pk in ticked) for case in listed],
        "elsewhere": sorted(ticked - {case.pk for case in listed}),
    }


def _estimate(form: RunForm) -> dict[str, Any]:
    """What the choices would make; sentences instead where they can't be."""
    if not form.is_bound:
        form = RunForm(_defaults(form))
    if not form.is_valid():
        return {"problems": [error for errors in form.errors.values() for error in errors]}
    try:
        estimate = _estimated(form)
        if estimate.runs > MOST_RUNS:
            return {"estimate": estimate, "problems": [TOO_MANY]}
        wanted, refused = actions.plan_runs(form.cases(), form.cleaned_data["methods"], form.levels())
    except actions.RunError as error:
        return {"problems": [str(error)]}
    hours, rest = divmod(round(estimate.seconds), 3600)
    return {
        "estimate": estimate, "wanted": len(wanted), "refused": refused[:SHOWN_REFUSALS],
        "more_refused": max(0, len(refused) - SHOWN_REFUSALS), "hours": hours, "minutes": rest // 60,
        "seconds": rest % 60,
    }  # fmt: skip


def _defaults(form: RunForm) -> QueryDict:
    """An untouched form as if it had been sent."""
    data = QueryDict(mutable=True)
    for name in form.fields:
        value = form[name].value()
        data.setlist(name, value if isinstance(value, list) else ["" if value is None else str(value)])
    return data


def _estimated(form: RunForm) -> estimates.Estimate:
    return estimates.estimate_runs(form.cases(), form.cleaned_data["methods"], form.levels(), form.settings())


@login_required
@require_GET
def detail(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """One run: what made it, its metrics per slice, its failures."""
    run = queries.run_for(request.user, pk)
    rows = run.reconstructions.select_related("slice").order_by("slice__index")
    means = rows.exclude(pixels="").aggregate(Avg("psnr"), Avg("ssim"), Avg("nmse"), Avg("latency_ms"))
    context = {"run": run, "row": queries.run_rows([run])[0], "rows": rows, "means": means}
    context["level"] = queries.level_title(run.measurement.level, run.measurement.case.modality)
    context |= {"maps": rows.exclude(uncertainty="").count(), "samples": samples_of(run)}
    return render(request, "reconstructions/detail.html", context)


@login_required
@require_POST
def retry(request: SignedInRequest, pk: UUID) -> HttpResponse:
    run = queries.run_for(request.user, pk)
    made = actions.retry_run(run, request.user)
    messages.success(request, f"{made} jobs are queued." if made else "Nothing to try again: all is done or under way.")
    return _back(request, pk)


@login_required
@require_POST
def cancel(request: SignedInRequest, pk: UUID) -> HttpResponse:
    run = queries.run_for(request.user, pk)
    count = actions.cancel_run(run, request.user)
    messages.success(request, f"{count} jobs were called back." if count else "Nothing of this run is under way.")
    return _back(request, pk)


@login_required
@require_POST
def retry_failed(request: SignedInRequest) -> HttpResponse:
    made = actions.retry_failed(require_coordinator(request.user))
    messages.success(request, f"{made} runs are tried again." if made else "No run has failed.")
    return redirect("reconstructions:list")


def _back(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """To the list with its filters where the button stood there, else to the run."""
    if "query" in request.POST:
        return redirect(f"{reverse('reconstructions:list')}?{QueryDict(request.POST['query']).urlencode()}")
    return redirect("reconstructions:detail", pk=pk)


@login_required
@require_GET
def metrics(request: SignedInRequest) -> HttpResponse:
    """The table of methods x levels x modalities; ``row`` also lists that row's worst and median slices."""
    require_coordinator(request.user)
    modality, sort = request.GET.get("modality", ""), request.GET.get("sort", "")
    by = request.GET.get("by", "ssim")
    by = by if by in comparison.METRICS else "ssim"
    table = comparison.metrics_table(modality, sort)
    row = next((one for one in table if one.key == request.GET.get("row")), None)
    worst, middle = comparison.extreme_slices(row, by) if row else ([], [])
    devices = comparison.devices(table)
    context = {
        "table": [(one, [one.latency.get(device) for device in devices]) for one in table], "devices": devices,
        "modality": modality, "modalities": Modality.choices, "sort": sort, "row": row, "worst": worst,
        "middle": middle, "by": by, "measures": comparison.METRICS, "columns": _columns(devices, modality, sort),
    }  # fmt: skip
    return render(request, "reconstructions/metrics.html", context)


def _columns(devices: list[str], modality: str, sort: str) -> list[dict[str, Any]]:
    """Heads of the table, each with the address that sorts by it (again: the other way round)."""
    names = [
        ("title", "Method"), ("modality", "Modality"), ("level", "Level"), ("psnr", "PSNR (dB)"), ("ssim", "SSIM"),
        ("nmse", "NMSE"), *((f"latency:{device}", f"Median ms, {device}") for device in devices),
        ("slices", "Slices"), ("patients", "Patients"),
    ]  # fmt: skip
    columns = []
    for key, title in names:
        rises, falls = sort == key, sort == f"-{key}"
        after = f"-{key}" if rises or (not falls and key in ("psnr", "ssim")) else key
        columns.append({
            "title": title, "number": key not in ("title", "modality", "level"),
            "sorted": "ascending" if rises else "descending" if falls else "",
            "query": urlencode({"sort": after, **({"modality": modality} if modality else {})}),
        })  # fmt: skip
    return columns


@login_required
@require_GET
@never_cache
def compare(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """One case with all methods side by side; before it is opened, what opening means."""
    case = case_for(request.user, pk)
    runs = comparison.runs_of_case(case)
    context: dict[str, Any] = {"case": case, "opened": _opened(request, case), "query": request.GET.urlencode()}
    if context["opened"]:
        chosen = comparison.choose_runs(runs, request.GET.getlist("run"), request.GET.get("level", ""))
        levels = {comparison.level_word(run.measurement.level): run.measurement.level for run in runs}
        context |= {
            "data": comparison.side_by_side(case, chosen) | {"at": _slice_number(request)},
            "runs": [(run, comparison.caption(run, case.modality), run in chosen) for run in runs],
            "levels": [(word, queries.level_title(level, case.modality)) for word, level in levels.items()],
            "panes": range(len(chosen) + 1), "slice_number": _slice_number(request), "most": comparison.MOST_PANES - 1,
            "cut": len(set(request.GET.getlist("run"))) > len(chosen),
        }  # fmt: skip
    return render(request, "reconstructions/compare.html", context)


def _slice_number(request: SignedInRequest) -> int:
    """The slice in the address, counted from 1 as on every page."""
    text = request.GET.get("slice", "1")
    return max(1, int(text)) if text.isdecimal() and len(text) < 7 else 1


@login_required
@require_POST
def open_comparison(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """The look is recorded and audited here, before any pixel is sent."""
    case = case_for(request.user, pk)
    actions.open_comparison(case, request.user)
    request.session[COMPARED] = [*request.session.get(COMPARED, []), str(case.pk)][-500:]
    query = QueryDict(request.POST.get("query", "")).urlencode()
    return redirect(f"{reverse('reconstructions:compare', args=[case.pk])}{'?' if query else ''}{query}")


def _opened(request: SignedInRequest, case: Case) -> bool:
    """Whether the person has opened this comparison since they signed in."""
    return str(case.pk) in request.session.get(COMPARED, [])


@login_required
@require_GET
def pixels(request: SignedInRequest, pk: int) -> HttpResponse:
    """One reconstructed slice as raw little-endian uint16."""
    return _kept(request, pk, "pixels")


@login_required
@require_GET
def uncertainty(request: SignedInRequest, pk: int) -> HttpResponse:
    """The SD map of one reconstructed slice as raw little-endian uint16; the page states its scale."""
    return _kept(request, pk, "uncertainty")


def _kept(request: SignedInRequest, pk: int, column: str) -> HttpResponse:
    """What the column of a reconstruction names in the pixel store; 404 where it names nothing."""
    require_coordinator(request.user)
    row = Reconstruction.objects.select_related("slice__case").exclude(**{column: ""}).filter(pk=pk).first()
    if row is None:
        raise Http404
    return _raw(request, row.slice.case, getattr(row, column))


@login_required
@require_GET
def reference_pixels(request: SignedInRequest, pk: int) -> HttpResponse:
    """One slice of a case as it was acquired, as raw little-endian uint16."""
    require_coordinator(request.user)
    row = Slice.objects.select_related("case").filter(pk=pk).first()
    if row is None:
        raise Http404
    return _raw(request, row.case, row.pixels)


def _raw(request: SignedInRequest, case: Case, name: str) -> HttpResponse:
    if not _opened(request, case):
        return HttpResponse("Open the comparison of this case first.\n", content_type="text/plain", status=409)
    try:
        response = HttpResponse(store.get(name), content_type="application/octet-stream")
    except store.PixelsMissing as error:
        return HttpResponse(f"{error}\n", content_type="text/plain", status=503)
    response["Cache-Control"] = "private, no-store"
    return response
