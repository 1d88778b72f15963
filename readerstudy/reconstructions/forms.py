"""Choose cases, methods with their settings, and levels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import Q, QuerySet
from django.http import QueryDict

from inference.methods.register import METHODS, MethodEntry, validate_settings, weights_sha256, weights_trouble
from inference.physics.levels import LEVELS, validate_level
from readerstudy.cases.models import Case, Modality, Source

MODALITIES = ("CT", "MR", "US")
LADDERS: dict[str, tuple[float, ...]] = {
    "CT": (1.0, 0.5, 0.25, 0.1), "MR": (2.0, 4.0, 6.0, 8.0), "US": (6.0, 0.0, -6.0, -12.0),
}  # fmt: skip
YES_NO = [("True", "on"), ("False", "off")]


@dataclass(frozen=True)
class MethodChoice:
    """One method in the form: its box, what its weights are or why it has none, its settings."""

    entry: MethodEntry
    chosen: bool
    weights: str
    trouble: str
    settings: list[forms.BoundField]
    preset: bool


class RunForm(forms.Form):
    """Cases x methods x levels; settings have a field each, named ``<method>.<setting>``, made from the register."""

    source = forms.ModelChoiceField(Source.objects.order_by("name"), required=False, empty_label="All sources")
    modality = forms.ChoiceField(choices=[("", "All modalities"), *Modality.choices], required=False)
    anatomy = forms.ChoiceField(required=False)
    search = forms.CharField(label="Search", max_length=60, required=False)
    which = forms.ChoiceField(
        choices=[("all", "All that match"), ("ticked", "Only those ticked")], initial="all", required=False,
        widget=forms.RadioSelect,
    )  # fmt: skip
    methods = forms.MultipleChoiceField(
        choices=[(m.key, m.title) for m in METHODS.values()],
        error_messages={"required": "Choose at least one method."},
    )  # fmt: skip
    ct = forms.CharField(label="CT: dose share", max_length=120, required=False)
    mr = forms.CharField(label="MR: acceleration", max_length=120, required=False)
    us = forms.CharField(label="Ultrasound: SNR in dB", max_length=120, required=False)

    def __init__(self, data: QueryDict | None = None) -> None:
        levels = {m.lower(): f"{LEVELS[m].default:g}" for m in MODALITIES}
        usable = [] if data else [key for key in METHODS if not weights_trouble(key)]
        super().__init__(data, initial=levels | {"methods": usable})
        # Read once, and only by a form that is shown or filtered by it.
        self.fields["anatomy"].choices = cache(_anatomies)  # type: ignore[attr-defined]
        for entry in METHODS.values():
            for name in entry.settings:
                self.fields[f"{entry.key}.{name}"] = _setting_field(entry, name)

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        for modality in MODALITIES:
            try:
                data[modality.lower()] = parse_levels(modality, str(data.get(modality.lower(), "")))
            except ValueError as error:
                self.add_error(modality.lower(), str(error))
        for trouble in filter(None, map(weights_trouble, data.get("methods", []))):
            self.add_error("methods", trouble)
        for entry in METHODS.values():
            try:
                validate_settings(entry.key, self._given(entry, data))
            except ValueError as error:
                self.add_error("methods", str(error))
        return data

    def levels(self) -> dict[str, list[float]]:
        return {m: self.cleaned_data[m.lower()] for m in MODALITIES}

    def settings(self) -> dict[str, dict[str, Any]]:
        """Settings of the chosen methods, by method."""
        return {key: self._given(METHODS[key], self.cleaned_data) for key in self.cleaned_data["methods"]}

    def matching(self) -> QuerySet[Case]:
        """Ready cases that pass the filters; a filter that makes no sense lets everything pass."""
        values = self._filters()
        rows = Case.objects.filter(state=Case.State.READY).order_by("pseudonym")
        if values["source"]:
            rows = rows.filter(source=values["source"])
        for name in ("modality", "anatomy"):
            if values[name]:
                rows = rows.filter(**{name: values[name]})
        if words := values["search"]:
            rows = rows.filter(Q(pseudonym__icontains=words) | Q(patient__pseudonym__icontains=words))
        return rows

    def ticked(self) -> set[UUID]:
        """The ids of the ticked cases; a word that is no id counts for nothing."""
        values = self.data.getlist("case") if isinstance(self.data, QueryDict) else []
        return {key for value in values if (key := _uuid(value))}

    def cases(self) -> QuerySet[Case]:
        """The chosen cases: all that match, or those ticked (also where the filters hide them now)."""
        if self._value("which") == "ticked":
            return Case.objects.filter(state=Case.State.READY, pk__in=self.ticked()).order_by("pseudonym")
        return self.matching()

    def choices(self) -> Iterator[MethodChoice]:
        """The methods as the page shows them."""
        chosen = self["methods"].value() or []
        for entry in METHODS.values():
            fields = [self[f"{entry.key}.{name}"] for name in entry.settings]
            preset = any(f"{entry.key}.{name}" in self.initial for name in entry.settings)
            trouble = weights_trouble(entry.key)
            weights = "" if trouble else weights_sha256(entry.key)
            yield MethodChoice(entry, entry.key in chosen, weights, trouble, fields, preset)

    def _value(self, name: str) -> str:
        return str(self[name].value() or "")

    def _filters(self) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name in ("source", "modality", "anatomy", "search"):
            try:
                values[name] = self.fields[name].clean(self._value(name))
            except forms.ValidationError:
                values[name] = None
        return values

    def _given(self, entry: MethodEntry, data: dict[str, Any]) -> dict[str, Any]:
        """What was filled in; an empty field leaves the register's value."""
        given = {}
        for name, default in entry.settings.items():
            value = data.get(f"{entry.key}.{name}")
            if value in ("", None):
                continue
            given[name] = value == "True" if isinstance(default, bool) else value
        return given


def opened_by(address: QueryDict) -> tuple[RunForm, list[str]]:
    """A form filled in by an address, and a sentence for every value there that makes no sense and is left out."""
    form, left_out = RunForm(), []
    for name in (name for name in form.fields if name in address and name not in ("methods", "which")):
        try:
            text = str(form.fields[name].clean(address[name]) and address[name])
            if name.upper() in MODALITIES:
                parse_levels(name.upper(), text)
        except (forms.ValidationError, ValueError) as error:
            reason = error.messages[0] if isinstance(error, forms.ValidationError) else str(error)
            left_out.append(f"The address fills in “{form[name].label}” with what can't be: {reason}")
        else:
            form.initial[name] = text
    asked = list(dict.fromkeys(address.getlist("methods")))
    if asked:
        form.initial["methods"] = [key for key in asked if key in METHODS]
    left_out += [
        f"“{key[:40]}” is no method of this program: choose others here, or import what it made elsewhere."
        for key in asked if key not in METHODS
    ]  # fmt: skip
    return form, left_out


def parse_levels(modality: str, text: str) -> list[float]:
    """Levels written with spaces or commas between; ``ValueError`` with one sentence where one can't be."""
    levels = []
    for word in text.replace(",", " ").split():
        try:
            number = float(word)
        except ValueError:
            example = f"{LEVELS[modality].default:g}"
            raise ValueError(f"Write levels of {modality} as numbers, for example {example}, not {word!r}.") from None
        levels.append(validate_level(modality, number))
    return list(dict.fromkeys(levels))


def ladder() -> dict[str, str]:
    """The dose ladder as the form writes it."""
    return {m.lower(): ", ".join(f"{level:g}" for level in LADDERS[m]) for m in MODALITIES}


def _anatomies() -> list[tuple[str, str]]:
    found = Case.objects.exclude(anatomy="").order_by("anatomy").values_list("anatomy", flat=True).distinct()
    return [("", "All anatomies"), *((anatomy, anatomy) for anatomy in found)]


def _setting_field(entry: MethodEntry, name: str) -> forms.Field:
    default, limit = entry.settings[name], entry.limits.get(name)
    about: dict[str, Any] = {"label": name.replace("_", " ").capitalize(), "required": False, "initial": default}
    if isinstance(default, bool):
        return forms.ChoiceField(choices=YES_NO, **{**about, "initial": str(default)})
    if isinstance(limit, list):
        return forms.ChoiceField(choices=[(word, word) for word in limit], **about)
    low, high = limit if isinstance(limit, tuple) else (None, None)
    if isinstance(default, int):
        whole: dict[str, Any] = {
            "min_value": None if low is None else int(low),
            "max_value": None if high is None else int(high),
        }
        return forms.IntegerField(**whole, **about)
    if isinstance(default, float):
        any_step = forms.NumberInput(attrs={"step": "any"})
        return forms.FloatField(min_value=low, max_value=high, widget=any_step, **about)
    return forms.CharField(max_length=60, **about)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
