"""Simulated readers: programs that score by an image's distance to its reference, through the browser's verb.

A score is round(BEST - SLOPE * log2(1 + distance / UNIT) + reader's bias + noise), limited to 1-5; the distance is the
reconstruction's 1 - SSIM, and the logarithm keeps small differences between good images visible. Nothing here looks at
an arm, a method or a run.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log2
from uuid import UUID

from readerstudy.accounts.models import User
from readerstudy.reading.actions import Given, record_answer, sign_session, start_session
from readerstudy.reading.queries import SCORED
from readerstudy.schedules.models import Presentation, Schedule
from readerstudy.schedules.stream import Stream
from readerstudy.studies.models import Study

BEST, SLOPE, UNIT = 5.3, 0.55, 0.01
BIAS = 0.4
NOISE = 0.45
SEED = b"simulated readers"
UNIFORMS = 12


def score_of(distance: float, bias: float, noise: float) -> int:
    """The score (1-5) of an image at ``distance`` = 1 - SSIM (0: equal to its reference)."""
    quality = BEST - SLOPE * log2(1.0 + max(0.0, distance) / UNIT)
    return min(5, max(1, round(quality + bias + noise)))


def read_everything(study: Study, progress: Callable[[], None]) -> int:
    """Let every simulated reader score and sign every session that is left; returns the number of new scores."""
    made = 0
    schedules = Schedule.objects.filter(study=study, reader__simulated=True).select_related(
        "reader__membership__user", "study"
    )
    for schedule in schedules:
        assert schedule.reader is not None and schedule.reader.membership is not None
        made += _read_schedule(schedule, schedule.reader.membership.user, progress)
    return made


def _read_schedule(schedule: Schedule, user: User, progress: Callable[[], None]) -> int:
    assert schedule.reader is not None
    name, made = schedule.reader.pseudonym, 0
    bias = BIAS * _uniform(Stream(SEED, f"bias/{name}"))
    for session in schedule.sessions.filter(signed_at=None).order_by("number"):
        start_session(user, session)
        rows = (
            Presentation.objects.filter(session=session, scores=None, kind__in=SCORED)
            .prefetch_related("panes__frames__reconstruction")
            .order_by("position")
        )
        for row in rows:
            stream = Stream(SEED, f"score/{name}/{row.study_slice_id}/{session.number}/{row.position}")
            value = score_of(_distance(row), bias, NOISE * _normal(stream))
            key = UUID(bytes=stream.read(16), version=4)
            record_answer(user, Given(_unique(key, row), row.pk, {"overall": {"value": value}}))
            progress()
            made += 1
        sign_session(user, session, printed_name=user.name, meaning="Simulated: made by a program.")
    return made


def _distance(row: Presentation) -> float:
    frame = row.panes.all()[0].frames.all()[0]
    ssim = frame.reconstruction.ssim
    return 1.0 - (ssim if ssim is not None else 0.0)


def _unique(key: UUID, row: Presentation) -> UUID:
    """The same reader and image in two studies must not share an idempotency key."""
    return UUID(bytes=Stream(key.bytes, row.pk).read(16), version=4)


def _uniform(stream: Stream) -> float:
    """From -1 to 1, in steps of 1/500,000."""
    return stream.below(1_000_001) / 500_000 - 1.0


def _normal(stream: Stream) -> float:
    """Near enough to a standard normal: the sum of twelve uniforms less six."""
    return sum((_uniform(stream) + 1.0) / 2.0 for _ in range(UNIFORMS)) - UNIFORMS / 2
