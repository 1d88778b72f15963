"""The form that brings files in."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _

from readerstudy.cases.models import Source
from readerstudy.cases.storing import KEEP

MAX_UPLOAD_BYTES = 200 * 1024 * 1024


class ManyFilesInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class ManyFilesField(forms.FileField):
    """Several uploaded files at once; cleans to a list."""

    widget = ManyFilesInput

    def clean(self, data: Any, initial: Any = None) -> Any:
        files = data if isinstance(data, list | tuple) else [data] if data else []
        return [super(ManyFilesField, self).clean(one, initial) for one in files] or super().clean(None, initial)


class UploadForm(forms.Form):
    """The source that allows the use of scans, a known one or a new one, and which facts beside pixels are kept."""

    source = forms.ModelChoiceField(
        Source.objects.order_by("name"), required=False, label=_("Source"), empty_label=_("A new source …")
    )
    name = forms.CharField(max_length=120, required=False, label=_("Name of the new source"))
    approval = forms.CharField(max_length=200, required=False, label=_("Ethics approval"))
    agreement = forms.CharField(max_length=200, required=False, label=_("Data-use agreement"))
    expires_on = forms.DateField(
        required=False,
        label=_("Agreement ends on"),
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text=_("Nothing is imported from this source after that day."),
    )
    licence = forms.CharField(max_length=200, required=False, label=_("Licence"))
    keep_patient = forms.BooleanField(
        required=False,
        initial=True,
        label=_("Age band and sex"),
        help_text=_("Age in bands of ten years, for tables of who was scanned."),
    )
    keep_device = forms.BooleanField(
        required=False,
        initial=True,
        label=_("Device"),
        help_text=_("Maker and model, to compare scanners."),
    )
    keep_acquisition = forms.BooleanField(
        required=False,
        initial=True,
        label=_("Acquisition"),
        help_text=_("Dose, kernel, sequence and the like, which say what “reference” means here."),
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        name = str(cleaned.get("name", "")).strip()
        if not cleaned.get("source") and not name:
            self.add_error("name", _("Choose a source, or give a new one a name."))
        elif cleaned.get("source") and name:
            self.add_error("name", _("Choose a source or name a new one, not both."))
        elif name and Source.objects.filter(name=name).exists():
            self.add_error("name", _("There is a source of this name: choose it from the list."))
        return cleaned

    def get_source(self) -> Source:
        """The chosen source, or the new one, which is not stored yet."""
        known: Source | None = self.cleaned_data["source"]
        if known:
            return known
        fields = ("name", "approval", "agreement", "expires_on", "licence")
        return Source(**{field: self.cleaned_data[field] for field in fields})

    def get_keep(self) -> frozenset[str]:
        """The facts that are kept, as ``import_cases`` names them."""
        return frozenset(part for part in KEEP if self.cleaned_data[f"keep_{part}"])


class ImportForm(UploadForm):
    """The same form as it is sent without a script: with DICOM files or one zip in it."""

    scans = ManyFilesField(label=_("DICOM files, or one zip"), allow_empty_file=True)

    def clean_scans(self) -> list[UploadedFile[Any]]:
        files: list[UploadedFile[Any]] = self.cleaned_data["scans"]
        if sum(file.size or 0 for file in files) > MAX_UPLOAD_BYTES:
            raise forms.ValidationError(
                _(
                    "These files are larger than 200 MB: allow scripts in this browser, "
                    "or import them with “manage.py import_cases”."
                )
            )
        if len(files) > 1 and any(is_zip(file) for file in files):
            raise forms.ValidationError(_("Send a zip by itself, without other files beside it."))
        return files


def is_zip(file: UploadedFile[Any]) -> bool:
    """Whether the first bytes are those of a zip; a name proves nothing."""
    file.seek(0)
    start = file.read(4)
    file.seek(0)
    return bool(start == b"PK\x03\x04")
