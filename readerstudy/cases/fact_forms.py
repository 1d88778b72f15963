"""The form of a case's facts; what it says is checked by ``facts.change_case``."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from readerstudy.cases.facts import AUTOMATIC, MEASURED, SPACINGS, TEXTS, WINDOW, windows
from readerstudy.cases.models import Case, Modality

PLANES = ("axial", "coronal", "sagittal", "oblique", "transverse", "longitudinal")
SAME = "same"


class FactsForm(forms.Form):
    """Modality, anatomy, plane, window and spacing of one case, and why they are corrected."""

    modality = forms.ChoiceField(choices=Modality.choices, label=_("Modality"))
    anatomy = forms.CharField(
        max_length=TEXTS["anatomy"],
        required=False,
        label=_("Anatomy"),
        widget=forms.TextInput(attrs={"list": "anatomies"}),
        help_text=_("Protocols choose slices by it."),
    )
    plane = forms.CharField(
        max_length=TEXTS["plane"], required=False, label=_("Plane"), widget=forms.TextInput(attrs={"list": "planes"})
    )
    window = forms.ChoiceField(
        choices=[(AUTOMATIC, _("Automatic, as an import sets it")), (SAME, _("The same for every slice"))],
        widget=forms.RadioSelect,
        label=_("Window"),
    )
    window_center = forms.FloatField(required=False, label=_("Centre"))
    window_width = forms.FloatField(required=False, label=_("Width"))
    row_spacing = forms.FloatField(required=False, label=_("Rows"))
    column_spacing = forms.FloatField(required=False, label=_("Columns"))
    slice_spacing = forms.FloatField(required=False, label=_("Slices"))
    reason = forms.CharField(
        max_length=400,
        label=_("Why"),
        widget=forms.TextInput(attrs={"placeholder": _("the header named another region")}),
        help_text=_("The audit keeps it with the old and the new values."),
    )

    def __init__(self, data: Any, *, case: Case, stays: bool) -> None:
        """``stays``: modality and spacing can't be changed any more."""
        shown = windows(case)
        same = shown == [[case.window_center, case.window_width]]
        initial = {name: _short(getattr(case, name)) for name in ("modality", *TEXTS, *SPACINGS, *WINDOW)}
        super().__init__(data, initial={**initial, "window": SAME if same else AUTOMATIC})
        for name in MEASURED:
            self.fields[name].disabled = stays

    def changes(self) -> dict[str, Any]:
        """What the person changed, as ``change_case`` takes it."""
        touched = set(self.changed_data)
        made = {name: self.cleaned_data[name] for name in ("modality", *TEXTS, *SPACINGS) if name in touched}
        if self.cleaned_data["window"] == SAME:
            if touched & {"window", *WINDOW}:
                made |= {name: self.cleaned_data[name] for name in WINDOW}
        elif "window" in touched:
            made[AUTOMATIC] = True
        return made


def _short(value: Any) -> Any:
    """A number in the digits that a person reads; left alone in the form, it is not changed in the case."""
    return float(f"{value:.6g}") if isinstance(value, float) else value
