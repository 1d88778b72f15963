"""What an analyst fills in for a deposit: the people, the terms and what the data belong to."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, URLValidator
from django.utils import timezone

from readerstudy.analytics.deposit import (
    DOI,
    LICENCES,
    Creator,
    Deposit,
    Licence,
    Related,
    is_orcid,
    known_licence,
)

OWN = "own"
MOST_CREATORS = 60
LICENCE_CHOICES = [*((spdx, f"{spdx} – {title}") for spdx, (title, _) in LICENCES.items()), (OWN, "Terms of your own")]
RELATIONS = {"paper": "IsSupplementTo", "registration": "IsDocumentedBy", "further": "References"}


class CreatorForm(forms.Form):
    """One row; a row left empty is left out."""

    family = forms.CharField(max_length=120, required=False, label="Family name", help_text="Or an organisation.")
    given = forms.CharField(max_length=120, required=False, label="Given name")
    orcid = forms.CharField(
        max_length=60, required=False, label="ORCID iD",
        widget=forms.TextInput(attrs={"placeholder": "0000-0000-0000-0000"}),
    )  # fmt: skip
    affiliation = forms.CharField(max_length=200, required=False, label="Affiliation")

    def clean_orcid(self) -> str:
        text = re.sub(r"^https?://orcid\.org/", "", self.cleaned_data["orcid"].strip()).upper()
        if text and not is_orcid(text):
            raise ValidationError("This is no ORCID iD: write its 16 digits as 0000-0000-0000-0000 and check the last.")
        return text

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if any(data.values()) and not data.get("family"):
            self.add_error("family", "Write a family name, or the name of an organisation.")
        if data.get("orcid") and not data.get("given"):
            self.add_error("given", "An ORCID iD belongs to a person: write the given name too.")
        return data


class BaseCreators(forms.BaseFormSet):  # type: ignore[type-arg]
    def clean(self) -> None:
        if not any(row.errors for row in self.forms) and not creators_of(self):
            raise ValidationError("Name at least one person or organisation.")


def creators_of(rows: forms.BaseFormSet[CreatorForm]) -> tuple[Creator, ...]:
    """The rows that were filled in, each without errors."""
    filled = [row.cleaned_data for row in rows.forms]
    return tuple(Creator(**data) for data in filled if data.get("family"))


CreatorSet = forms.formset_factory(
    CreatorForm, formset=BaseCreators, extra=0, max_num=MOST_CREATORS, absolute_max=MOST_CREATORS, validate_max=True
)


class DepositForm(forms.Form):
    """Everything about the data but the people."""

    title = forms.CharField(max_length=300)
    description = forms.CharField(
        max_length=5000, help_text="What was read, by whom and why; repositories show it as the abstract.",
        widget=forms.Textarea(attrs={"rows": 5}),
    )  # fmt: skip
    publisher = forms.CharField(max_length=200, help_text="The repository, for example Zenodo.")
    year = forms.IntegerField()
    keywords = forms.CharField(max_length=500, required=False, help_text="With commas between them.")
    licence = forms.ChoiceField(choices=LICENCE_CHOICES, widget=forms.RadioSelect)
    own_title = forms.CharField(max_length=200, required=False, label="Name of your own terms")
    own_text = forms.CharField(
        max_length=50000, required=False, label="Text of your own terms", widget=forms.Textarea(attrs={"rows": 4})
    )
    paper = forms.CharField(max_length=300, required=False, help_text="DOI or address of the article.")
    registration = forms.CharField(
        max_length=300, required=False, help_text="DOI or address of the registration of the study."
    )
    further = forms.CharField(
        max_length=3000, required=False, label="Further DOIs or addresses", help_text="One a line.",
        widget=forms.Textarea(attrs={"rows": 3}),
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        year = self.fields["year"]
        year.validators = [MinValueValidator(1900), MaxValueValidator(timezone.now().year + 1)]

    def clean_keywords(self) -> tuple[str, ...]:
        words = (word.strip() for word in re.split(r"[,;\n]", self.cleaned_data["keywords"]))
        return tuple(dict.fromkeys(word for word in words if word))

    def clean_paper(self) -> str:
        return identifier(self.cleaned_data["paper"])

    def clean_registration(self) -> str:
        return identifier(self.cleaned_data["registration"])

    def clean_further(self) -> tuple[str, ...]:
        return tuple(identifier(line) for line in self.cleaned_data["further"].splitlines() if line.strip())

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if data.get("licence") == OWN:
            for name in ("own_title", "own_text"):
                if not data.get(name) and name not in self.errors:
                    self.add_error(name, "Terms of your own need a name and their text.")
        return data

    def deposit(self, creators: tuple[Creator, ...]) -> Deposit:
        data = self.cleaned_data
        related = [
            Related(relation, one)
            for name, relation in RELATIONS.items()
            for one in ([data[name]] if isinstance(data[name], str) else data[name])
            if one
        ]
        return Deposit(
            title=data["title"],
            description=data["description"],
            creators=creators,
            publisher=data["publisher"],
            year=data["year"],
            keywords=data["keywords"],
            licence=self._licence(),
            related=tuple(related),
        )

    def _licence(self) -> Licence:
        data = self.cleaned_data
        if data["licence"] == OWN:
            return Licence("", data["own_title"], "", data["own_text"].rstrip("\n") + "\n")
        return known_licence(data["licence"])


def identifier(text: str) -> str:
    """A DOI without what stands before it, or a web address; raises ``ValidationError``."""
    text = text.strip()
    bare = re.sub(r"^(https?://(dx\.)?doi\.org/|doi:\s*)", "", text, flags=re.IGNORECASE)
    if not text or DOI.fullmatch(bare):
        return bare
    try:
        URLValidator(schemes=["https", "http"])(text)
    except ValidationError as error:
        raise ValidationError(
            f"“{text[:60]}” is neither a DOI (10.…/…) nor a web address: write one of them."
        ) from error
    return text
