"""The method guess: which images a reader is asked about. Nothing here names an arm."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from readerstudy.reading.models import MethodGuess
from readerstudy.reading.queries import may_guess, session_cards
from readerstudy.schedules.models import OrderSecret, Pane, Presentation, Schedule
from readerstudy.schedules.stream import Stream


@dataclass(frozen=True)
class GuessItem:
    """One image: a pane of a presentation, with the geometry and the window it was read in."""

    presentation: str
    pane: int
    rows: int
    columns: int
    spacing: tuple[float, float] | None
    slope: float
    intercept: float
    inverted: bool
    center: float
    width: float


def guess_is_open(schedule: Schedule) -> bool:
    """Only after the reader's last signature, while the study is open, and where the protocol asks for it."""
    return may_guess(schedule.study, session_cards(schedule))


def has_guessed(schedule: Schedule) -> bool:
    return MethodGuess.objects.filter(pane__presentation__session__schedule=schedule).exists()


def guess_items(schedule: Schedule) -> list[GuessItem]:
    """The reader's own images, as many of each arm, in random order; the order's secret always draws the same."""
    number = schedule.study.protocol["design"].get("guess_images", 0)
    secret = bytes.fromhex(OrderSecret.objects.get(study=schedule.study_id).secret)
    stream = Stream(secret, f"guess/v1/reader/{schedule.number}")
    shown: dict[int, list[Pane]] = defaultdict(list)
    for pane in _panes(schedule):
        assert pane.arm is not None
        shown[pane.arm.position].append(pane)
    drawn = [pane for _, panes in sorted(shown.items()) for pane in stream.sample(panes, min(number, len(panes)))]
    return [_item(pane) for pane in stream.shuffle(drawn)]


def _panes(schedule: Schedule) -> list[Pane]:
    """Every pane that was scored for the first time, in the order of reading."""
    rows = Pane.objects.filter(
        presentation__session__schedule=schedule, presentation__kind=Presentation.Kind.MAIN, arm__isnull=False
    )
    return list(
        rows.select_related("arm", "presentation__study_slice__slice__case").order_by(
            "presentation__session__number", "presentation__position", "index"
        )
    )


def _item(pane: Pane) -> GuessItem:
    case = pane.presentation.study_slice.slice.case
    return GuessItem(
        pane.presentation_id, pane.index, case.rows, case.columns, case.pixel_spacing, case.slope, case.intercept,
        case.inverted, pane.presentation.study_slice.window_center, pane.presentation.study_slice.window_width,
    )  # fmt: skip
