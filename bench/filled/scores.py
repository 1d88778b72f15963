"""What was read: a chain of events per study, an answer per image, a score per image and criterion."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

from bench.filled.cases import START, moment, sha
from bench.filled.load import load
from bench.filled.studies import ASKED, DAY, DRAWN, Made
from readerstudy.audit.models import Chain, Entry
from readerstudy.reading.models import Answer, Score
from readerstudy.schedules.models import Session

ENDS = {
    "draft": (), "open": (), "closed": ("study.close",), "locked": ("study.close", "study.lock"),
    "unblinded": ("study.close", "study.lock", "study.unblind"),
}  # fmt: skip
BEGINS = ("study.create", "study.add_coordinator", "study.add_analyst", "study.open")


class ChainWriter:
    """Entries of every study's chain, each hashed over the one before, as ``audit.record`` makes them."""

    def __init__(self) -> None:
        self.next = 1

    def write(self, made: Made) -> None:
        """All events of one study in their order; afterwards sessions are signed and can't change any more."""
        chain = Chain.objects.create(name=made.study.chain)
        first, events = self.next, list(_events(made))
        head, length = load_chain(chain, first, events)
        Chain.objects.filter(pk=chain.pk).update(head=head, length=length)
        self.next += length
        answers = [(first + n, subject, key) for n, (_, _, verb, subject, _, key) in enumerate(events) if key]
        load(Answer, ("key", "presentation_id", "digest", "entry_id"), (
            (key, subject.removeprefix("presentation:"), sha(key), entry) for entry, subject, key in answers
        ))  # fmt: skip
        load(Score, ("presentation_id", "criterion_id", "value", "answer_id", "elapsed_ms", "too_fast"), (
            (subject.removeprefix("presentation:"), criterion, 1 + (entry + n) % 5, key, 3000 + entry % 7000, 0)
            for entry, subject, key in answers for n, criterion in enumerate(made.criteria)
        ))  # fmt: skip
        signed = [sitting.id for sitting in made.sittings if sitting.signed]
        Session.objects.filter(pk__in=signed).update(
            signed_at=START + timedelta(days=made.number / 2 + 5),
            signature={"scores": sha("scores"), "marks": sha("m")},
        )


Event = tuple[str, str, str, str, str, str]


def _events(made: Made) -> Iterator[Event]:
    """(at, actor, verb, subject, text, key of the answer) in order."""
    study, seconds = f"study:{made.study.pk}", made.number * DAY / 2
    for verb in BEGINS if made.sittings else BEGINS[:3]:
        text = _opening(made) if verb == "study.open" else "{}"
        yield moment(seconds), "u-coordinator", verb, study, text, ""
    asked = ASKED[: len(made.criteria)]
    for sitting in made.sittings:
        yield moment(seconds), sitting.reader, "session.start", f"session:{sitting.id}", "{}", ""
        for presentation in sitting.presentations:
            seconds, key = seconds + 8, uuid4().hex
            answers = {name: {"value": 1 + len(name) % 5} for name in asked}
            data: dict[str, Any] = {"answers": answers, "comment": "", "key": key, "presentation": presentation}
            text = json.dumps(data, separators=(",", ":"))
            yield moment(seconds), sitting.reader, "score", f"presentation:{presentation}", text, key
        if sitting.signed:
            yield moment(seconds), sitting.reader, "session.sign", f"session:{sitting.id}", "{}", ""
    for verb in ENDS[made.study.state]:
        yield moment(seconds), "u-coordinator", verb, study, "{}", ""


def _opening(made: Made) -> str:
    """What opening records."""
    row = made.study
    data = {
        "commitment": sha(row.pk), "plan": row.plan_hash, "presentations": 400, "protocol": row.protocol_hash,
        "readers": row.readers.count(), "slices": DRAWN,
    }  # fmt: skip
    return json.dumps(data, separators=(",", ":"), sort_keys=True)


def load_chain(chain: Chain, first: int, events: list[Event]) -> tuple[str, int]:
    """The entries as rows; returns the head and the length."""
    previous, rows = "0" * 64, []
    for sequence, (at, actor, verb, subject, text, _) in enumerate(events, start=1):
        parts = [chain.name, sequence, at, actor, verb, subject, text, previous]
        digest = hashlib.sha256(json.dumps(parts, separators=(",", ":"), ensure_ascii=False).encode()).hexdigest()
        rows.append((first + sequence - 1, chain.pk, sequence, at, actor, verb, subject, text, previous, digest))
        previous = digest
    columns = ("id", "chain_id", "sequence", "at", "actor", "verb", "subject", "text", "previous", "hash")
    load(Entry, columns, rows)
    return previous, len(rows)
