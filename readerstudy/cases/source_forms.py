"""The form of a source; what it says is checked by the verbs of ``sources``."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from readerstudy.cases.sources import LONGEST


class SourceForm(forms.Form):
    """Name, approval, agreement and its end, licence."""

    name = forms.CharField(max_length=LONGEST["name"], label=_("Name"), help_text=_("Protocols choose cases by it."))
    approval = forms.CharField(max_length=LONGEST["approval"], required=False, label=_("Ethics approval"))
    agreement = forms.CharField(max_length=LONGEST["agreement"], required=False, label=_("Data-use agreement"))
    expires_on = forms.DateField(
        required=False,
        label=_("Agreement ends on"),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text=_("Nothing is imported from this source after that day."),
    )
    licence = forms.CharField(max_length=LONGEST["licence"], required=False, label=_("Licence"))
