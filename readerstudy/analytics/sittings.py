"""How the readers read: pace, drift over positions and sessions, displays, and the numbers without bad displays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from readerstudy.analytics.inputs import Inputs
from readerstudy.analytics.lines import CANNOT_JUDGE, ScoreLine
from readerstudy.statistics.estimate import as_json
from readerstudy.statistics.readers import drift, pace

FLAGGED = "flagged"


def pace_section(inputs: Inputs) -> dict[str, Any]:
    """Per reader: seconds per image, and drift of the scores over the whole order and from session to session."""
    facts = inputs.facts
    lines = [line for line in inputs.scores_of(facts.primary_criterion) if line.score and not line.repeat]
    deviations = _deviations(lines)
    return {
        reader: _of_reader([line for line in lines if line.reader == reader], deviations) for reader in facts.readers
    }


def _of_reader(lines: Sequence[ScoreLine], deviations: dict[int, float]) -> dict[str, Any]:
    ordered = sorted(lines, key=lambda line: (line.session, line.position))
    seconds = np.array([line.seconds for line in ordered if line.seconds is not None], dtype=np.float64)
    known = [(place, line) for place, line in enumerate(ordered) if id(line) in deviations]
    deviation = np.array([deviations[id(line)] for _, line in known], dtype=np.float64)
    sessions = sorted({line.session for line in ordered})
    return {
        "pace": as_json(pace(seconds)),
        "drift": as_json(drift(deviation, np.array([place for place, _ in known], dtype=np.float64))),
        "sessions": {
            str(session): {
                "median_s": _median([line.seconds for line in ordered if line.session == session]),
                "mean_deviation": _mean([deviations[id(line)] for _, line in known if line.session == session]),
                "n": sum(line.session == session for line in ordered),
            }
            for session in sessions
        },
    }


def _deviations(lines: Sequence[ScoreLine]) -> dict[int, float]:
    """Each score minus the mean of all readers' scores of the same image, by the line's identity."""
    scores: dict[tuple[str, str], list[float]] = {}
    for line in lines:
        if line.score != CANNOT_JUDGE:
            scores.setdefault((line.slice, line.arm), []).append(float(line.score))
    return {
        id(line): float(line.score) - float(np.mean(scores[line.slice, line.arm]))
        for line in lines
        if line.score != CANNOT_JUDGE
    }


def _median(values: Sequence[float | None]) -> float | None:
    given = [value for value in values if value is not None]
    return float(np.median(given)) if given else None


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def on_good_displays(inputs: Inputs) -> list[ScoreLine] | None:
    """The primary scores without sessions whose display check was flagged; nothing where there are none."""
    flagged = {(line.reader, line.session) for line in inputs.sessions if line.display_check == FLAGGED}
    if not flagged:
        return None
    lines = inputs.scores_of(inputs.facts.primary_criterion)
    return [line for line in lines if (line.reader, line.session) not in flagged]
