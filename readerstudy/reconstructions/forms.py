"""Choose cases, methods and levels."""

from __future__ import annotations

from typing import Any

from django import forms

from inference.methods.register import METHODS
from inference.physics.levels import LEVELS, validate_level
from readerstudy.cases.models import Case, Modality


class RunForm(forms.Form):
    """Cases x methods at one level per modality."""

    modality = forms.ChoiceField(
        label="Cases", choices=[("", "All cases that are ready"), *Modality.choices], required=False
    )
    methods = forms.MultipleChoiceField(
        label="Methods", choices=[(m.key, m.title) for m in METHODS.values()],
        widget=forms.CheckboxSelectMultiple, initial=list(METHODS),
    )  # fmt: skip
    ct = forms.FloatField(label="CT: dose share", initial=LEVELS["CT"].default)
    mr = forms.FloatField(label="MR: acceleration", initial=LEVELS["MR"].default)
    us = forms.FloatField(label="Ultrasound: SNR (dB)", initial=LEVELS["US"].default)

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        for name, modality in (("ct", "CT"), ("mr", "MR"), ("us", "US")):
            if name in data:
                try:
                    validate_level(modality, data[name])
                except ValueError as error:
                    self.add_error(name, str(error))
        return data

    def levels(self) -> dict[str, float]:
        return {m: float(self.cleaned_data[m.lower()]) for m in ("CT", "MR", "US")}

    def cases(self) -> list[Case]:
        rows = Case.objects.filter(state=Case.State.READY).order_by("pseudonym")
        return list(rows.filter(modality=self.cleaned_data["modality"]) if self.cleaned_data["modality"] else rows)
