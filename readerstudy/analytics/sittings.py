"""How the readers read: pace, drift over positions and sessions, and the headline without doubtful displays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from readerstudy.analytics.inputs import Inputs
from readerstudy.analytics.lines import CANNOT_JUDGE, ScoreLine
from readerstudy.analytics.summaries import undefined
from readerstudy.statistics.estimate import FloatArray, as_json
from readerstudy.statistics.leave_out import without_sessions
from readerstudy.statistics.pace import Readings, reader_paces
from readerstudy.statistics.table import ScoreTable

FLAGGED = "flagged"


def pace_section(inputs: Inputs) -> dict[str, Any]:
    """Per reader and session: seconds per image, pauses left out, and the trends of pace and of the scores."""
    facts = inputs.facts
    lines = [line for line in inputs.scores_of(facts.primary_criterion) if line.score and not line.repeat]
    lines.sort(key=lambda line: (facts.readers.index(line.reader), line.session, line.position))
    sessions = sorted({line.session for line in lines})
    places: dict[str, int] = {}
    seconds = np.array([np.nan if line.seconds is None else line.seconds for line in lines], dtype=np.float64)
    readings = Readings(
        reader=np.array([facts.readers.index(line.reader) for line in lines], dtype=np.int64),
        session=np.array([sessions.index(line.session) for line in lines], dtype=np.int64),
        position=np.array([_next(places, line.reader) for line in lines], dtype=np.int64),
        seconds=seconds,
        # Pauses come from another clock than the whole: rounding must not make a part larger than it.
        idle=np.fmin(np.array([line.idle_s for line in lines], dtype=np.float64), seconds),
        deviation=_deviations(lines),
    )
    found: dict[str, Any] = as_json(reader_paces(readings, facts.readers, [str(number) for number in sessions]))
    return found


def _next(places: dict[str, int], reader: str) -> int:
    """The place of a reader's next image in the whole order, counted from 0."""
    places[reader] = places.get(reader, -1) + 1
    return places[reader]


def _deviations(lines: Sequence[ScoreLine]) -> FloatArray:
    """Each score minus the mean of all readers' scores of the same image, NaN for "cannot judge"."""
    scores: dict[tuple[str, str], list[float]] = {}
    for line in lines:
        if line.score != CANNOT_JUDGE:
            scores.setdefault((line.slice, line.arm), []).append(float(line.score))
    means = {image: float(np.mean(given)) for image, given in scores.items()}
    return np.array(
        [np.nan if line.score == CANNOT_JUDGE else float(line.score) - means[line.slice, line.arm] for line in lines],
        dtype=np.float64,
    )


def without_flagged_displays(inputs: Inputs, table: ScoreTable) -> dict[str, Any]:
    """The headline again without sessions whose display check was flagged; the primary numbers stay."""
    flagged = {(line.reader, str(line.session)) for line in inputs.sessions if line.display_check == FLAGGED}
    if not flagged:
        return undefined("no display check was flagged")
    facts = inputs.facts
    found: dict[str, Any] = as_json(without_sessions(table, flagged, facts.categories, facts.reference))
    return found
