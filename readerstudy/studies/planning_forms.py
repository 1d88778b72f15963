"""What the planner asks: every field is in the address, so that a plan can be bookmarked and passed on."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.core.files.uploadedfile import UploadedFile

from readerstudy.accounts.models import User
from readerstudy.statistics.csv_tables import read_scores
from readerstudy.statistics.planning_document import PlanInputs
from readerstudy.statistics.planning_kappa import Form
from readerstudy.statistics.planning_model import PRESETS, Aim, PlanningError, VarianceComponents
from readerstudy.statistics.planning_pilot import Pilot, estimate
from readerstudy.statistics.table import ScoreTable, TableError
from readerstudy.studies.models import Study
from readerstudy.studies.queries import ANALYST, studies_of, study_for

OWN = "own"
STUDY = "study-"
LARGEST_UPLOAD = 5_000_000
MOST_PILOTS = 50
DEVIATIONS = {
    "slice": "Slice", "reader": "Reader", "slice_arm": "Slice x arm", "reader_arm": "Reader x arm",
    "slice_reader": "Slice x reader", "error": "Error",
}  # fmt: skip
SOURCES = [
    ("typical", "Preset: typical readers"),
    ("agreeing", "Preset: readers who agree well"),
    ("differing", "Preset: readers who differ much"),
    (OWN, "Own numbers, or those of an upload"),
]
DEFAULTS: dict[str, str] = {
    "source": "typical", "kind": "superiority", "effect": "0.3", "margin": "", "readers": "5", "slices": "100",
    "arms": "4", "family": "all", "correction": "bonferroni", "alpha": "0.05", "reader_effect": "random",
    "mean": "3.5", "lowest": "1", "highest": "5", "criteria": "1", "seconds": "8", "repeats": "0",
    "design_effect": "1", **{f"sd_{name}": f"{sd:.4g}" for name, sd in PRESETS["typical"].deviations().items()},
}  # fmt: skip
FROM_SOURCE = frozenset({*(f"sd_{name}" for name in DEVIATIONS), "design_effect"})
# The two presets of a protocol, as far as they concern its size.
STARTS: dict[str, dict[str, str]] = {
    "recommended": {"source": "typical", "readers": "5", "slices": "100", "arms": "4", "repeats": "10"},
    "paper": {"source": "agreeing", "readers": "5", "slices": "100", "arms": "4", "reader_effect": "fixed"},
}


class PlanForm(forms.Form):
    """Bound to the address; ``inputs`` afterwards are what the statistics need."""

    source = forms.ChoiceField(label="Variance from")
    kind = forms.ChoiceField(
        label="To show",
        choices=[(k, k.capitalize()) for k in ("superiority", "non-inferiority", "equivalence")],
    )
    effect = forms.FloatField(
        label="Expected difference", min_value=-10, max_value=10, help_text="In score points, new arm minus standard."
    )
    margin = forms.FloatField(
        label="Margin", min_value=0, max_value=10, required=False, help_text="In points; not for superiority."
    )
    readers = forms.IntegerField(label="Readers", min_value=2, max_value=50)
    slices = forms.IntegerField(label="Slices", min_value=5, max_value=10_000)
    arms = forms.IntegerField(label="Arms", min_value=2, max_value=8)
    family = forms.ChoiceField(
        label="Comparisons",
        choices=[("all", "All pairs of arms"), ("comparator", "Every arm against one"), ("one", "One pair")],
    )
    correction = forms.ChoiceField(
        label="Correction", choices=[("bonferroni", "Bonferroni"), ("holm", "Holm"), ("none", "No correction")]
    )
    alpha = forms.FloatField(label="Alpha of the family", min_value=0.0001, max_value=0.5)
    reader_effect = forms.ChoiceField(
        label="Readers stand for",
        choices=[("random", "All such readers (random)"), ("fixed", "Themselves only (fixed)")],
    )
    criteria = forms.IntegerField(label="Criteria", min_value=1, max_value=20)
    seconds = forms.FloatField(label="Seconds per score", min_value=0.5, max_value=600)
    repeats = forms.FloatField(label="Shown twice (%)", min_value=0, max_value=100)
    mean = forms.FloatField(label="Mean score of an arm")
    lowest = forms.IntegerField(label="Lowest score", min_value=-100, max_value=100)
    highest = forms.IntegerField(label="Highest score", min_value=-100, max_value=100)
    design_effect = forms.FloatField(label="Design effect", min_value=1, max_value=1000)

    SIZE = ("readers", "slices", "arms")
    AIM = ("kind", "effect", "margin", "family", "correction", "alpha", "reader_effect")
    FORM = ("mean", "lowest", "highest")
    TIME = ("criteria", "seconds", "repeats")

    def __init__(self, data: Mapping[str, str], user: User) -> None:
        given = {name: data[name] for name in DEFAULTS if name in data}
        if given.get("source", DEFAULTS["source"]) != OWN:
            given = {name: value for name, value in given.items() if name not in FROM_SOURCE}
        super().__init__({**DEFAULTS, **given})
        self.user = user
        for name, label in DEVIATIONS.items():
            self.fields[f"sd_{name}"] = forms.FloatField(label=label, min_value=0, max_value=20)
        pilots = studies_of(user).filter(state=Study.State.UNBLINDED)[:MOST_PILOTS]
        studies = [(f"{STUDY}{study.pk}", f"Pilot: {study.title}") for study in pilots]
        source = self.fields["source"]
        assert isinstance(source, forms.ChoiceField)
        source.choices = [*SOURCES, *studies]
        self.inputs: PlanInputs | None = None

    def group(self, *names: str) -> list[forms.BoundField]:
        return [self[name] for name in names]

    @property
    def size_fields(self) -> list[forms.BoundField]:
        return self.group(*self.SIZE)

    @property
    def aim_fields(self) -> list[forms.BoundField]:
        return self.group(*self.AIM)

    @property
    def form_fields(self) -> list[forms.BoundField]:
        return self.group(*self.FORM)

    @property
    def time_fields(self) -> list[forms.BoundField]:
        return self.group(*self.TIME)

    @property
    def deviation_fields(self) -> list[forms.BoundField]:
        return self.group(*(f"sd_{name}" for name in DEVIATIONS), "design_effect")

    @property
    def outer_fields(self) -> list[forms.BoundField]:
        """All whose inputs stay in the page when a part of it is replaced."""
        return self.group("source", *self.SIZE, *self.AIM, *self.FORM, *self.TIME)

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        if data.get("kind") != "superiority" and "margin" in data and not data["margin"]:
            self.add_error("margin", f"{str(data.get('kind', '')).capitalize()} needs a margin above 0 points.")
        if "lowest" in data and "highest" in data and "mean" in data:
            self._check_form(data)
        if self.errors:
            return data
        try:
            values = self._resolved(data)
        except (PlanningError, TableError) as error:
            self.add_error("source", str(error))
            return data
        if data["slices"] / values["design_effect"] < 2:
            self.add_error("slices", "That is fewer than 2 independent slices after the design effect: add slices.")
            return data
        self.inputs = self._inputs({**data, **values})
        return data

    def _check_form(self, data: Mapping[str, Any]) -> None:
        if not 1 <= data["highest"] - data["lowest"] <= 99:
            self.add_error("highest", "The highest score must be 1 to 99 above the lowest.")
        elif not data["lowest"] <= data["mean"] <= data["highest"]:
            self.add_error("mean", f"The mean must lie between {data['lowest']} and {data['highest']}.")

    def _resolved(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Standard deviations, design effect, mean and scores of the chosen source; shown in the fields too."""
        source = data["source"]
        if source == OWN:
            return dict(data)
        if source in PRESETS:
            values = as_fields(PRESETS[source], 1.0)
        else:
            values = pilot_fields(pilot_of(self.user, source.removeprefix(STUDY)))
        self.data = {**self.data, **values}
        return {name: self.fields[name].clean(value) for name, value in values.items()}

    def _inputs(self, data: Mapping[str, Any]) -> PlanInputs:
        arms = data["arms"]
        sizes = {"all": arms * (arms - 1) // 2, "comparator": arms - 1, "one": 1}
        aim = Aim(
            effect=data["effect"], kind=data["kind"], margin=data["margin"] or 0.0, alpha=data["alpha"],
            comparisons=sizes[data["family"]], correction=data["correction"], readers=data["reader_effect"],
            design_effect=data["design_effect"],
        )  # fmt: skip
        components = VarianceComponents.from_deviations(**{name: data[f"sd_{name}"] for name in DEVIATIONS})
        return PlanInputs(
            components=components, aim=aim, readers=data["readers"], slices=data["slices"], arms=arms,
            form=Form(data["lowest"], data["highest"], data["mean"]), criteria=data["criteria"],
            seconds=data["seconds"], repeats=data["repeats"] / 100,
        )  # fmt: skip

    def query(self) -> str:
        """The address of the same plan with its numbers written out, which needs no pilot any more."""
        return urlencode({**{name: self.data[name] for name in DEFAULTS}, "source": OWN})


class UploadForm(forms.Form):
    """A table of scores as ``manage.py analyse`` reads it; ``pilot`` afterwards is what it says."""

    scores = forms.FileField(
        label="Scores of a pilot (CSV)", help_text="Columns slice, arm, reader, score; patient if known."
    )

    def clean_scores(self) -> UploadedFile[Any]:
        upload: UploadedFile[Any] = self.cleaned_data["scores"]
        if (upload.size or 0) > LARGEST_UPLOAD:
            raise forms.ValidationError("The file is larger than 5 MB: leave out all columns but the needed ones.")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "scores.csv"
            path.write_bytes(upload.read())
            self.pilot = _pilot_from(path)
        return upload


def _pilot_from(path: Path) -> Pilot:
    try:
        return estimate(read_scores(path))
    except (TableError, PlanningError) as error:
        raise forms.ValidationError(str(error)) from error


def as_fields(components: VarianceComponents, design_effect: float) -> dict[str, str]:
    fields = {f"sd_{name}": f"{sd:.4g}" for name, sd in components.deviations().items()}
    return {**fields, "design_effect": f"{design_effect:.4g}"}


def pilot_fields(pilot: Pilot) -> dict[str, str]:
    """A pilot as the fields of the form."""
    return {
        **as_fields(pilot.components, pilot.design_effect),
        "mean": f"{pilot.mean_score:.3g}",
        "lowest": str(min(pilot.lowest, int(DEFAULTS["lowest"]))),
        "highest": str(max(pilot.highest, int(DEFAULTS["highest"]))),
    }


def pilot_of(user: User, pk: str) -> Pilot:
    """What the last statistics of an unblinded study of this person say; 404 for anybody else."""
    study, _ = study_for(user, pk, ANALYST)
    snapshot = study.snapshots.order_by("-made_at").first() if study.state == Study.State.UNBLINDED else None
    if snapshot is None:
        raise PlanningError(f"{study.title} has no statistics yet: compute them on its results page first.")
    return estimate(primary_scores(snapshot.tables["scores"], str(study.plan["primary_criterion"])))


def primary_scores(text: str, criterion: str) -> ScoreTable:
    """The rows of one criterion of a snapshot's table of scores."""
    lines = list(csv.reader(io.StringIO(text)))
    column = lines[0].index("criterion")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scores.csv"
        with path.open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows([lines[0], *(line for line in lines[1:] if line[column] == criterion)])
        return read_scores(path)
