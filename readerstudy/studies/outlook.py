"""What a protocol comes to before anything is drawn: eligible slices, images per reader, minutes, what is missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from math import ceil
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count, Q, QuerySet

from readerstudy.cases.models import Modality
from readerstudy.reconstructions.models import Reconstruction, Run
from readerstudy.reconstructions.queries import find_reconstructions, settings_hash
from readerstudy.studies.protocol import ArmRule, Protocol, ProtocolError
from readerstudy.studies.queries import eligible_slices, strange_choices

SECONDS = 8
LONG_SESSION_MINUTES = 60
MOST_PATIENTS = 60
REFERENCE = ArmRule("", "the reference beside", "reference")


@dataclass(frozen=True)
class Stratum:
    """The eligible slices of one modality, and how many of them will be drawn."""

    modality: str
    title: str
    slices: int
    cases: int
    patients: int
    available: int
    drawn: int | None = None


@dataclass(frozen=True)
class PatientShare:
    """How many slices of one patient are eligible."""

    patient: str
    modality: str
    slices: int


@dataclass(frozen=True)
class Missing:
    """Eligible slices of one modality without an arm's image; ``query`` fills in the page of new runs."""

    arm: str
    modality: str
    level: str
    missing: int
    of: int
    query: str


@dataclass(frozen=True)
class Reading:
    """What one reader reads: images, of which repeats, those compared again, and the time this takes."""

    images: int
    repeats: int
    compared: int
    questions: int
    seconds: int
    sessions: int

    @property
    def minutes(self) -> int:
        return ceil((self.images * self.questions + self.compared) * self.seconds / 60)

    @property
    def images_per_session(self) -> int:
        return ceil(self.images / self.sessions)

    @property
    def minutes_per_session(self) -> int:
        return ceil(self.minutes / self.sessions)

    @property
    def long(self) -> bool:
        return self.minutes_per_session > LONG_SESSION_MINUTES


@dataclass(frozen=True)
class Outlook:
    """All of it, with one sentence for each thing that stands in the way of opening."""

    drawn: int
    strata: tuple[Stratum, ...]
    eligible: int
    patients: int
    by_patient: tuple[PatientShare, ...]
    more_patients: int
    reading: Reading
    missing: tuple[Missing, ...]
    obstacles: tuple[str, ...]


def outlook(protocol: Protocol, seconds: int = SECONDS) -> Outlook:
    """A dozen queries, whatever the number of cases."""
    strata, patients = _strata(protocol)
    by_patient = _by_patient(protocol)
    missing = tuple(_missing(protocol, strata))
    eligible = sum(stratum.slices for stratum in strata)
    drawn = min(protocol.slices.number, patients if protocol.slices.one_per_patient else eligible)
    return Outlook(
        drawn, strata, eligible, patients, tuple(by_patient[:MOST_PATIENTS]),
        max(0, len(by_patient) - MOST_PATIENTS), reading(protocol, seconds), missing,
        tuple(_obstacles(protocol, strata, patients, missing)),
    )  # fmt: skip


def reading(protocol: Protocol, seconds: int = SECONDS) -> Reading:
    """Images and minutes of one reader, ``seconds`` for each question and for each image compared again."""
    arms, design = len(protocol.arms), protocol.design
    rounds = (design.pairs_per_slice or arms * (arms - 1) // 2) if design.kind == "pairwise" else arms
    once = rounds * protocol.slices.number
    repeats = ceil(design.repeats * once - 1e-9)
    compared = ceil(design.fidelity * once - 1e-9)
    return Reading(once + repeats, repeats, compared, len(protocol.criteria), seconds, protocol.sessions.number)


def require_known_settings(protocol: Protocol) -> None:
    """Every arm's settings are ones that its method has; raises ``ProtocolError``."""
    for number, arm in enumerate(protocol.arms, start=1):
        try:
            find_reconstructions([], arm.method, arm.levels, arm.settings)
        except ValueError as error:
            raise ProtocolError(f"arms.{arm.key}.settings: {error}", f"arms[{number}].settings") from error


def _strata(protocol: Protocol) -> tuple[tuple[Stratum, ...], int]:
    rules, frame = protocol.slices, eligible_slices(protocol.slices).order_by()
    rows = {
        row["case__modality"]: row
        for row in frame.values("case__modality").annotate(
            n=Count("pk"), cases=Count("case", distinct=True), patients=Count("case__patient", distinct=True)
        )
    }
    patients = frame.aggregate(n=Count("case__patient", distinct=True))["n"]
    found = []
    for modality in Modality:
        if row := rows.get(modality.value):
            available = row["patients"] if rules.one_per_patient else row["n"]
            found.append(
                Stratum(modality.value, str(modality.label), row["n"], row["cases"], row["patients"], available)
            )
    if rules.stratify != "modality":
        return tuple(found), patients
    drawn = shares({s.modality: s.available for s in found}, rules.number)
    return tuple(Stratum(**{**vars(s), "drawn": drawn[s.modality]}) for s in found), patients


def shares(available: Mapping[str, int], number: int) -> dict[str, int]:
    """``number`` over the strata as equally as their sizes allow; as many as there are where they are too few."""
    given = dict.fromkeys(sorted(available), 0)
    for _ in range(min(number, sum(available.values()))):
        open_strata = [name for name in given if given[name] < available[name]]
        given[min(open_strata, key=lambda name: given[name])] += 1
    return given


def _by_patient(protocol: Protocol) -> list[PatientShare]:
    rows = (
        eligible_slices(protocol.slices)
        .order_by()
        .values("case__patient__pseudonym", "case__modality")
        .annotate(n=Count("pk"))
        .order_by("case__modality", "case__patient__pseudonym")
    )
    return [PatientShare(row["case__patient__pseudonym"], row["case__modality"], row["n"]) for row in rows]


def _missing(protocol: Protocol, strata: tuple[Stratum, ...]) -> Iterator[Missing]:
    """Of every arm, and of the reference where the protocol shows it: eligible slices without an image."""
    beside = protocol.display.reference == "beside" or protocol.design.fidelity > 0
    for arm in [*protocol.arms, *([REFERENCE] if beside else [])]:
        made = _made(protocol, arm)
        for stratum in strata:
            if lacking := stratum.slices - made.get(stratum.modality, 0):
                level = arm.levels.get(stratum.modality)
                query = {"methods": arm.method, "modality": stratum.modality}
                query |= {f"{arm.method}.{name}": str(value) for name, value in arm.settings.items()}
                if level is not None:
                    query[stratum.modality.lower()] = f"{level:g}"
                yield Missing(
                    arm.title or arm.key, stratum.title, "as acquired" if level is None else f"{level:g}", lacking,
                    stratum.slices, urlencode(query),
                )  # fmt: skip


def _made(protocol: Protocol, arm: ArmRule) -> dict[str, int]:
    """By modality the eligible slices that have this arm's image; only runs that lack images are walked through."""
    runs = _runs(arm)
    whole = runs.filter(missing=0).values("measurement__case")
    in_part = Reconstruction.objects.filter(run__in=runs.filter(missing__gt=0).values("pk")).exclude(pixels="")
    rows = eligible_slices(protocol.slices).order_by().filter(Q(case__in=whole) | Q(pk__in=in_part.values("slice")))
    counted = rows.values("case__modality").annotate(n=Count("pk"))
    return {row["case__modality"]: row["n"] for row in counted}


def _runs(arm: ArmRule) -> QuerySet[Run]:
    """The arm's method with its settings at the arm's levels."""
    levels = Q()
    for modality in Modality:
        level: dict[str, Any] = {"measurement__level": arm.levels.get(modality.value)}
        if level["measurement__level"] is None:
            level = {"measurement__level__isnull": True}
        levels |= Q(measurement__case__modality=modality.value, **level)
    runs = Run.objects.filter(levels, method=arm.method).order_by()
    with suppress(ValueError):  # An imported method has no settings of ours.
        runs = runs.filter(settings_hash=settings_hash(arm.method, arm.settings))
    return runs


def _obstacles(
    protocol: Protocol, strata: tuple[Stratum, ...], patients: int, missing: tuple[Missing, ...]
) -> Iterator[str]:
    number = protocol.slices.number
    available = patients if protocol.slices.one_per_patient else sum(stratum.slices for stratum in strata)
    if available < number:
        of = "patients have eligible slices" if protocol.slices.one_per_patient else "slices are eligible"
        yield f"{number} slices are to be drawn and {available} {of}: import more cases or lower the number."
    if strange := strange_choices(protocol.slices):
        yield f"{', '.join(strange[:5])}: no such case or eligible slice; correct what is picked or left out by hand."
    if missing:
        yield f"{sum(m.missing for m in missing)} images of eligible slices are not made yet: run the methods first."
    if not protocol.study.approval_number:
        yield "No approval number is written."
