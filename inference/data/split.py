"""Patient-level split 70/10/20, the same on every machine; some patients are held out by name. No torch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from inference.data.pool import PoolSlice

# Patients that also appear in DICOM shown as held-out cases; the knee is for testing only.
HELD_OUT = frozenset(
    {
        "nysbu-A002304",
        "nysbu-A046441",
        "nysbu-A067967",
        "cs-2178309",
        "dcmqact-ge",
        "ProstateX-0001",
        "pymskt-knee",
    }
)
VALIDATION_SHARE, TEST_SHARE = 0.10, 0.20
BLOCK_GAP_MINUTES = 5  # ultrasound acquisitions closer than this may be one person and stay together


@dataclass(frozen=True)
class Split:
    """Patients of the three parts; disjoint by construction and checked."""

    training: frozenset[str]
    validation: frozenset[str]
    test: frozenset[str]

    def __post_init__(self) -> None:
        both = (self.training & self.validation) | (self.training & self.test) | (self.validation & self.test)
        if both:
            raise ValueError(f"Patients stand in two parts of the split: {', '.join(sorted(both))}.")

    def part(self, patient: str) -> str:
        """``training``, ``validation`` or ``test``; KeyError for a patient the split has never seen."""
        for name in ("training", "validation", "test"):
            if patient in getattr(self, name):
                return name
        raise KeyError(patient)

    def as_json(self) -> dict[str, list[str]]:
        return {name: sorted(getattr(self, name)) for name in ("training", "validation", "test")}

    @classmethod
    def from_json(cls, parts: Mapping[str, Iterable[str]]) -> Split:
        return cls(*(frozenset(parts[name]) for name in ("training", "validation", "test")))


def split_pool(slices: Iterable[PoolSlice], held_out: frozenset[str] = HELD_OUT) -> Split:
    """Split by patient within each modality.

    Patients of display-only images only train. CT and MR: the named patients test, the others are ordered by
    the hash of their id. US: acquisitions ordered by time are cut between blocks, since neighbours may be
    one person.
    """
    training: set[str] = set()
    validation: set[str] = set()
    test: set[str] = set()
    by_modality: dict[str, dict[str, bool]] = {}
    for item in slices:
        patients = by_modality.setdefault(item.modality, {})
        patients[item.patient] = patients.get(item.patient, True) and item.display_only
    for modality, patients in sorted(by_modality.items()):
        training |= {p for p, display in patients.items() if display and p not in held_out}
        rated = {p for p, display in patients.items() if not display}
        named = rated & held_out
        rest = rated - named
        units = time_blocks(rest) if modality == "US" else [[p] for p in sorted(rest, key=_order)]
        test |= named | _take(units, round(TEST_SHARE * len(rated)) - len(named))
        validation |= _take(units, max(1, round(VALIDATION_SHARE * len(rated))))
        training |= {patient for unit in units for patient in unit}
    return Split(frozenset(training), frozenset(validation), frozenset(test))


def _take(units: list[list[str]], wanted: int) -> set[str]:
    """Remove whole units from the end until ``wanted`` patients are taken, leaving at least one unit."""
    taken: set[str] = set()
    while len(taken) < wanted and len(units) > 1:
        taken |= set(units.pop())
    return taken


def time_blocks(acquisitions: Iterable[str]) -> list[list[str]]:
    """Acquisition ids (``cca-YYYYMMDDhhmmss...``) in order of time, cut where the gap is long."""
    blocks: list[list[str]] = []
    last: datetime | None = None
    for name in sorted(acquisitions):
        digits = "".join(c for c in name if c.isdigit())[:14]
        moment = datetime.strptime(digits, "%Y%m%d%H%M%S") if len(digits) == 14 else None
        near = last is not None and moment is not None and moment - last < timedelta(minutes=BLOCK_GAP_MINUTES)
        if near:
            blocks[-1].append(name)
        else:
            blocks.append([name])
        last = moment
    return blocks


def _order(patient: str) -> str:
    return hashlib.sha256(f"split 1 {patient}".encode()).hexdigest()


def source_ids(patients: Iterable[str]) -> frozenset[str]:
    """Pool ids together with the bare DICOM PatientID that some of them carry after a prefix."""
    prefixes = ("nysbu-", "vsseg-", "cs-")
    result = set(patients)
    for patient in list(result):
        result |= {patient.removeprefix(prefix) for prefix in prefixes if patient.startswith(prefix)}
    return frozenset(result)
