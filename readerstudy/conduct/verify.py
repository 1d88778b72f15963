"""Check everything a study is made of: the chain, the commitment, the orders, the frozen hashes, every score."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from readerstudy.audit import actions as audit
from readerstudy.audit.canonical import sha256_of
from readerstudy.audit.models import Entry
from readerstudy.cases import store
from readerstudy.conduct.actions import Change
from readerstudy.conduct.actions.amendments import applied
from readerstudy.conduct.answered import answers_hold
from readerstudy.conduct.frozen import frozen_rows_hold
from readerstudy.conduct.queries import opening_hash
from readerstudy.reading.actions import marks_hash, scores_hash
from readerstudy.reading.models import Annotation, MethodGuess, Score
from readerstudy.reading.queries import mark_as_data, score_as_data
from readerstudy.schedules.actions import design_of, order_as_data
from readerstudy.schedules.commitment import verify as verify_commitment
from readerstudy.schedules.designs import make_orders
from readerstudy.schedules.designs.fidelity import draw_again
from readerstudy.schedules.models import Frame, OrderSecret, Session
from readerstudy.schedules.queries import stored_orders, stored_orders_as_data
from readerstudy.studies.models import Reader, Study, StudyImage
from readerstudy.studies.queries import protocol_of


def verify_study(study: Study) -> Iterator[str]:
    """One sentence per fault; nothing when all holds."""
    for fault in audit.verify(study.chain):
        yield f"Audit chain: {fault.reason}"
    if study.state == Study.State.DRAFT and not opening_hash(study):
        return
    own = (_protocol, _orders, _pixels, _scores, _marks, _guesses, _shared, _readers, frozen_rows_hold, answers_hold)
    for check in own:
        yield from _guarded(check, study)
    for name in settings.STUDY_CHECKS:
        # Rooms on the right bring checks of their own: named in the settings, since nothing here may import them.
        yield from _guarded(import_string(name), study)


def _guarded(check: Callable[[Study], Iterator[str]], study: Study) -> Iterator[str]:
    """What a check finds; rows that it can't even read are a fault too, and stop no other check."""
    try:
        yield from check(study)
    except Exception as error:
        what = check.__name__.strip("_").replace("_", " ")
        yield f"What belongs to the {what} of the study can't be read: {type(error).__name__}: {error}"


def _protocol(study: Study) -> Iterator[str]:
    """The hashes from the opening through every amendment to the documents as they are."""
    if sha256_of(study.protocol) != study.protocol_hash:
        yield "The protocol was changed after opening, without an amendment."
    if sha256_of(study.plan) != study.plan_hash:
        yield "The analysis plan was changed after opening, without an amendment."
    opened = Entry.objects.filter(chain__name=study.chain, verb="study.open").first()
    if opened is None:
        yield "The audit chain holds no opening."
        return
    hashes = {name: opened.data[name] for name in ("protocol", "plan")}
    amended = [e.data for e in Entry.objects.filter(chain__name=study.chain, verb="study.amend").order_by("sequence")]
    for number, data in enumerate(amended, start=1):
        if (data["number"], data["before"]) != (number, hashes):
            yield f"Amendment {number} does not follow what the audit chain holds before it."
        hashes = data["after"]
    if hashes != {"protocol": study.protocol_hash, "plan": study.plan_hash}:
        yield "The hashes of protocol and plan differ from those recorded at opening and in the amendments."
    yield from _amendments(study, amended)
    yield from _taken_back(study, opened.data, amended)


def _amendments(study: Study, amended: list[dict[str, Any]]) -> Iterator[str]:
    """Every amendment's row says what the chain says."""
    told = {
        data["number"]: (data["reason"], data["changes"], sha256_of(data["before"]), sha256_of(data["after"]))
        for data in amended
    }
    live = {row.number: (row.reason, row.changes, row.before_hash, row.after_hash) for row in study.amendments.all()}
    for number in sorted(told.keys() | live.keys()):
        if told.get(number) != live.get(number):
            yield f"Amendment {number} is not what the audit chain says."


def _taken_back(study: Study, opened: dict[str, Any], amended: list[dict[str, Any]]) -> Iterator[str]:
    """Without its amendments the protocol is what was opened: nothing else was changed on the way."""
    protocol, plan = study.protocol, study.plan
    for data in reversed(amended):
        back = [Change(c["key"], c["after"], c["before"]) for c in data["changes"]]
        protocol, plan = applied(protocol, plan, back)
    if amended and not _same(protocol, opened["protocol"], plan, opened["plan"]):
        yield "Without its amendments the protocol is not the one that was opened."


def _same(protocol: dict[str, Any], protocol_hash: str, plan: dict[str, Any], plan_hash: str) -> bool:
    return (sha256_of(protocol), sha256_of(plan)) == (protocol_hash, plan_hash)


def _orders(study: Study) -> Iterator[str]:
    secret = OrderSecret.objects.get(study=study)
    rows = stored_orders_as_data(study)
    # The commitment seals the protocol as it was opened, whatever amendments came later.
    if not verify_commitment(
        secret.commitment, bytes.fromhex(secret.secret), rows, opening_hash(study) or study.protocol_hash
    ):
        yield "The commitment does not fit the stored schedules, the secret and the protocol."
    protocol, key = protocol_of(study), bytes.fromhex(secret.secret)
    drawn = make_orders(design_of(study, protocol), key)
    stored = stored_orders(study)
    for number, (order, row, kept) in enumerate(zip(drawn, rows, stored, strict=False), start=1):
        again = order_as_data(order, draw_again(order, protocol.design.fidelity, key))
        if again != row or order.positions != kept.positions:
            yield f"Schedule {number} is not the one that the secret draws."


def _shared(study: Study) -> Iterator[str]:
    """An extension shows the slices of the study that it extends."""
    if study.extends is None:
        return
    own, drawn = (
        list(row.slices.order_by("position").values_list("position", "slice", "stratum"))
        for row in (study, study.extends)
    )
    if own != drawn:
        yield "The slices are not those of the study that this one extends."


def _readers(study: Study) -> Iterator[str]:
    """Who left a study, and who holds which schedule, is what the chain says."""
    left: dict[str, str] = {}
    came: dict[str, int] = {}
    for entry in Entry.objects.filter(chain__name=study.chain, verb__in=["reader.withdraw", "reader.replace"]).order_by(
        "sequence"
    ):
        replaced = entry.verb == "reader.replace"
        left[entry.data["reader"]] = Reader.State.REPLACED if replaced else Reader.State.WITHDRAWN
        if replaced:
            came[entry.data["by"]] = entry.data["schedule"]
    for reader in study.readers.select_related("schedule"):
        if reader.state != left.get(reader.pseudonym, Reader.State.ACTIVE):
            yield f"The state of reader {reader.pseudonym} is not what the audit chain says."
        schedule = getattr(reader, "schedule", None)
        if reader.pseudonym in came and (schedule is None or schedule.number != came[reader.pseudonym]):
            yield f"Reader {reader.pseudonym} does not hold the schedule that the audit chain names."
    yield from _records(study)


def _records(study: Study) -> Iterator[str]:
    """What readers said about themselves is what they said last."""
    said = Entry.objects.filter(chain__name=study.chain, verb="reader.record").order_by("sequence")
    told = {entry.subject: entry.data["sha256"] for entry in said}
    for reader in study.readers.all():
        if told.get(f"reader:{reader.pk}") != (sha256_of(reader.record) if reader.record else None):
            yield f"What reader {reader.pseudonym} said about themselves is not what the audit chain says."


def _pixels(study: Study) -> Iterator[str]:
    frozen: dict[tuple[int | None, int], StudyImage] = {}
    for image in StudyImage.objects.filter(study_slice__study=study).select_related("reconstruction"):
        frozen[image.arm_id, image.study_slice_id] = image
        if image.reconstruction.pixels != image.pixels:
            yield f"Reconstruction {image.reconstruction_id} changed after opening."
        else:
            yield from _stored(image.pixels)
            if image.reconstruction.uncertainty:
                yield from _stored(image.reconstruction.uncertainty)
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
