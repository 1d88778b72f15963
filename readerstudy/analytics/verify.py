"""What ``verify_study`` asks of the analysis: that the last snapshot still is what its scores make of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from readerstudy.analytics.compute import code_version, compute, document_text
from readerstudy.analytics.inputs import TABLES, Inputs, inputs_of
from readerstudy.analytics.lines import InputError, to_csv
from readerstudy.analytics.models import Snapshot
from readerstudy.analytics.queries import latest_snapshot
from readerstudy.analytics.readings import readings
from readerstudy.analytics.recompute import Difference, differences
from readerstudy.audit.models import Entry
from readerstudy.studies.models import Study

ABSENT = "absent"


def snapshot_holds(study: Study) -> Iterator[str]:
    """One sentence per fault of the study's last snapshot; nothing where there is none or all holds."""
    snapshot = latest_snapshot(study) if study.state == Study.State.UNBLINDED else None
    if snapshot is None:
        return
    try:
        document = json.loads(snapshot.statistics)
        inputs = inputs_of(snapshot.statistics, snapshot.tables)
    except (InputError, ValueError, KeyError, TypeError) as error:
        yield f"Snapshot {snapshot.pk} can't be read any more: {error}."
        return
    yield from _recorded(study, snapshot)
    if inputs.digest(document["code_version"]) != snapshot.inputs_hash:
        yield f"Snapshot {snapshot.pk} no longer holds the inputs that its hash names."
    yield from _same_scores(study, snapshot)
    yield from _recomputed(snapshot, document, inputs)


def _recorded(study: Study, snapshot: Snapshot) -> Iterator[str]:
    """What the audit chain holds of the snapshot."""
    entry = Entry.objects.filter(
        chain__name=study.chain, verb="snapshot.make", subject=f"snapshot:{snapshot.pk}"
    ).first()
    made = {
        "inputs": snapshot.inputs_hash,
        "statistics": hashlib.sha256(snapshot.statistics.encode()).hexdigest(),
    }
    if entry is None or entry.data != made:
        yield f"Snapshot {snapshot.pk} is not the one that the audit chain records."


def _same_scores(study: Study, snapshot: Snapshot) -> Iterator[str]:
    """The snapshot's scores, marks and guesses are the study's: after the lock none can come or go."""
    for name, lines in readings(study).items():
        if name in snapshot.tables and to_csv(TABLES[name], lines) != snapshot.tables[name]:
            yield f"Snapshot {snapshot.pk} was computed from other {name} than the study holds."


def _recomputed(snapshot: Snapshot, document: dict[str, Any], inputs: Inputs) -> Iterator[str]:
    """The first number that comes out differently; what a newer version computes in addition is no fault."""
    again = json.loads(document_text(compute(inputs)))
    newer = document["code_version"] != code_version()
    for found in differences(document, again):
        if not (newer and found.exported == ABSENT):
            yield _sentence(snapshot, found)
            return


def _sentence(snapshot: Snapshot, found: Difference) -> str:
    return (
        f"Snapshot {snapshot.pk} does not recompute: {found.path} is {found.exported!r} "
        f"and comes out as {found.recomputed!r}."
    )
