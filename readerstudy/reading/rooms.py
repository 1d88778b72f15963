"""What the reading room's page is told: the images of a session, a fidelity pass or the training phase.

Nothing here tells an arm; all images of a study have the same shape of data.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.db.models import Exists, OuterRef
from django.urls import reverse

from readerstudy.cases.models import Case
from readerstudy.reading.models import Answer
from readerstudy.reading.queries import FIDELITY, SCORED, criteria_as_data, mark_as_data, score_as_data
from readerstudy.schedules.models import Pane, PracticeImage, Presentation, Schedule, Session
from readerstudy.studies.protocol import FIDELITY_LABELS, Protocol
from readerstudy.studies.queries import preset_windows


def room(session: Session, protocol: Protocol) -> dict[str, Any]:
    """The session's images to be scored or, once its scores are final, those of its fidelity pass."""
    comparing = session.scores_final_at is not None
    items = _items(session, comparing)
    fidelity = session.presentations.filter(kind=FIDELITY).count()
    return {
        "mode": "fidelity" if comparing else "pairwise" if protocol.design.kind == "pairwise" else "scores",
        "session": {"number": session.number, "of": session.schedule.sessions.count(), "total": len(items)},
        "items": items,
        "criteria": [] if comparing else criteria_as_data(session.schedule.study),
        "labels": list(FIDELITY_LABELS) if comparing else protocol.display.labels,
        "fidelity": 0 if comparing else fidelity,
        **_frame_of_room(session.schedule, protocol, items),
    }


def practice_room(schedule: Schedule, protocol: Protocol) -> dict[str, Any]:
    """The training phase: graded images with the grade that is shown after answering."""
    answered = dict(schedule.reader.practice_answers.values_list("image_id", "answers")) if schedule.reader else {}
    images = PracticeImage.objects.filter(study=schedule.study).select_related("slice__case").order_by("position")
    items = [_practice_item(image, answered.get(image.pk, {})) for image in images]
    return {
        "mode": "practice",
        "session": {"number": 0, "of": 0, "total": len(items)},
        "items": items,
        "criteria": criteria_as_data(schedule.study),
        "labels": [],
        "fidelity": 0,
        **_frame_of_room(schedule, protocol, items),
    }


def _frame_of_room(schedule: Schedule, protocol: Protocol, items: list[dict[str, Any]]) -> dict[str, Any]:
    display, reader = asdict(protocol.display), schedule.reader
    shown = ("interpolation", "window", "zoom", "dark_interval_ms", "back", "pixel_statistics")
    sessions = {
        "too_fast_ms": protocol.sessions.too_fast_ms,
        "break_after_minutes": protocol.sessions.break_after_minutes,
    }
    return {
        "display": {name: display[name] for name in shown} | sessions,
        "presets": {m: preset_windows(m) for m in sorted({item["modality"] for item in items})},
        "simulated": bool(reader and reader.simulated),
        "reader": reader.pseudonym if reader else "",
    }


def _items(session: Session, comparing: bool) -> list[dict[str, Any]]:
    compared = Answer.objects.filter(presentation=OuterRef("pk"), entry__verb="compared")
    rows = (
        Presentation.objects.filter(session=session, kind__in=[FIDELITY] if comparing else SCORED)
        .select_related("study_slice__slice__case")
        .prefetch_related("panes__frames", "scores__criterion", "annotations__pane")
        .annotate(compared=Exists(compared))
        .order_by("position")
    )
    return [_item(row, place) for place, row in enumerate(rows, start=1)]


def _item(row: Presentation, place: int) -> dict[str, Any]:
    panes = list(row.panes.all())
    return {
        "id": row.pk,
        "position": place,
        "panes": [_frames(row, pane) for pane in panes],
        "reference": next((pane.index for pane in panes if pane.arm_id is None), None),
        **_geometry(row.study_slice.slice.case),
        "window": {"center": row.study_slice.window_center, "width": row.study_slice.window_width},
        "scores": {score.criterion.key: score_as_data(score) for score in row.scores.all()},
        "comment": next((score.comment for score in row.scores.all()), ""),
        "marks": [mark_as_data(mark) for mark in row.annotations.all()],
        "compared": row.compared,  # type: ignore[attr-defined]
    }


def _frames(row: Presentation, pane: Pane) -> list[dict[str, Any]]:
    return [
        {"url": reverse("reading:frame", args=[row.pk, pane.index, frame.index]), "offset": frame.offset}
        for frame in pane.frames.all()
    ]


def _practice_item(image: PracticeImage, answers: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": image.pk,
        "position": image.position + 1,
        "panes": [[{"url": reverse("reading:practice_frame", args=[image.pk]), "offset": 0}]],
        "reference": None,
        **_geometry(image.slice.case),
        "window": {"center": image.slice.window_center, "width": image.slice.window_width},
        "scores": answers,
        "comment": "",
        "marks": [],
        "compared": False,
        "grade": image.grade,
    }


def _geometry(case: Case) -> dict[str, Any]:
    return {
        "rows": case.rows, "columns": case.columns, "spacing": case.pixel_spacing, "modality": case.modality,
        "slope": case.slope, "intercept": case.intercept, "inverted": case.inverted,
    }  # fmt: skip
