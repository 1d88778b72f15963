"""What stands between a study and its results, and who can do it; no number of any arm."""

from __future__ import annotations

from dataclasses import dataclass

from readerstudy.studies.models import Study

ORDER = [Study.State.DRAFT, Study.State.OPEN, Study.State.CLOSED, Study.State.LOCKED, Study.State.UNBLINDED]


@dataclass(frozen=True)
class Step:
    """One state of a study: what is done in it, by whom, and whether it is done, now, or still to come."""

    title: str
    sentence: str
    who: str
    done: bool
    current: bool


SENTENCES = {
    Study.State.DRAFT: ("Opened", "The protocol and the analysis plan are frozen.", "a coordinator"),
    Study.State.OPEN: (
        "Read and closed",
        "Every reader reads and signs their sessions.",
        "the readers, then a coordinator",
    ),
    Study.State.CLOSED: ("Locked", "Scores are checked and become unchangeable.", "a coordinator"),
    Study.State.LOCKED: ("Unblinded", "The arms are revealed, once.", "a second coordinator"),
    Study.State.UNBLINDED: (
        "Computed",
        "The numbers are frozen in a snapshot.",
        "an analyst or a coordinator",
    ),
}


def steps(study: Study) -> list[Step]:
    """One step per transition, in order; the current one is what must happen next."""
    reached = ORDER.index(Study.State(study.state))
    return [
        Step(*SENTENCES[state], done=index < reached, current=index == reached) for index, state in enumerate(ORDER)
    ]
