"""Check everything a study is made of: the chain, the commitment, the orders, the frozen hashes, every score."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from readerstudy.audit import actions as audit
from readerstudy.audit.canonical import sha256_of
from readerstudy.audit.models import Entry
from readerstudy.cases import store
from readerstudy.reading.actions import marks_hash, scores_hash
from readerstudy.reading.models import Annotation, MethodGuess, Score
from readerstudy.reading.queries import mark_as_data, score_as_data
from readerstudy.schedules.actions import design_of, order_as_data
from readerstudy.schedules.commitment import verify as verify_commitment
from readerstudy.schedules.designs import make_orders
from readerstudy.schedules.designs.fidelity import draw_again
from readerstudy.schedules.models import Frame, OrderSecret, Session
from readerstudy.schedules.queries import stored_orders_as_data
from readerstudy.studies.models import Study, StudyImage
from readerstudy.studies.queries import protocol_of


def verify_study(study: Study) -> Iterator[str]:
    """One sentence per fault; nothing when all holds."""
    for fault in audit.verify(study.chain):
        yield f"Audit chain: {fault.reason}"
    if study.state == Study.State.DRAFT:
        return
    yield from _protocol(study)
    yield from _orders(study)
    yield from _pixels(study)
    yield from _scores(study)
    yield from _marks(study)
    yield from _guesses(study)


def _protocol(study: Study) -> Iterator[str]:
    if sha256_of(study.protocol) != study.protocol_hash:
        yield "The protocol was changed after opening."
    if sha256_of(study.plan) != study.plan_hash:
        yield "The analysis plan was changed after opening."
    opened = Entry.objects.filter(chain__name=study.chain, verb="study.open").first()
    if opened is None:
        yield "The audit chain holds no opening."
    elif (opened.data["protocol"], opened.data["plan"]) != (study.protocol_hash, study.plan_hash):
        yield "The hashes of protocol and plan differ from those recorded at opening."


def _orders(study: Study) -> Iterator[str]:
    secret = OrderSecret.objects.get(study=study)
    rows = stored_orders_as_data(study)
    if not verify_commitment(secret.commitment, bytes.fromhex(secret.secret), rows, study.protocol_hash):
        yield "The commitment does not fit the stored schedules, the secret and the protocol."
    protocol, key = protocol_of(study), bytes.fromhex(secret.secret)
    drawn = make_orders(design_of(study, protocol), key)
    for number, (order, row) in enumerate(zip(drawn, rows, strict=False), start=1):
        if order_as_data(order, draw_again(order, protocol.design.fidelity, key)) != row:
            yield f"Schedule {number} is not the one that the secret draws."


def _pixels(study: Study) -> Iterator[str]:
    frozen: dict[tuple[int | None, int], StudyImage] = {}
    for image in StudyImage.objects.filter(study_slice__study=study).select_related("reconstruction"):
        frozen[image.arm_id, image.study_slice_id] = image
        if image.reconstruction.pixels != image.pixels:
            yield f"Reconstruction {image.reconstruction_id} changed after opening."
        else:
            yield from _stored(image.pixels)
    frames = Frame.objects.filter(pane__presentation__session__schedule__study=study)
    checked: set[str] = set()
    for frame in frames.select_related("pane__presentation", "reconstruction").iterator():
        kept = frozen.get((frame.pane.arm_id, frame.pane.presentation.study_slice_id))
        own = kept is not None and (kept.reconstruction_id, kept.pixels) == (frame.reconstruction_id, frame.pixels)
        near = (frame.reconstruction.run_id, frame.reconstruction.pixels) == (frame.pane.run_id, frame.pixels)
        if not (near if frame.offset else own):
            yield f"Frame {frame.pk} does not show what was frozen at opening."
        elif frame.offset and frame.pixels not in checked:
            checked.add(frame.pixels)
            yield from _stored(frame.pixels)
    for practice in study.practice_images.all():
        yield from _stored(practice.pixels)


def _stored(name: str) -> Iterator[str]:
    try:
        store.verify(name)
    except store.PixelsMissing as error:
        yield str(error)


def _scores(study: Study) -> Iterator[str]:
    """The live scores must be what the chain's events add up to, and signed sessions what was signed."""
    told: dict[tuple[str, str], Any] = {}
    for entry in Entry.objects.filter(chain__name=study.chain, verb="score").order_by("sequence"):
        data = entry.data
        for criterion, value in data["answers"].items():
            told[data["presentation"], criterion] = value
    rows = Score.objects.filter(criterion__study=study).select_related("criterion")
    live = {(row.presentation_id, row.criterion.key): score_as_data(row) for row in rows}
    for place in sorted(told.keys() | live.keys()):
        if told.get(place) != live.get(place):
            yield f"The score of presentation {place[0]} on {place[1]} is not what the audit chain says."
    for session in Session.objects.filter(schedule__study=study, signed_at__isnull=False):
        if scores_hash(session) != session.signature["scores"]:
            yield f"Session {session.pk} no longer holds the scores that were signed."
        if marks_hash(session) != session.signature.get("marks", marks_hash(session)):
            yield f"Session {session.pk} no longer holds the marks that were signed."


def _marks(study: Study) -> Iterator[str]:
    """The marks must be what the chain's last event of each says."""
    told = {
        entry.data["mark"]["id"]: (entry.data["presentation"], entry.data["mark"])
        for entry in Entry.objects.filter(chain__name=study.chain, verb="mark").order_by("sequence")
    }
    rows = Annotation.objects.filter(presentation__session__schedule__study=study).select_related("pane")
    live = {str(row.pk): (row.presentation_id, mark_as_data(row)) for row in rows}
    for mark in sorted(told.keys() | live.keys()):
        if told.get(mark) != live.get(mark):
            yield f"The mark {mark} is not what the audit chain says."


def _guesses(study: Study) -> Iterator[str]:
    """The method guesses must be what the chain's events say."""
    told = {
        (guess["presentation"], guess["pane"]): (guess["guessed"], guess["reason"])
        for entry in Entry.objects.filter(chain__name=study.chain, verb="guess")
        for guess in entry.data["guesses"]
    }
    rows = MethodGuess.objects.filter(pane__presentation__session__schedule__study=study).select_related("pane")
    live = {(row.pane.presentation_id, row.pane.index): (row.guessed, row.reason) for row in rows}
    for place in sorted(told.keys() | live.keys()):
        if told.get(place) != live.get(place):
            yield f"The method guess on presentation {place[0]} is not what the audit chain says."
