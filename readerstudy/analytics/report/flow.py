"""Where the cases of a study came from: imported, refused, ineligible, drawn, read, analysed; patients and scanners."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, QuerySet
from django.utils import timezone

from readerstudy.analytics.inputs import Inputs
from readerstudy.analytics.lines import PairLine, ScoreLine
from readerstudy.cases.models import Case, ImportedFile, Slice
from readerstudy.studies import protocol
from readerstudy.studies.models import Study
from readerstudy.studies.queries import eligible_slices

MOST_REASONS = 8
NOT_STATED = "not stated"


@dataclass(frozen=True)
class Step:
    """One box of the flow: how many remain, and what was left out on the way here with the reason."""

    title: str
    count: str
    left_out: list[tuple[str, int]]


@dataclass(frozen=True)
class Characteristic:
    """One line of the table of patients or scanners: a value and how many cases have it, by modality."""

    name: str
    value: str
    counts: list[int]


@dataclass(frozen=True)
class Sample:
    """Patients and scanners behind the drawn slices, by modality."""

    modalities: list[str]
    patients: list[int]
    cases: list[int]
    slices: list[int]
    rows: list[Characteristic]


def case_flow(study: Study, inputs: Inputs) -> list[Step]:
    """The boxes from the first imported file to the analysed scores, as things stood when the study was opened."""
    moment = study.opened_at or timezone.now()
    files = ImportedFile.objects.filter(batch__started_at__lte=moment)
    cases = Case.objects.filter(created_at__lte=moment)
    slices = Slice.objects.filter(case__in=cases)
    drawn = study.slices.count()
    eligible, why = _eligible(study, slices)
    lines: list[ScoreLine | PairLine] = [
        *inputs.scores_of(inputs.facts.primary_criterion),
        *inputs.pairs_of(inputs.facts.primary_criterion),
    ]
    first = [line for line in lines if not line.repeat]
    said = [getattr(line, "score", None) or getattr(line, "choice", "") for line in first]
    word = "comparisons" if inputs.facts.pairwise else "scores"
    refused, unread = said.count("NA"), said.count("")
    return [
        Step("Files imported", str(files.count()), _reasons(files)),
        Step("Cases", f"{cases.count()} cases, {slices.count()} slices", []),
        Step("Eligible slices", str(eligible), why),
        Step("Drawn", f"{drawn} slices of {_patients(study)} patients", [("eligible and not drawn", eligible - drawn)]),
        Step("Read", f"{len(first) - unread} of {len(first)} planned {word}", [("not read", unread)]),
        Step("Analysed", f"{len(first) - unread - refused} {word}", [("could not be judged", refused)]),
    ]


def _patients(study: Study) -> int:
    return study.slices.values("slice__case__patient").distinct().count()


def _reasons(files: QuerySet[ImportedFile]) -> list[tuple[str, int]]:
    """Why files were refused, most frequent first; numbers in a sentence don't make it another reason."""
    refused = files.filter(status=ImportedFile.Status.REFUSED).order_by()
    rows = refused.values_list("reason").annotate(n=Count("pk")).order_by("-n", "reason")
    found = [(reason or NOT_STATED, n) for reason, n in rows]
    shown, rest = found[:MOST_REASONS], found[MOST_REASONS:]
    return shown + ([("for other reasons", sum(n for _, n in rest))] if rest else [])


def _eligible(study: Study, slices: QuerySet[Slice]) -> tuple[int, list[tuple[str, int]]]:
    """Slices in the frame, and how many each rule keeps out, taken one after the other."""
    rules = protocol.from_data({**study.protocol, "plan": study.plan}).slices
    steps: list[tuple[str, Any]] = [
        ("case in quarantine or withdrawn", lambda rows: rows.filter(case__state=Case.State.READY)),
        (
            f"less than {100 * rules.minimum_body_share:g} % of the field shows the body",
            lambda rows: rows.filter(body_share__gte=rules.minimum_body_share),
        ),
    ]
    if not rules.edge_slices:
        steps.append(("first or last of its volume", lambda rows: rows.filter(edge=False)))
    if rules.anatomy:
        steps.append(("another anatomy", lambda rows: rows.filter(case__anatomy__in=rules.anatomy)))
    if rules.sources:
        steps.append(("another source", lambda rows: rows.filter(case__source__name__in=rules.sources)))
    left_out, before = [], slices.count()
    for reason, keep in steps:
        slices = keep(slices)
        after = slices.count()
        left_out.append((reason, before - after))
        before = after
    frame = eligible_slices(rules).filter(pk__in=slices.values("pk")).count()
    if before > frame:
        left_out.append(("left out or not picked by hand", before - frame))
    return frame, [(reason, n) for reason, n in left_out if n]


def sample(study: Study) -> Sample:
    """Age bands, sex, scanner and acquisition of the drawn cases, each as counts of cases by modality."""
    cases = list(
        Case.objects.filter(slices__in=study.slices.values("slice")).distinct().select_related("patient", "source")
    )
    slices = Counter(study.slices.values_list("slice__case__modality", flat=True))
    names = sorted({case.modality for case in cases})
    return Sample(
        names,
        [len({case.patient_id for case in cases if case.modality == name}) for name in names],
        [sum(case.modality == name for case in cases) for name in names],
        [slices[name] for name in names],
        [row for name, values in _facts(cases).items() for row in _characteristics(name, values, cases, names)],
    )


def _facts(cases: list[Case]) -> dict[str, list[str]]:
    """What the cases state, each as words; device facts are kept only where the import allowed it."""
    return {
        "Age": [case.patient.age_band for case in cases],
        "Sex": [case.patient.sex for case in cases],
        "Anatomy": [case.anatomy for case in cases],
        "Scanner": [_scanner(case.acquisition) for case in cases],
        "Field strength": [_unit(case.acquisition.get("MagneticFieldStrength"), "T") for case in cases],
        "Tube voltage": [_unit(case.acquisition.get("KVP"), "kV") for case in cases],
        "Slice thickness": [_unit(case.acquisition.get("SliceThickness"), "mm") for case in cases],
        "Source": [case.source.name for case in cases],
    }


def _scanner(facts: dict[str, Any]) -> str:
    return " ".join(str(facts[name]) for name in ("Manufacturer", "ManufacturerModelName") if facts.get(name))


def _unit(value: Any, unit: str) -> str:
    return f"{value:.3g} {unit}" if isinstance(value, int | float) else ""


def _characteristics(name: str, values: list[str], cases: list[Case], names: list[str]) -> list[Characteristic]:
    """Stated values in order, then how many state nothing; left out where no case states any."""
    if not any(values):
        return [Characteristic(name, NOT_STATED, [sum(case.modality == m for case in cases) for m in names])]
    found = [*sorted({value for value in values if value}), *([""] if "" in values else [])]
    return [
        Characteristic(
            name,
            value or NOT_STATED,
            [sum(v == value and c.modality == m for v, c in zip(values, cases, strict=True)) for m in names],
        )
        for value in found
    ]


def dates(study: Study) -> list[tuple[str, datetime]]:
    """The transitions that have happened."""
    found = [
        ("opened", study.opened_at), ("closed", study.closed_at), ("locked", study.locked_at),
        ("unblinded", study.unblinded_at),
    ]  # fmt: skip
    return [(title, moment) for title, moment in found if moment is not None]
