"""The study as its readers will see it, on graded images of eligible slices that are no arm's and count as no data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from django.http import Http404
from django.urls import reverse

from readerstudy.accounts.models import User
from readerstudy.cases import store
from readerstudy.cases.actions import record_look
from readerstudy.cases.grades import keep_graded
from readerstudy.cases.models import Modality, Slice
from readerstudy.studies.models import Study
from readerstudy.studies.protocol import Protocol
from readerstudy.studies.queries import eligible_slices, preset_windows, protocol_of

MOST = 6
NEAR = 400
GRADES = (4, 2, 5, 3, 1, 4)
BEST = 5
SHOWN = ("interpolation", "window", "zoom", "dark_interval_ms", "back", "pixel_statistics")


@dataclass(frozen=True)
class Specimen:
    """One image of the rehearsal: a grade per pane, and per frame its offset and slice."""

    slice: Slice
    grades: tuple[int, ...]
    frames: tuple[tuple[int, Slice], ...]


def specimens(protocol: Protocol) -> list[Specimen]:
    """Up to six eligible slices, of as many modalities and cases as there are; always the same."""
    by_modality = [_spread(protocol, modality.value) for modality in Modality]
    chosen: list[Slice] = []
    for turn in range(MOST):
        chosen += [rows[turn] for rows in by_modality if turn < len(rows)]
    return [
        Specimen(row, _grades(protocol, place), _frames(row, protocol.display.context_slices))
        for place, row in enumerate(chosen[:MOST])
    ]


def _spread(protocol: Protocol, modality: str) -> list[Slice]:
    """Some slices of one modality, the middle one of each case first."""
    by_case: dict[UUID, list[Slice]] = {}
    for row in eligible_slices(protocol.slices).filter(case__modality=modality)[:NEAR]:
        by_case.setdefault(row.case_id, []).append(row)
    first = [rows.pop(len(rows) // 2) for rows in by_case.values()]
    return [*first, *(row for rows in by_case.values() for row in rows)][:MOST]


def _grades(protocol: Protocol, place: int) -> tuple[int, ...]:
    grade = GRADES[place % len(GRADES)]
    if protocol.design.kind == "pairwise":
        return (grade, GRADES[(place + 1) % len(GRADES)])
    return (grade, BEST) if protocol.display.reference == "beside" else (grade,)


def _frames(row: Slice, reach: int) -> tuple[tuple[int, Slice], ...]:
    if not reach:
        return ((0, row),)
    near = Slice.objects.filter(case=row.case_id, index__range=(row.index - reach, row.index + reach))
    near = near.exclude(pk=row.pk).select_related("case").order_by("index")
    return ((0, row), *((one.index - row.index, one) for one in near))


def room(study: Study, protocol: Protocol, shown: list[Specimen]) -> dict[str, Any]:
    """What the reading room's page is told; the same shape as for a practice."""
    pairwise = protocol.design.kind == "pairwise"
    display = asdict(protocol.display)
    limits = {
        "too_fast_ms": protocol.sessions.too_fast_ms, "break_after_minutes": protocol.sessions.break_after_minutes,
    }  # fmt: skip
    criteria = [asdict(criterion) for criterion in protocol.criteria]
    return {
        "mode": "pairwise" if pairwise else "practice",
        "session": {"number": 1, "of": protocol.sessions.number, "total": len(shown)},
        "items": [_item(study, protocol, place, one) for place, one in enumerate(shown)],
        "criteria": criteria,
        "labels": protocol.display.labels,
        "fidelity": 0,
        "display": {name: display[name] for name in SHOWN} | limits,
        "presets": {m: preset_windows(m) for m in sorted({one.slice.case.modality for one in shown})},
        "simulated": False,
        "reader": "R0",
    }


def _item(study: Study, protocol: Protocol, place: int, one: Specimen) -> dict[str, Any]:
    case = one.slice.case
    frames = [
        [
            {"url": reverse("studies:preview_frame", args=[study.pk, place, pane, number]), "offset": offset}
            for number, (offset, _) in enumerate(one.frames)
        ]
        for pane in range(len(one.grades))
    ]
    return {
        "id": f"preview-{place + 1}",
        "position": place + 1,
        "panes": frames,
        "reference": 1 if len(one.grades) > 1 and protocol.design.kind != "pairwise" else None,
        "rows": case.rows, "columns": case.columns, "spacing": case.pixel_spacing, "modality": case.modality,
        "slope": case.slope, "intercept": case.intercept, "inverted": case.inverted,
        "window": {"center": one.slice.window_center, "width": one.slice.window_width},
        "scores": {}, "comment": "", "marks": [], "compared": False, "grade": one.grades[0],
    }  # fmt: skip


def pixels(study: Study, by: User, place: int, pane: int, frame: int) -> bytes:
    """One frame of the rehearsal; the person has from now on seen the case."""
    shown = specimens(protocol_of(study))
    if place >= len(shown) or pane >= len(shown[place].grades) or frame >= len(shown[place].frames):
        raise Http404
    row = shown[place].frames[frame][1]
    record_look(row.case, by)
    return store.get(keep_graded(row, shown[place].grades[pane], place))
