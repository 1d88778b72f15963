"""Levels of degradation per modality: what the number means, its default and what is allowed. No torch."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Level:
    """The meaning of a level: CT dose share, MR acceleration, ultrasound SNR in dB."""

    modality: str
    name: str
    unit: str
    default: float
    low: float
    high: float
    title: str

    def text(self, level: float) -> str:
        """The level as a person reads it, for example ``6x undersampled k-space``."""
        return self.title.format(level=level, percent=100 * level)


LEVELS: dict[str, Level] = {
    "CT": Level("CT", "dose share", "", 0.25, 0.01, 1.0, "{percent:g} % dose CT"),
    "MR": Level("MR", "acceleration", "x", 6.0, 1.0, 16.0, "{level:g}x undersampled k-space"),
    "US": Level("US", "signal-to-noise ratio", "dB", -6.0, -20.0, 60.0, "{level:g} dB ultrasound"),
}


def level_of(modality: str) -> Level:
    """The level's meaning for a modality; ValueError for an unknown modality."""
    if modality not in LEVELS:
        raise ValueError(f"Modality {modality!r} has no degradation: choose one of {', '.join(LEVELS)}.")
    return LEVELS[modality]


def validate_level(modality: str, level: float) -> float:
    """The level as a float; ValueError with one sentence where it is not a number in range."""
    rule = level_of(modality)
    value = float(level)
    if not math.isfinite(value) or not rule.low <= value <= rule.high:
        raise ValueError(
            f"The {rule.name} of {modality} must be between {rule.low:g} and {rule.high:g}, not {level!r}: "
            f"give for example {rule.default:g}."
        )
    return value
