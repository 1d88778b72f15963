"""Marks on images: every drawing, move, relabelling and deletion is an event of the study's chain."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from readerstudy.accounts.models import User
from readerstudy.audit.canonical import sha256_of
from readerstudy.reading.actions.errors import Conflict, ReadingError
from readerstudy.reading.actions.receiving import (
    Stored,
    hold,
    keep,
    own,
    require_open,
    require_turn,
    scored_near,
    stored_before,
)
from readerstudy.reading.models import Annotation, Answer
from readerstudy.reading.queries import mark_as_data
from readerstudy.schedules.models import Pane, Presentation
from readerstudy.studies.protocol import FIDELITY_LABELS

# How many points each shape takes: at least, at most.
POINTS: dict[str, tuple[int, int]] = {
    "point": (1, 1), "arrow": (2, 2), "line": (2, 2), "rectangle": (2, 2), "ellipse": (2, 2), "freehand": (2, 500),
}  # fmt: skip
MOST_MARKS = 200
LONGEST_COMMENT = 2000


@dataclass(frozen=True)
class Mark:
    """A mark as it should be from now on, in image coordinates (see ``Annotation``).

    ``revision`` is one more than that of the mark it changes, and 1 for a new one. ``confidence`` (1-5) and
    ``consequence`` belong to the fidelity pass.
    """

    id: UUID
    pane: int
    frame: int
    shape: str
    points: Sequence[Sequence[float]]
    label: str
    comment: str = ""
    confidence: int | None = None
    consequence: str = ""
    deleted: bool = False
    revision: int = 1

    def as_data(self) -> dict[str, Any]:
        return {**asdict(self), "id": str(self.id), "points": [[float(x), float(y)] for x, y in self.points]}


@transaction.atomic
def record_mark(user: User, key: UUID, presentation_id: str, mark: Mark) -> Stored:
    """Store one mark as it now is; raises as ``record_answer`` does, ``Conflict`` where it changed elsewhere."""
    presentation = own(user, presentation_id)
    hold(user, presentation)
    if not all(math.isfinite(value) for point in mark.points for value in point):
        raise ReadingError(_("A mark lies inside its image."))
    digest = sha256_of({"presentation": presentation_id, "mark": mark.as_data()})
    if stored_before(key, presentation, digest):
        return Stored(key, duplicate=True)
    require_open(presentation)
    pane = _pane(presentation, mark)
    _check(presentation, mark)
    live = Annotation.objects.filter(pk=mark.id).first()
    if live is not None and live.presentation_id != presentation.pk:
        raise ReadingError(_("This mark belongs to another image: reload the page and draw it again."))
    if mark.revision != (live.revision if live else 0) + 1:
        stored = mark_as_data(live) if live else {}
        raise Conflict(_("This mark was changed in another window or on another device."), stored)
    if live is None and presentation.annotations.filter(deleted=False).count() >= MOST_MARKS:
        raise ReadingError(_("An image takes {most} marks at most: delete one first.").format(most=MOST_MARKS))
    if presentation.kind != Presentation.Kind.FIDELITY:
        require_turn(presentation, scored_near(presentation))
    answer = keep(user, presentation, key, digest, "mark", {"presentation": presentation.pk, "mark": mark.as_data()})
    _write(live or Annotation(pk=mark.id, presentation=presentation), pane, mark, answer)
    return Stored(key, duplicate=False)


def _pane(presentation: Presentation, mark: Mark) -> Pane:
    pane = presentation.panes.filter(index=mark.pane, arm__isnull=False).first()
    if pane is None or not pane.frames.filter(index=mark.frame).exists():
        raise ReadingError(_("Marks go on the image that is judged, on one of its frames."))
    return pane


def _check(presentation: Presentation, mark: Mark) -> None:
    """Shape, points, label and the fidelity pass's own questions; raises ``ReadingError``."""
    case = presentation.study_slice.slice.case
    if mark.shape not in POINTS:
        raise ReadingError(_("A mark is one of {shapes}.").format(shapes=", ".join(POINTS)))
    least, most = POINTS[mark.shape]
    if not least <= len(mark.points) <= most:
        raise ReadingError(
            _("A mark of shape {shape} has {least} to {most} points.").format(shape=mark.shape, least=least, most=most)
        )
    for x, y in mark.points:
        if not (0 <= x <= case.columns and 0 <= y <= case.rows):
            raise ReadingError(_("A mark lies inside its image."))
    if len(mark.comment) > LONGEST_COMMENT:
        raise ReadingError(_("A comment has {most} characters at most.").format(most=LONGEST_COMMENT))
    comparing = presentation.kind == Presentation.Kind.FIDELITY
    labels = FIDELITY_LABELS if comparing else _labels(presentation)
    if mark.label not in labels:
        raise ReadingError(_("Label the mark with one of {labels}.").format(labels=", ".join(labels)))
    sure = type(mark.confidence) is int and 1 <= mark.confidence <= 5
    asked = sure and mark.consequence in Annotation.Consequence.values
    unasked = mark.confidence is None and not mark.consequence
    if not (asked if comparing else unasked):
        raise ReadingError(
            _("Give a confidence from 1 to 5 and a consequence, in the comparison with the reference only.")
        )


def _labels(presentation: Presentation) -> list[str]:
    display: Mapping[str, Any] = presentation.session.schedule.study.protocol["display"]
    return list(display["labels"])


def _write(row: Annotation, pane: Pane, mark: Mark, answer: Answer) -> None:
    data = mark.as_data()
    row.pane, row.frame_index, row.entry = pane, mark.frame, answer.entry
    for name in ("shape", "points", "label", "comment", "confidence", "consequence", "deleted", "revision"):
        setattr(row, name, data[name])
    row.save()
