"""What the cases of a benchmark really carry, per modality: level, physics, and CT's ceiling at their own dose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from inference.benchmark.fidelity_tables import ct_ceiling
from inference.methods.base import Measurement
from inference.physics.levels import LEVELS

NAMED = 4  # levels that are named one by one
VERSION = "physics_version"


def levels(measurements: Sequence[Measurement]) -> dict[str, str]:
    """The levels of each modality in words; of many, the least and the greatest."""
    result = {}
    for modality, found in _by_modality(measurements).items():
        texts = [LEVELS[modality].text(level) for level in _levels(found)]
        many = f"{texts[0]} to {texts[-1]}, {len(texts)} different"
        result[modality] = ", ".join(texts) if len(texts) <= NAMED else many
    return result


def physics(measurements: Sequence[Measurement]) -> dict[str, dict[str, object]]:
    """The parameters of each modality.

    A number that differs between slices is ``{"least": ..., "greatest": ...}``, anything else that differs is
    ``{"slices": {value: count}}``.
    """
    result = {}
    for modality, found in _by_modality(measurements).items():
        names = dict.fromkeys(name for m in found for name in m.parameters if name != VERSION)
        result[modality] = {n: _common([m.parameters[n] for m in found if n in m.parameters]) for n in names}
    return result


def physics_version(measurements: Sequence[Measurement]) -> str | None:
    """The version of the simulation, None where every measurement was taken as it was made."""
    found = sorted({str(m.parameters[VERSION]) for m in measurements if VERSION in m.parameters})
    return ", ".join(found) or None


def ceiling(measurements: Sequence[Measurement]) -> dict[str, object]:
    """`ct_ceiling` at the dose share of the CT measurements; of several shares one row each under ``shares``."""
    shares = _levels(measurements)
    if len(shares) == 1:
        return {**ct_ceiling(shares[0])}
    return {"shares": [{"dose_share": share, **ct_ceiling(share)} for share in shares]}


def _by_modality(measurements: Sequence[Measurement]) -> Mapping[str, list[Measurement]]:
    modalities = sorted({m.modality for m in measurements})
    return {modality: [m for m in measurements if m.modality == modality] for modality in modalities}


def _levels(measurements: Sequence[Measurement]) -> list[float]:
    """The different levels in rising order, to three digits."""
    return sorted({float(f"{m.level:.3g}") for m in measurements})


def _common(values: Sequence[object]) -> object:
    counts = Counter(str(value) for value in values)
    if len(counts) == 1:
        return values[0]
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(numbers) == len(values):
        return {"least": min(numbers), "greatest": max(numbers)}
    return {"slices": dict(sorted(counts.items()))}
