"""Everything that is drawn, once, at opening: the slices from the protocol's seed, the orders from the secret."""

from __future__ import annotations

import secrets
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone

from readerstudy.cases.models import Slice
from readerstudy.schedules.commitment import commitment
from readerstudy.schedules.designs import make_orders
from readerstudy.schedules.designs.types import Design, DesignSlice, ReaderOrder
from readerstudy.schedules.models import Frame, OrderSecret, Pane, Presentation, Schedule, Session
from readerstudy.schedules.stream import Stream
from readerstudy.studies.models import Arm, Reader, Study, StudyImage, StudySlice
from readerstudy.studies.protocol import Protocol
from readerstudy.studies.queries import eligible_slices

BATCH = 500


class DrawError(ValueError):
    """Why the draw is impossible, in one sentence that says what to change."""


def draw_slices(study: Study, protocol: Protocol) -> list[StudySlice]:
    """Draw the study's slices from the frame by the protocol's seed; strata share the number as equally as can be."""
    stream = Stream(protocol.study.seed.to_bytes(8, "big"), "slices")
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
    return StudySlice.objects.bulk_create(
        StudySlice(
            study=study, position=position, slice=row, stratum=name,
            window_center=row.window_center, window_width=row.window_width,
        )
        for position, (name, row) in enumerate(chosen, start=1)
    )  # fmt: skip


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


@dataclass(frozen=True)
class DrawnOrders:
    """What opening made: the commitment to show, and the number of presentations per reader."""

    commitment: str
    presentations: int


def draw_orders(study: Study, protocol: Protocol, images: dict[tuple[int, int], StudyImage]) -> DrawnOrders:
    """Make the secret, the orders of all readers and reserves, and their rows.

    ``images``: the frozen image of (arm id, study slice id), with its reconstruction and run loaded.
    """
    secret = secrets.token_bytes(32)
    orders = make_orders(design_of(study, protocol), secret)
    sealed = commitment(secret, [order_as_data(order) for order in orders], study.protocol_hash)
    OrderSecret.objects.create(study=study, secret=secret.hex(), commitment=sealed)
    readers = list(study.readers.order_by("number"))
    arms = list(study.arms.order_by("position"))
    slices = {str(s.position): s for s in study.slices.all()}
    for order in orders:
        reader = readers[order.reader] if order.reader < len(readers) else None
        _write_schedule(study, protocol, order, reader, arms, slices, images)
    return DrawnOrders(sealed, len(orders[0].positions))


def design_of(study: Study, protocol: Protocol) -> Design:
    """The design as pure data: slices by their position, arms by theirs."""
    rows = study.slices.select_related("slice__case__patient").order_by("position")
    return Design(
        arms=study.arms.count(),
        slices=tuple(DesignSlice(str(r.position), r.slice.case.modality, r.slice.case.patient.pseudonym) for r in rows),
        sessions=protocol.sessions.number, kind=protocol.design.kind, minimum_gap=protocol.design.minimum_gap,
        repeats=protocol.design.repeats, readers=study.readers.count(), reserves=protocol.design.reserves,
    )  # fmt: skip


def order_as_data(order: ReaderOrder) -> list[list[Any]]:
    """One reader's order as plain lists: session, position, slice, arms, repeat of."""
    return [[p.session, p.position, p.slice, list(p.arms), p.repeat_of] for p in order.positions]


def _write_schedule(
    study: Study, protocol: Protocol, order: ReaderOrder, reader: Reader | None, arms: list[Arm],
    slices: dict[str, StudySlice], images: dict[tuple[int, int], StudyImage],
) -> None:  # fmt: skip
    schedule = Schedule.objects.create(
        study=study, number=order.reader + 1, reader=reader, token=secrets.token_urlsafe(16)
    )
    sessions = Session.objects.bulk_create(
        Session(schedule=schedule, number=n, token=secrets.token_urlsafe(16))
        for n in range(1, protocol.sessions.number + 1)
    )
    ids = [secrets.token_urlsafe(16) for _ in order.positions]
    presentations = [
        Presentation(
            id=own, session=sessions[p.session], position=p.position, study_slice=slices[p.slice], round=p.round,
            kind=Presentation.Kind.MAIN if p.repeat_of is None else Presentation.Kind.REPEAT,
            repeat_of_id=None if p.repeat_of is None else ids[p.repeat_of],
        )
        for own, p in zip(ids, order.positions, strict=True)
    ]  # fmt: skip
    Presentation.objects.bulk_create(presentations, batch_size=BATCH)
    shown = [
        (own, index, images[arms[arm].pk, slices[p.slice].pk])
        for own, p in zip(ids, order.positions, strict=True)
        for index, arm in enumerate(p.arms)
    ]
    panes = Pane.objects.bulk_create(
        (
            Pane(presentation_id=own, index=index, arm_id=image.arm_id, run_id=image.reconstruction.run_id)
            for own, index, image in shown
        ),
        batch_size=BATCH,
    )
    Frame.objects.bulk_create(
        (
            Frame(pane=pane, index=0, reconstruction_id=image.reconstruction_id, pixels=image.pixels)
            for pane, (_, _, image) in zip(panes, shown, strict=True)
        ),
        batch_size=BATCH,
    )


def reveal_secret(study: Study, at: datetime | None = None) -> OrderSecret:
    """At unblinding only: from here on the secret may be shown, so that anyone can check the commitment."""
    secret = OrderSecret.objects.get(study=study)
    secret.revealed_at = at or timezone.now()
    secret.save(update_fields=["revealed_at"])
    return secret
