"""Whether the readers knew what they saw: the section on blinding of the statistics document."""

from __future__ import annotations

from typing import Any

import numpy as np

from readerstudy.analytics.inputs import Inputs
from readerstudy.analytics.summaries import undefined
from readerstudy.statistics.blinding import DONT_KNOW, blinding
from readerstudy.statistics.estimate import as_json


def blinding_section(inputs: Inputs) -> dict[str, Any]:
    """Confusion matrix, share correct per arm against chance, and Bang's index, clustered by reader."""
    arms = [arm.key for arm in inputs.facts.arms]
    if not inputs.guesses:
        return undefined("the readers were not asked which method made an image")
    place = {arm: index for index, arm in enumerate(arms)}
    made = blinding(
        np.array([place[line.arm] for line in inputs.guesses], dtype=np.int64),
        np.array([place.get(line.guessed, DONT_KNOW) for line in inputs.guesses], dtype=np.int64),
        [line.reader for line in inputs.guesses],
        arms,
    )
    found: dict[str, Any] = as_json(made)
    return found
