"""Behind the numbers: what one is, its n, the images behind it, and any slice with all arms in one window."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from readerstudy.accounts.views import SignedInRequest
from readerstudy.analytics import behind, images
from readerstudy.analytics.definitions import UNKNOWN, Definition, definition
from readerstudy.analytics.filters import FilterError, part_of
from readerstudy.analytics.inputs import Inputs, inputs_of
from readerstudy.analytics.lines import CANNOT_JUDGE
from readerstudy.analytics.queries import unblinded_study
from readerstudy.analytics.wording import Printed, estimate, number
from readerstudy.cases import store
from readerstudy.cases.store import PixelsMissing
from readerstudy.studies.models import Study

LONGEST_PATH = 200
UNSCORED = {CANNOT_JUDGE: "cannot judge", "": "not read"}


@login_required
@require_GET
@never_cache
def number_behind(request: SignedInRequest, study: UUID) -> HttpResponse:
    """One number: its definition, its n, and the images behind it."""
    found, snapshot = unblinded_study(request.user, study)
    try:
        part = part_of(snapshot, request.GET, request.user)
    except FilterError as error:
        return render(request, "error.html", {"title": "No such part", "sentence": str(error)}, status=400)
    document = part.document
    path = request.GET.get("of", "")[:LONGEST_PATH].split("/")
    what, value = definition("/".join(path)), value_at(document, path)
    if what is UNKNOWN or value is None:
        raise Http404
    scope = behind.scope_of(path, document)
    context = {
        "study": found,
        "definition": what,
        "printed": printed(value, what),
        "facts": facts_of(value, document, path),
        "scope": [images.titles(found).get(arm, arm) for arm in scope.arms],
        "chosen": part.chosen,
        "opened": images.opened(found, request.user),
        "strips": behind.strips(what, scope, part.inputs),
        "titles": images.titles(found),
        "here": request.get_full_path(),
    }
    return render(request, "analytics/number.html", context)


@login_required
@require_POST
def open_images(request: SignedInRequest, study: UUID) -> HttpResponse:
    """Record the looks, then go back to where the images are."""
    found, _ = unblinded_study(request.user, study)
    images.open_images(found, request.user)
    back = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(back, allowed_hosts=None):
        back = reverse("analytics:results", args=[study])
    return redirect(back)


@login_required
@require_GET
@never_cache
def slice_view(request: SignedInRequest, study: UUID, name: str) -> HttpResponse:
    """One slice: the reference and all arms in one window, and what every reader scored."""
    found, snapshot = unblinded_study(request.user, study)
    row = images.slice_at(found, name)
    inputs = inputs_of(snapshot.statistics, snapshot.tables)
    opened = images.opened(found, request.user)
    count = found.slices.count()
    context = {
        "study": found,
        "name": name,
        "case": row.slice.case,
        "opened": opened,
        "here": request.get_full_path(),
        "before": f"S{row.position - 1:03d}" if row.position > 1 else "",
        "after": f"S{row.position + 1:03d}" if row.position < count else "",
        "readers": inputs.facts.readers,
        "rows": _score_rows(name, inputs),
        "marks": [mark for mark in inputs.marks if mark.slice == name],
        "titles": images.titles(found),
    }
    if opened:
        data = images.slice_data(found, row, inputs)
        context |= {"data": data, "panes": data["slices"][0]["panes"]}
    return render(request, "analytics/slice.html", context)


@login_required
@require_GET
def thumbnail(request: SignedInRequest, study: UUID, name: str, arm: str) -> HttpResponse:
    found, _ = unblinded_study(request.user, study)
    row = images.slice_at(found, name)
    return _image(request, found, lambda: images.thumbnail(row, arm), "image/png")


@login_required
@require_GET
def pixels(request: SignedInRequest, study: UUID, name: str, arm: str) -> HttpResponse:
    """What an arm (or the reference) shows of a slice, as raw little-endian uint16."""
    found, _ = unblinded_study(request.user, study)
    row = images.slice_at(found, name)
    return _image(request, found, lambda: store.get(images.pixels_of(row, arm)), "application/octet-stream")


def _image(request: SignedInRequest, study: Study, read: Any, kind: str) -> HttpResponse:
    if not images.opened(study, request.user):
        return HttpResponse("Open the study's images first.\n", content_type="text/plain", status=409)
    try:
        response = HttpResponse(read(), content_type=kind)
    except PixelsMissing as error:
        return HttpResponse(f"{error}\n", content_type="text/plain", status=503)
    response["Cache-Control"] = "private, no-store"
    return response


def value_at(document: Any, path: list[str]) -> Any:
    """What stands at a path of the document; nothing where there is none."""
    for key in path:
        if isinstance(document, list):
            document = document[int(key)] if key.isdecimal() and int(key) < len(document) else None
        elif isinstance(document, Mapping):
            document = document.get(key)
        else:
            return None
    return document


def printed(value: Any, what: Definition) -> Printed:
    if isinstance(value, Mapping) and "value" in value:
        return estimate(value, what.digits, what.scale)
    if isinstance(value, Mapping):
        # Tests without a value of their own are known by their p.
        inner = next((value[name] for name in ("p_adjusted", "p_bonferroni", "p_holm", "p") if name in value), None)
        return number(inner, what.digits)
    return number(value * what.scale if isinstance(value, int | float) else value, what.digits)


def facts_of(value: Any, document: Mapping[str, Any], path: list[str]) -> list[tuple[str, str]]:
    """The n of a number, and whatever else stands beside it."""
    found: list[tuple[str, str]] = []
    block = next(
        (
            candidate
            for end in range(len(path), 0, -1)
            if isinstance(candidate := value_at(document, path[:end]), Mapping) and "n_scores" in candidate
        ),
        None,
    )
    if block is not None:
        counted = {name: block.get(f"n_{name}") for name in ("slices", "readers", "scores")}
        found += [(name, str(n)) for name, n in counted.items() if n is not None]
    if isinstance(value, Mapping):
        words = {
            "n": "n", "n_patients": "patients", "n_images": "images", "n_repeats": "repeats", "images": "images",
            "marks": "marks", "df": "degrees of freedom", "p": "p", "p_adjusted": "p, corrected",
            "standard_error": "standard error", "sd": "SD", "p95": "95th percentile",
        }  # fmt: skip
        found += [
            (title, f"{value[name]:.4g}" if isinstance(value[name], float) else str(value[name]))
            for name, title in words.items()
            if isinstance(value.get(name), int | float)
        ]
    return found


def _score_rows(name: str, inputs: Inputs) -> list[tuple[str, list[str], str]]:
    """Arm, the readers' scores in their order, and the mean."""
    given = images.scores_of(name, inputs)
    rows = []
    for arm in inputs.facts.arms:
        scores = given.get(arm.key, {})
        known = [float(score) for score in scores.values() if score.isdecimal()]
        mean = f"{sum(known) / len(known):.2f}" if known else "–"
        words = [UNSCORED.get(score, score) for score in (scores.get(reader, "") for reader in inputs.facts.readers)]
        rows.append((arm.title, words, mean))
    return rows
