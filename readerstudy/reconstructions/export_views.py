"""Pages of data out and data in: request exports, download them, bring reconstructions of outside methods back."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.http import FileResponse, Http404, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from inference.physics.levels import LEVELS
from readerstudy.accounts.views import SignedInRequest
from readerstudy.cases.blinding import LookRefused
from readerstudy.cases.forms import MAX_UPLOAD_BYTES, is_zip
from readerstudy.cases.models import Case, Modality
from readerstudy.cases.queries import require_coordinator
from readerstudy.cases.scratch import scratch
from readerstudy.reconstructions import exports as verbs
from readerstudy.reconstructions.export_list import find_export, list_exports
from readerstudy.reconstructions.forms import parse_levels
from readerstudy.reconstructions.importing import ReturnRefused, import_reconstructions
from readerstudy.reconstructions.models import Run
from readerstudy.reconstructions.queries import method_title

INPUTS = "inputs"


class ExportForm(forms.Form):
    """Which cases at which levels, and whether their degraded inputs or what a method made of them."""

    what = forms.ChoiceField(label=_("What"))
    modality = forms.ChoiceField(choices=[("", _("All modalities")), *Modality.choices], required=False)
    cases = forms.CharField(
        max_length=4000, required=False, label=_("Cases"), help_text=_("Pseudonyms, with spaces; empty for all.")
    )
    ct = forms.CharField(label=_("CT: dose share"), max_length=120, required=False)
    mr = forms.CharField(label=_("MR: acceleration"), max_length=120, required=False)
    us = forms.CharField(label=_("Ultrasound: SNR in dB"), max_length=120, required=False)

    def __init__(self, data: Any = None) -> None:
        super().__init__(data, initial={m.lower(): f"{LEVELS[m].default:g}" for m in LEVELS})
        methods = Run.objects.order_by("method").values_list("method", flat=True).distinct()
        choices = [(INPUTS, _("Degraded inputs")), *((key, method_title(key)) for key in methods)]
        self.fields["what"].choices = choices  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        for modality in LEVELS:
            try:
                data[modality.lower()] = parse_levels(modality, str(data.get(modality.lower(), "")))
            except ValueError as error:
                self.add_error(modality.lower(), str(error))
        names = str(data.get("cases", "")).replace(",", " ").split()
        known = set(Case.objects.filter(pseudonym__in=names).values_list("pseudonym", flat=True))
        if missing := [name for name in names if name not in known]:
            self.add_error("cases", f"There is no case {missing[0]}: write pseudonyms as in the list of cases.")
        data["names"] = names
        return data

    def levels(self) -> dict[str, list[float]]:
        return {m: self.cleaned_data[m.lower()] for m in LEVELS}

    def chosen_cases(self) -> list[Case]:
        rows = Case.objects.select_related("patient").order_by("pseudonym")
        if self.cleaned_data["modality"]:
            rows = rows.filter(modality=self.cleaned_data["modality"])
        if self.cleaned_data["names"]:
            return list(rows.filter(pseudonym__in=self.cleaned_data["names"]))
        return list(rows.filter(state=Case.State.READY))

    def chosen_runs(self) -> list[Run]:
        cases, levels = self.chosen_cases(), self.levels()
        rows = Run.objects.filter(method=self.cleaned_data["what"], measurement__case__in=cases)
        return [
            run
            for run in rows.select_related("measurement__case").order_by("measurement__case__pseudonym", "created_at")
            if run.measurement.level is None or run.measurement.level in levels[run.measurement.case.modality]
        ]


class ReturnForm(forms.Form):
    """A zip of DICOM made elsewhere, and the method that made it."""

    results = forms.FileField(label=_("Zip of DICOM files"))
    method = forms.CharField(max_length=40, label=_("Key of the method"), help_text=_("For example our_unet."))
    version = forms.CharField(
        max_length=20, label=_("Version"), help_text=_("For example 1.2; a changed method gets a new one.")
    )
    name = forms.CharField(
        max_length=80, required=False, label=_("Name of the method"),
        help_text=_("Optional, kept with the runs; tables show the key."),
    )  # fmt: skip

    def clean_results(self) -> UploadedFile[Any]:
        file: UploadedFile[Any] = self.cleaned_data["results"]
        if (file.size or 0) > MAX_UPLOAD_BYTES:
            raise ValidationError(
                _("The zip is larger than 200 MB: import it with “manage.py import_reconstructions” instead.")
            )
        if not is_zip(file):
            raise ValidationError(_("This is not a zip: pack the DICOM files into one."))
        return file


@login_required
@require_http_methods(["GET", "POST"])
def exports(request: SignedInRequest) -> HttpResponse:
    """The latest exports, and the form that asks for one."""
    user = require_coordinator(request.user)
    form = ExportForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            if form.cleaned_data["what"] == INPUTS:
                verbs.request_inputs(form.chosen_cases(), form.levels(), user)
            else:
                verbs.request_reconstructions(form.chosen_runs(), user)
        except (verbs.ExportError, LookRefused) as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("The export is being made; it can be downloaded here when it is ready."))
            return redirect("reconstructions:exports")
    context = {"form": form, "exports": list_exports()}
    return render(request, "reconstructions/exports.html", context, status=400 if form.errors else 200)


@login_required
@require_GET
def download(request: SignedInRequest, pk: UUID) -> HttpResponseBase:
    user = require_coordinator(request.user)
    if find_export(pk) is None:
        raise Http404
    try:
        path = verbs.open_export(pk, user)
    except (verbs.ExportError, LookRefused) as error:
        messages.error(request, str(error))
        return redirect("reconstructions:exports")
    response = FileResponse(path.open("rb"), as_attachment=True, filename=f"export-{str(pk)[:8]}.zip")
    response["Cache-Control"] = "private, no-store"
    return response


@login_required
@require_POST
def retry(request: SignedInRequest, pk: UUID) -> HttpResponse:
    user = require_coordinator(request.user)
    if find_export(pk) is None:
        raise Http404
    count = verbs.retry_export(pk, user)
    messages.success(request, f"{count} jobs are queued again." if count else "Nothing of this export has failed.")
    return redirect("reconstructions:exports")


@login_required
@require_http_methods(["GET", "POST"])
def import_results(request: SignedInRequest) -> HttpResponse:
    """Bring the results of an outside method in; the page then says what became of every file."""
    user = require_coordinator(request.user)
    form, report = ReturnForm(request.POST or None, request.FILES or None), None
    if request.method == "POST" and form.is_valid():
        values = {name: form.cleaned_data[name].strip() for name in ("method", "version", "name")}
        try:
            with scratch() as root:
                path = root / "results.zip"
                with path.open("wb") as stream:
                    stream.writelines(form.cleaned_data["results"].chunks())
                report = import_reconstructions(path, by=user, **values)
        except ReturnRefused as error:
            form.add_error(None, str(error))
    return render(
        request, "reconstructions/import.html", {"form": form, "report": report}, status=400 if form.errors else 200
    )
