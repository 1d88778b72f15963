"""Everything that is drawn, once, at opening: the slices from the protocol's seed, the orders from the secret."""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone

from readerstudy.cases.actions import CaseError, freeze
from readerstudy.cases.grades import keep_graded
from readerstudy.cases.models import Slice
from readerstudy.schedules.commitment import commitment
from readerstudy.schedules.designs import make_orders
from readerstudy.schedules.designs.fidelity import Again, draw_again
from readerstudy.schedules.designs.types import Design, DesignSlice, Position, ReaderOrder
from readerstudy.schedules.models import (
    Frame,
    OrderSecret,
    Pane,
    PracticeImage,
    Presentation,
    Schedule,
    Session,
)
from readerstudy.schedules.stream import Stream
from readerstudy.studies.models import Arm, Reader, Study, StudySlice
from readerstudy.studies.protocol import Protocol
from readerstudy.studies.queries import eligible_slices, strange_choices

BATCH = 500
GRADES = (1, 2, 3, 4, 5)
REFERENCE = None


class DrawError(ValueError):
    """Why the draw is impossible, in one sentence that says what to change."""


def draw_slices(study: Study, protocol: Protocol) -> list[StudySlice]:
    """Draw the study's slices from the frame by the protocol's seed; strata share the number as equally as can be."""
    stream = Stream(protocol.study.seed.to_bytes(8, "big"), "slices")
    if strange := strange_choices(protocol.slices):
        raise DrawError(f"{strange[0]} is no case or no eligible slice: correct slices.picked or slices.left_out.")
    frame = list(eligible_slices(protocol.slices))
    if protocol.slices.one_per_patient:
        frame = _one_per_patient(frame, stream.substream("patients"))
    strata: dict[str, list[Slice]] = defaultdict(list)
    for row in frame:
        strata[row.case.modality if protocol.slices.stratify == "modality" else "all"].append(row)
    shares = _shares({name: len(rows) for name, rows in sorted(strata.items())}, protocol.slices.number)
    chosen = [
        (name, row) for name, share in shares.items() for row in stream.substream(name).sample(strata[name], share)
    ]
    current = _frozen([row for _, row in chosen])
    return StudySlice.objects.bulk_create(
        StudySlice(
            study=study, position=position, slice=row, stratum=name,
            window_center=current[row.pk].window_center, window_width=current[row.pk].window_width,
        )
        for position, (name, row) in enumerate(chosen, start=1)
    )  # fmt: skip


def _frozen(rows: list[Slice]) -> dict[int, Slice]:
    """Freeze the slices' cases, so that nothing of them changes any more, and read the slices again after it."""
    try:
        for case in sorted({row.case for row in rows}, key=lambda case: case.pk):
            freeze(case)
    except CaseError as error:
        raise DrawError(str(error)) from error
    return Slice.objects.in_bulk([row.pk for row in rows])


def _one_per_patient(frame: list[Slice], stream: Stream) -> list[Slice]:
    by_patient: dict[str, list[Slice]] = defaultdict(list)
    for row in frame:
        by_patient[row.case.patient.pseudonym].append(row)
    return [stream.choice(rows) for _, rows in sorted(by_patient.items())]


def _shares(available: dict[str, int], number: int) -> dict[str, int]:
    """``number`` over the strata as equally as their sizes allow."""
    if sum(available.values()) < number:
        raise DrawError(
            f"The protocol asks for {number} slices but only {sum(available.values())} are eligible: "
            "import more cases or lower slices.number."
        )
    shares = dict.fromkeys(available, 0)
    while sum(shares.values()) < number:
        open_strata = [name for name in available if shares[name] < available[name]]
        shares[min(open_strata, key=lambda name: shares[name])] += 1
    return shares


def draw_practice(study: Study, protocol: Protocol, drawn: list[StudySlice]) -> list[PracticeImage]:
    """Practice images from eligible slices of patients outside the study, the grades as equally often as can be."""
    number = protocol.design.practice
    if not number:
        return []
    chance = Stream(protocol.study.seed.to_bytes(8, "big"), "practice")
    patients = {row.slice.case.patient_id for row in drawn}
    rules = replace(protocol.slices, picked=[])
    frame = [row for row in eligible_slices(rules) if row.case.patient_id not in patients]
    if not frame:
        raise DrawError(
            "The protocol asks for practice images and every eligible slice is of a patient in the study: "
            "import more cases, draw fewer slices, or set design.practice to 0."
        )
    slices: list[Slice] = []
    grades: list[int] = []
    while len(slices) < number:
        slices += chance.shuffle(frame)
    while len(grades) < number:
        grades += chance.shuffle(GRADES)
    _frozen(slices[:number])
    return PracticeImage.objects.bulk_create(
        PracticeImage(
            id=secrets.token_urlsafe(16), study=study, position=position, slice=row, grade=grade,
            pixels=keep_graded(row, grade, chance.below(2**31)),
        )
        for position, (row, grade) in enumerate(zip(slices[:number], grades[:number], strict=True))
    )  # fmt: skip


@dataclass(frozen=True)
class Shown:
    """What a pane shows: (offset, reconstruction, pixels) of one run, the scored slice first."""

    run: UUID
    frames: tuple[tuple[int, int, str], ...]


# By (arm, or REFERENCE for the reference beside it) and study slice.
ShownImages = Mapping[tuple[int | None, int], Shown]


@dataclass(frozen=True)
class DrawnOrders:
    """What opening made: the commitment to show, and the number of presentations per reader."""

    commitment: str
    presentations: int


def draw_orders(study: Study, protocol: Protocol, shown: ShownImages) -> DrawnOrders:
    """Make the secret, the orders of all readers and reserves, and their rows."""
    secret = secrets.token_bytes(32)
    orders = make_orders(design_of(study, protocol), secret)
    again = [draw_again(order, protocol.design.fidelity, secret) for order in orders]
    rows = [order_as_data(order, fidelity) for order, fidelity in zip(orders, again, strict=True)]
    sealed = commitment(secret, rows, study.protocol_hash)
    OrderSecret.objects.create(study=study, secret=secret.hex(), commitment=sealed)
    readers = list(study.readers.order_by("number"))
    writer = _ScheduleWriter(study, protocol, shown)
    for order, fidelity in zip(orders, again, strict=True):
        writer.write(order, fidelity, readers[order.reader] if order.reader < len(readers) else None)
    return DrawnOrders(sealed, len(orders[0].positions))


def design_of(study: Study, protocol: Protocol) -> Design:
    """The design as pure data: slices by their position, arms by theirs.

    It stays what was drawn: whoever came later took one of the reserves, so that readers aren't counted.
    """
    rows = study.slices.select_related("slice__case__patient").order_by("position")
    return Design(
        arms=study.arms.count(),
        slices=tuple(DesignSlice(str(r.position), r.slice.case.modality, r.slice.case.patient.pseudonym) for r in rows),
        sessions=protocol.sessions.number, kind=protocol.design.kind, minimum_gap=protocol.design.minimum_gap,
        repeats=protocol.design.repeats, readers=protocol.design.readers, reserves=protocol.design.reserves,
        pairs_per_slice=protocol.design.pairs_per_slice or None,
    )  # fmt: skip


def order_as_data(order: ReaderOrder, again: tuple[Again, ...] = ()) -> list[list[Any]]:
    """One reader's order as plain lists: session, position, slice, arms, repeat of.

    The images of the fidelity pass follow as session, position, slice, arms, first shown at, "fidelity".
    """
    first = [[p.session, p.position, p.slice, list(p.arms), p.repeat_of] for p in order.positions]
    return first + [[a.session, a.position, a.slice, list(a.arms), a.shown, "fidelity"] for a in again]


class _ScheduleWriter:
    """Writes one reader's rows after the other."""

    def __init__(self, study: Study, protocol: Protocol, shown: ShownImages) -> None:
        self.study, self.protocol, self.shown = study, protocol, shown
        self.arms: list[Arm] = list(study.arms.order_by("position"))
        self.slices = {str(s.position): s for s in study.slices.all()}
        self.beside = protocol.display.reference == "beside"

    def write(self, order: ReaderOrder, again: tuple[Again, ...], reader: Reader | None) -> None:
        schedule = Schedule.objects.create(
            study=self.study, number=order.reader + 1, reader=reader, token=secrets.token_urlsafe(16)
        )
        sessions = Session.objects.bulk_create(
            Session(schedule=schedule, number=n, token=secrets.token_urlsafe(16))
            for n in range(1, self.protocol.sessions.number + 1)
        )
        ids = [secrets.token_urlsafe(16) for _ in order.positions]
        first = [self._first(own, p, sessions, ids) for own, p in zip(ids, order.positions, strict=True)]
        second = [self._again(a, order.positions[a.shown], sessions, ids) for a in again]
        Presentation.objects.bulk_create([*first, *second], batch_size=BATCH)
        panes = [(row, p, self.beside) for row, p in zip(first, order.positions, strict=True)]
        panes += [(row, order.positions[a.shown], True) for row, a in zip(second, again, strict=True)]
        self._write_panes(panes)

    def _first(self, own: str, p: Position, sessions: list[Session], ids: list[str]) -> Presentation:
        return Presentation(
            id=own, session=sessions[p.session], position=p.position, study_slice=self.slices[p.slice], round=p.round,
            kind=Presentation.Kind.MAIN if p.repeat_of is None else Presentation.Kind.REPEAT,
            repeat_of_id=None if p.repeat_of is None else ids[p.repeat_of],
        )  # fmt: skip

    def _again(self, a: Again, p: Position, sessions: list[Session], ids: list[str]) -> Presentation:
        return Presentation(
            id=secrets.token_urlsafe(16), session=sessions[a.session], position=a.position,
            study_slice=self.slices[p.slice], kind=Presentation.Kind.FIDELITY, repeat_of_id=ids[a.shown],
        )  # fmt: skip

    def _write_panes(self, rows: list[tuple[Presentation, Position, bool]]) -> None:
        """A pane per arm, and one for the reference where it stands beside; each with its frames."""
        wanted = []
        for presentation, position, beside in rows:
            arms: list[int | None] = [self.arms[number].pk for number in position.arms]
            for index, arm in enumerate([*arms, REFERENCE] if beside else arms):
                wanted.append((presentation, index, arm, self.shown[arm, presentation.study_slice_id]))
        panes = Pane.objects.bulk_create(
            (Pane(presentation=row, index=index, arm_id=arm, run_id=shown.run) for row, index, arm, shown in wanted),
            batch_size=BATCH,
        )
        Frame.objects.bulk_create(
            (
                Frame(pane=pane, index=index, offset=offset, reconstruction_id=made, pixels=pixels)
                for pane, (_, _, _, shown) in zip(panes, wanted, strict=True)
                for index, (offset, made, pixels) in enumerate(shown.frames)
            ),
            batch_size=BATCH,
        )


def reveal_secret(study: Study, at: datetime | None = None) -> OrderSecret:
    """At unblinding only: from here on the secret may be shown, so that anyone can check the commitment."""
    secret = OrderSecret.objects.get(study=study)
    secret.revealed_at = at or timezone.now()
    secret.save(update_fields=["revealed_at"])
    return secret
