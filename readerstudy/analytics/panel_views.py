"""The builder of image panels: which slices and arms, the inset, the difference map; a page and its files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import numpy as np
from django import forms
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from inference.data.grid import from_stored
from readerstudy.accounts.views import SignedInRequest
from readerstudy.analytics import behind, images, panels
from readerstudy.analytics.definitions import definition
from readerstudy.analytics.figures import FORMATS
from readerstudy.analytics.inputs import Inputs, inputs_of
from readerstudy.analytics.models import Snapshot
from readerstudy.analytics.queries import unblinded_study
from readerstudy.analytics.readings import slice_name
from readerstudy.cases import store
from readerstudy.cases.store import PixelsMissing
from readerstudy.studies.models import Study, StudySlice

MOST_SLICES = 6
MOST_ARMS = 7
LEAST_INSET = 8


class PanelForm(forms.Form):
    """What the figure shows; sent by GET, so that its address is the figure."""

    slices = forms.MultipleChoiceField(label=_("Slices"), widget=forms.CheckboxSelectMultiple)
    arms = forms.MultipleChoiceField(label=_("Arms"), widget=forms.CheckboxSelectMultiple)
    difference = forms.BooleanField(label=_("Difference maps below the images"), required=False)
    scores = forms.BooleanField(label=_("Mean score below each image"), required=False)
    metrics = forms.BooleanField(label=_("PSNR and SSIM below each image"), required=False)
    inset = forms.BooleanField(label=_("Inset"), required=False)
    left = forms.FloatField(label=_("Inset from the left (%)"), min_value=0, max_value=95, initial=40, required=False)
    top = forms.FloatField(label=_("Inset from the top (%)"), min_value=0, max_value=95, initial=40, required=False)
    size = forms.FloatField(label=_("Size of the inset (%)"), min_value=4, max_value=60, initial=20, required=False)

    def __init__(self, *args: Any, slices: Sequence[tuple[str, str]], arms: Sequence[tuple[str, str]], **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._choose("slices", slices)
        self._choose("arms", arms)

    def _choose(self, name: str, offered: Sequence[tuple[str, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = list(offered)

    def clean_slices(self) -> list[str]:
        return self._at_most("slices", MOST_SLICES)

    def clean_arms(self) -> list[str]:
        return self._at_most("arms", MOST_ARMS)

    def _at_most(self, name: str, most: int) -> list[str]:
        chosen: list[str] = self.cleaned_data[name]
        if len(chosen) > most:
            raise forms.ValidationError(_("A page has room for %(most)d: choose fewer."), params={"most": most})
        return chosen


@login_required
@require_GET
@never_cache
def builder(request: SignedInRequest, study: UUID) -> HttpResponse:
    """The form with the figure beside it; without a choice, the median, best, worst and most disputed slices."""
    found, snapshot = unblinded_study(request.user, study)
    inputs = inputs_of(snapshot.statistics, snapshot.tables)
    offered = _offered(found, inputs)
    start = {"slices": offered["slices"][:3], "arms": [arm for arm, _title in _arms(found)][:MOST_ARMS]}
    form = PanelForm(request.GET or None, initial={**start, "scores": True}, slices=_slices(offered), arms=_arms(found))
    opened = images.opened(found, request.user)
    context = {
        "study": found,
        "form": form,
        "opened": opened,
        "here": request.get_full_path(),
        "kinds": list(FORMATS),
        "query": request.GET.urlencode() if form.is_bound and form.is_valid() else "",
    }
    return render(request, "analytics/panels.html", context, status=400 if form.errors else 200)


@login_required
@require_GET
def figure(request: SignedInRequest, study: UUID, kind: str) -> HttpResponse:
    """The figure that the builder's address describes."""
    found, snapshot = unblinded_study(request.user, study)
    inputs = inputs_of(snapshot.statistics, snapshot.tables)
    form = PanelForm(request.GET, slices=_slices(_offered(found, inputs)), arms=_arms(found))
    if kind not in FORMATS or not form.is_valid():
        return HttpResponse("Choose slices and arms on the builder's page.\n", content_type="text/plain", status=400)
    if not images.opened(found, request.user):
        return HttpResponse("Open the study's images first.\n", content_type="text/plain", status=409)
    try:
        rows = panel_rows(found, inputs, form.cleaned_data)
        content = panels.render(rows, kind, difference=form.cleaned_data["difference"], simulated=snapshot.simulated)
    except PixelsMissing as error:
        return HttpResponse(f"{error}\n", content_type="text/plain", status=503)
    response = HttpResponse(content, content_type=FORMATS[kind])
    if "download" in request.GET or kind == "pdf":
        response["Content-Disposition"] = f'attachment; filename="{_name(snapshot)}-panels.{kind}"'
    response["Cache-Control"] = "private, no-store"
    return response


def _name(snapshot: Snapshot) -> str:
    return f"study-{str(snapshot.study_id)[:8]}"


def _arms(study: Study) -> list[tuple[str, str]]:
    return [(arm.key, arm.title) for arm in study.arms.all() if arm.key != images.REFERENCE]


def _offered(study: Study, inputs: Inputs) -> dict[str, Any]:
    """The slices worth showing, with the reason: median, worst, best, most disputed; then all others."""
    found: dict[str, str] = {}
    for strip in behind.strips(definition("arms/any/opinion/mean_score"), behind.Scope(), inputs):
        for shown in strip.images[:3]:
            found.setdefault(shown.slice, strip.title.lower())
    for row in study.slices.order_by("position"):
        found.setdefault(slice_name(row), "")
    return {"slices": list(found), "why": found}


def _slices(offered: dict[str, Any]) -> list[tuple[str, str]]:
    return [(name, f"{name} ({why})" if why else name) for name, why in offered["why"].items()]


def panel_rows(study: Study, inputs: Inputs, chosen: dict[str, Any]) -> list[panels.Row]:
    """The rows of the figure from the store; raises ``PixelsMissing``."""
    names = images.titles(study)
    return [_row(images.slice_at(study, name), inputs, chosen, names) for name in chosen["slices"]]


def _row(row: StudySlice, inputs: Inputs, chosen: dict[str, Any], names: Any) -> panels.Row:
    case, name = row.slice.case, slice_name(row)
    captions = _captions(name, inputs, chosen)
    pictures = []
    for arm in [images.REFERENCE, *chosen["arms"]]:
        stored = store.get_slice(images.pixels_of(row, arm), case.rows, case.columns)
        values = from_stored(stored, case.slope, case.intercept)
        pictures.append(panels.Picture(names[arm], values, captions.get(arm, "")))
    down, across = case.pixel_spacing or (1.0, 1.0)
    return panels.Row(
        name, row.window_center, row.window_width, case.inverted, down / across, pictures,
        _inset(chosen, case.rows, case.columns) if chosen["inset"] else None,
    )  # fmt: skip


def _inset(chosen: dict[str, Any], rows: int, columns: int) -> tuple[int, int, int]:
    """Left, top and size in pixels, inside the image."""
    share = [chosen[name] if chosen[name] is not None else default for name, default in DEFAULTS.items()]
    size = max(LEAST_INSET, round(share[2] / 100 * min(rows, columns)))
    left = min(round(share[0] / 100 * columns), columns - size)
    top = min(round(share[1] / 100 * rows), rows - size)
    return max(0, left), max(0, top), min(size, rows, columns)


DEFAULTS = {"left": 40.0, "top": 40.0, "size": 20.0}


def _captions(name: str, inputs: Inputs, chosen: dict[str, Any]) -> dict[str, str]:
    words: dict[str, list[str]] = {}
    if chosen["scores"]:
        for arm, scores in images.scores_of(name, inputs).items():
            given = [float(score) for score in scores.values() if score.isdecimal()]
            if given:
                words.setdefault(arm, []).append(f"score {np.mean(given):.1f}")
    if chosen["metrics"]:
        for line in inputs.images:
            if line.slice == name and line.psnr is not None and line.ssim is not None:
                words.setdefault(line.arm, []).append(f"{line.psnr:.1f} dB, SSIM {line.ssim:.3f}")
    return {arm: "\n".join(parts) for arm, parts in words.items()}
