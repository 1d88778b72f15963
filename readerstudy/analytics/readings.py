"""What readers made in an unblinded study, as the lines of its tables; after the lock none of them changes.

First readings and repeats of a study that scores images are ``score_rows``, those of a pairwise study ``pair_rows``.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum

from readerstudy.analytics.lines import (
    CANNOT_JUDGE,
    CheckLine,
    GuessLine,
    MarkLine,
    PairLine,
    RecordLine,
    ScoreLine,
    SessionLine,
)
from readerstudy.analytics.queries import NotAnalysable, require_unblinded
from readerstudy.reading.models import Annotation, MethodGuess, Score
from readerstudy.schedules.models import Frame, Pane, Presentation, Session
from readerstudy.studies.models import Criterion, Study, StudySlice

READ = [Presentation.Kind.MAIN, Presentation.Kind.REPEAT]
WITH_PANE = (
    "arm",
    "presentation__session__schedule__reader",
    "presentation__study_slice__slice__case__patient",
)
BY_POSITION = (
    "pane__presentation__session__schedule__reader__number",
    "pane__presentation__session__number",
    "pane__presentation__position",
)
PHASES = {
    Presentation.Kind.MAIN: "scores",
    Presentation.Kind.REPEAT: "repeat",
    Presentation.Kind.FIDELITY: "fidelity",
}


def readings(study: Study) -> dict[str, Any]:
    """Every table that readers made, by its name in ``Inputs``."""
    criteria = list(study.criteria.all())
    pairwise = is_pairwise(study)
    return {
        "scores": () if pairwise else tuple(line for c in criteria for line in score_rows(study, c)),
        "pairs": tuple(line for c in criteria for line in pair_rows(study, c)) if pairwise else (),
        "marks": tuple(mark_rows(study)),
        "checks": tuple(check_rows(study)),
        "guesses": tuple(guess_rows(study)),
        "sessions": tuple(session_rows(study)),
        "records": tuple(record_rows(study)),
    }


def is_pairwise(study: Study) -> bool:
    return bool(study.protocol.get("design", {}).get("kind") == "pairwise")


def primary_criterion(study: Study) -> Criterion:
    return study.criteria.get(key=study.plan["primary_criterion"])


def score_rows(study: Study, criterion: Criterion | None = None) -> list[ScoreLine]:
    """One line per planned reading, by arm, slice, reader and repeat; raises ``StudyBlinded``."""
    require_unblinded(study)
    criterion = criterion or primary_criterion(study)
    given = _scores(study, criterion)
    lines: dict[tuple[int, int, int, int], ScoreLine] = {}
    for pane in _panes(study):
        presentation = pane.presentation
        reader = presentation.session.schedule.reader
        assert reader is not None and pane.arm is not None
        key = (
            pane.arm.position, presentation.study_slice.position, reader.number,
            int(presentation.kind == Presentation.Kind.REPEAT),
        )  # fmt: skip
        if key in lines:
            raise NotAnalysable(
                f"{reader.pseudonym} is shown slice {presentation.study_slice.position} of {pane.arm.key} more "
                "often than twice: only a first reading and one repeat can be analysed."
            )
        lines[key] = _score_line(pane, criterion.key, key, given.get(presentation.pk, ("", None, 0)))
    return [lines[key] for key in sorted(lines)]


def _panes(study: Study) -> QuerySet[Pane]:
    return Pane.objects.filter(
        presentation__session__schedule__study=study,
        presentation__session__schedule__reader__isnull=False,
        presentation__kind__in=READ,
        arm__isnull=False,
    ).select_related(*WITH_PANE)


def _scores(study: Study, criterion: Criterion) -> dict[str, tuple[str, int | None, int]]:
    """Presentation to the score as text, the milliseconds it took, and those of pauses in it."""
    rows = Score.objects.filter(criterion=criterion, presentation__session__schedule__study=study)
    return {
        presentation: (CANNOT_JUDGE if refused else str(value), elapsed, idle)
        for presentation, value, refused, elapsed, idle in rows.filter(choice="").values_list(
            "presentation_id", "value", "cannot_judge", "elapsed_ms", "idle_ms"
        )
    }


def _score_line(
    pane: Pane, criterion: str, key: tuple[int, int, int, int], given: tuple[str, int | None, int]
) -> ScoreLine:
    score, elapsed, idle = given
    assert pane.arm is not None
    return ScoreLine(
        arm=pane.arm.key,
        score=score,
        repeat=key[3],
        criterion=criterion,
        position=pane.presentation.position,
        seconds=None if elapsed is None else elapsed / 1000,
        idle_s=idle / 1000,
        **_whose(pane),
    )


def slice_name(row: StudySlice) -> str:
    return f"S{row.position:03d}"


def pair_rows(study: Study, criterion: Criterion) -> list[PairLine]:
    """One line per planned comparison, by slice, reader, session and position; raises ``StudyBlinded``."""
    require_unblinded(study)
    shown: dict[str, dict[int, Pane]] = {}
    for pane in _panes(study):
        shown.setdefault(pane.presentation_id, {})[pane.index] = pane
    given = {
        presentation: (CANNOT_JUDGE if refused else choice, elapsed)
        for presentation, choice, refused, elapsed in Score.objects.filter(
            criterion=criterion, presentation__session__schedule__study=study
        ).values_list("presentation_id", "choice", "cannot_judge", "elapsed_ms")
    }
    lines = [_pair_line(panes, criterion.key, given.get(key, ("", None))) for key, panes in shown.items()]
    return sorted(lines, key=lambda line: (line.slice, _number(line.reader), line.session, line.position))


def _pair_line(panes: dict[int, Pane], criterion: str, given: tuple[str, int | None]) -> PairLine:
    left, right = panes[0], panes[1]
    assert left.arm is not None and right.arm is not None
    return PairLine(
        left=left.arm.key,
        right=right.arm.key,
        choice=given[0],
        repeat=int(left.presentation.kind == Presentation.Kind.REPEAT),
        criterion=criterion,
        position=left.presentation.position,
        seconds=None if given[1] is None else given[1] / 1000,
        **_whose(left),
    )


def _number(pseudonym: str) -> int:
    return int(pseudonym.removeprefix("R"))


def _whose(pane: Pane) -> dict[str, Any]:
    """What every line of a pane has in common: slice, reader, patient, modality, session."""
    presentation = pane.presentation
    case, reader = presentation.study_slice.slice.case, presentation.session.schedule.reader
    assert reader is not None
    return {
        "slice": slice_name(presentation.study_slice),
        "reader": reader.pseudonym,
        "patient": case.patient.pseudonym,
        "modality": case.modality,
        "session": presentation.session.number,
        "simulated": int(reader.simulated),
    }


def mark_rows(study: Study) -> list[MarkLine]:
    """Every mark that was not deleted, on an arm's image, in the order of readers, sessions and positions."""
    require_unblinded(study)
    marks = (
        Annotation.objects.filter(
            presentation__session__schedule__study=study,
            presentation__session__schedule__reader__isnull=False,
            pane__arm__isnull=False,
            deleted=False,
        )
        .select_related(*(f"pane__{name}" for name in WITH_PANE))
        .order_by(*BY_POSITION, "entry__sequence")
    )
    offsets = _frame_offsets(study)
    return [_mark_line(mark, offsets) for mark in marks]


def _mark_line(mark: Annotation, offsets: dict[tuple[int, int], int]) -> MarkLine:
    pane = mark.pane
    assert pane.arm is not None
    return MarkLine(
        arm=pane.arm.key,
        phase=PHASES[Presentation.Kind(pane.presentation.kind)],
        label=mark.label,
        shape=mark.shape,
        points=json.dumps(mark.points, separators=(",", ":")),
        frame_offset=offsets.get((pane.pk, mark.frame_index), 0),
        length_mm=_length_mm(mark),
        confidence=mark.confidence,
        consequence=mark.consequence,
        comment=mark.comment,
        **_whose(pane),
    )


def _frame_offsets(study: Study) -> dict[tuple[int, int], int]:
    """Pane and index of every neighbouring slice shown, to its distance from the scored one."""
    frames = Frame.objects.filter(pane__presentation__session__schedule__study=study, index__gt=0)
    return {(pane, index): offset for pane, index, offset in frames.values_list("pane", "index", "offset")}


def _length_mm(mark: Annotation) -> float | None:
    """Length of a line or an arrow; nothing for other shapes or where the source states no spacing."""
    spacing = mark.pane.presentation.study_slice.slice.case.pixel_spacing
    if spacing is None or mark.shape not in (Annotation.Shape.LINE, Annotation.Shape.ARROW):
        return None
    (x0, y0), (x1, y1) = mark.points[:2]
    return math.hypot((x1 - x0) * spacing[1], (y1 - y0) * spacing[0])


def check_rows(study: Study) -> list[CheckLine]:
    """Every image of an arm that the fidelity pass showed beside its reference."""
    require_unblinded(study)
    panes = (
        Pane.objects.filter(
            presentation__session__schedule__study=study,
            presentation__session__schedule__reader__isnull=False,
            presentation__kind=Presentation.Kind.FIDELITY,
            arm__isnull=False,
        )
        .select_related(*WITH_PANE)
        .order_by(*(name.removeprefix("pane__") for name in BY_POSITION))
    )
    compared = set(
        Presentation.objects.filter(session__schedule__study=study, answers__entry__verb="compared").values_list(
            "pk", flat=True
        )
    )
    return [
        CheckLine(arm=pane.arm.key, done=int(pane.presentation_id in compared), **_whose(pane))
        for pane in panes
        if pane.arm is not None
    ]


def guess_rows(study: Study) -> list[GuessLine]:
    """What readers took images' arms for, in the order of readers and arms."""
    require_unblinded(study)
    guesses = (
        MethodGuess.objects.filter(pane__presentation__session__schedule__study=study, pane__arm__isnull=False)
        .select_related(*(f"pane__{name}" for name in WITH_PANE))
        .order_by(
            "pane__presentation__session__schedule__reader__number",
            "pane__arm__position",
            "pane__presentation__study_slice__position",
        )
    )
    lines = []
    for guess in guesses:
        whose = _whose(guess.pane)
        whose.pop("session")
        assert guess.pane.arm is not None
        lines.append(GuessLine(arm=guess.pane.arm.key, guessed=guess.guessed, reason=guess.reason, **whose))
    return lines


def session_rows(study: Study) -> list[SessionLine]:
    """Every sitting of every reader: how much of it was read, and on which display."""
    require_unblinded(study)
    sessions = (
        Session.objects.filter(schedule__study=study, schedule__reader__isnull=False)
        .select_related("schedule__reader")
        .order_by("schedule__reader__number", "number")
    )
    images = Counter(
        Presentation.objects.filter(session__in=sessions, kind__in=READ).values_list("session_id", flat=True)
    )
    primary = Score.objects.filter(presentation__session__in=sessions, criterion=primary_criterion(study))
    read: dict[int, Any] = {
        row["presentation__session"]: row
        for row in primary.order_by()
        .values("presentation__session")
        .annotate(n=Count("pk"), fast=Count("pk", filter=Q(too_fast=True)), idle=Sum("idle_ms"))
    }
    return [_session_line(session, images[session.pk], read.get(session.pk, {})) for session in sessions]


def _session_line(session: Session, images: int, read: dict[str, Any]) -> SessionLine:
    reader, place = session.schedule.reader, session.environment
    assert reader is not None
    screen = place.get("screen", {})
    size = [str(screen[name]) for name in ("width", "height") if name in screen]
    return SessionLine(
        reader=reader.pseudonym,
        session=session.number,
        images=images,
        read=read.get("n", 0),
        signed=int(session.signed_at is not None),
        too_fast=read.get("fast", 0),
        idle_s=read.get("idle", 0) / 1000,
        display_check=place.get("check", ""),
        screen="x".join(size),
        pixel_ratio=screen.get("ratio"),
        ambient_light=place.get("ambient_light", ""),
        remote_desktop=place.get("remote_desktop", ""),
        simulated=int(reader.simulated),
    )


def record_rows(study: Study) -> list[RecordLine]:
    """What the readers said about themselves; nothing where the protocol asks for nothing."""
    require_unblinded(study)
    if not study.protocol.get("study", {}).get("reader_record"):
        return []
    return [
        RecordLine(
            reader=row.pseudonym,
            state=row.state,
            years=row.record.get("years"),
            specialty=row.record.get("specialty", ""),
            board=row.record.get("board", ""),
            cases_per_year=row.record.get("cases_per_year"),
            conflicts=row.record.get("conflicts", ""),
            simulated=int(row.simulated),
        )
        for row in study.readers.order_by("number")
    ]
