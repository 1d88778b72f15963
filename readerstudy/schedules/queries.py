"""Reading the orders back: as data for the commitment, and their balance."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from readerstudy.schedules.actions import design_of, order_as_data
from readerstudy.schedules.designs import BalanceReport, balance_report
from readerstudy.schedules.designs.fidelity import Again
from readerstudy.schedules.designs.types import Position, ReaderOrder
from readerstudy.schedules.models import Presentation, Schedule
from readerstudy.studies.models import Study
from readerstudy.studies.protocol import Protocol


def stored_orders(study: Study) -> tuple[ReaderOrder, ...]:
    """The orders as the rows say them, in the shape in which they were drawn."""
    arms: dict[int | None, int] = {arm.pk: arm.position for arm in study.arms.all()}
    found: dict[int, list[Presentation]] = {row.number: [] for row in Schedule.objects.filter(study=study)}
    shown = (
        Presentation.objects.filter(session__schedule__study=study)
        .exclude(kind=Presentation.Kind.FIDELITY)
        .select_related("session__schedule", "study_slice")
        .prefetch_related("panes")
        .order_by("session__number", "position")
    )
    for row in shown:
        found[row.session.schedule.number].append(row)
    return tuple(ReaderOrder(number - 1, _positions(rows, arms)) for number, rows in sorted(found.items()))


def _positions(rows: list[Presentation], arms: Mapping[int | None, int]) -> tuple[Position, ...]:
    index = {row.pk: i for i, row in enumerate(rows)}
    return tuple(
        Position(
            session=row.session.number - 1, position=row.position, slice=str(row.study_slice.position),
            arms=tuple(arms[pane.arm_id] for pane in row.panes.all() if pane.arm_id is not None),
            repeat_of=None if row.repeat_of_id is None else index[row.repeat_of_id], round=row.round,
        )
        for row in rows
    )  # fmt: skip


def stored_orders_as_data(study: Study) -> list[list[list[Any]]]:
    """Every order with its fidelity pass, as the rows say them."""
    again = stored_again(study)
    return [order_as_data(order, again.get(order.reader, ())) for order in stored_orders(study)]


def stored_again(study: Study) -> dict[int, tuple[Again, ...]]:
    """The images of the fidelity pass as the rows say them, by the number of the reader's order."""
    positions = {arm.pk: arm.position for arm in study.arms.all()}
    ordered = (
        Presentation.objects.filter(session__schedule__study=study)
        .select_related("session__schedule", "study_slice")
        .prefetch_related("panes")
        .order_by("session__schedule__number", "session__number", "position")
    )
    index: dict[str | None, int] = {}
    counts: Counter[int] = Counter()
    again = []
    for row in ordered:
        number = row.session.schedule.number - 1
        if row.kind == Presentation.Kind.FIDELITY:
            again.append((number, row))
        else:
            index[row.pk] = counts[number]
            counts[number] += 1
    found: dict[int, list[Again]] = defaultdict(list)
    for number, row in again:
        arms = tuple(positions[pane.arm_id] for pane in row.panes.all() if pane.arm_id is not None)
        shown = index.get(row.repeat_of_id, -1)
        session = row.session.number - 1
        found[number].append(Again(session, row.position, str(row.study_slice.position), arms, shown))
    return {number: tuple(rows) for number, rows in found.items()}


def balance(study: Study, protocol: Protocol) -> BalanceReport:
    """Every rule of a balanced order with its measured value; names no arm."""
    return balance_report(design_of(study, protocol), stored_orders(study))
