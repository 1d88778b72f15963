"""Freeze the numbers of a study: asked for on a page, computed by a worker, stored once per input."""

from __future__ import annotations

import hashlib
from uuid import uuid4

from django.db import transaction

from readerstudy.accounts.models import User
from readerstudy.analytics.compute import code_version, compute, document_text
from readerstudy.analytics.deposit import Deposit, deposit_files
from readerstudy.analytics.exports import build_zip, export_files, pack
from readerstudy.analytics.gathering import gather
from readerstudy.analytics.inputs import Inputs, inputs_of
from readerstudy.analytics.models import Snapshot
from readerstudy.analytics.queries import pending_job, require_unblinded, source_terms
from readerstudy.audit.actions import head, record
from readerstudy.jobs.actions import submit
from readerstudy.jobs.models import Job
from readerstudy.studies.models import Study

PROGRAM = "analytics"


def request_snapshot(study: Study, by: User) -> Job:
    """Hand the computation to a worker; while one is under way it is that one."""
    require_unblinded(study)
    return pending_job(study) or submit(
        f"snapshot:{study.pk}:{uuid4()}", "snapshot", {"study": str(study.pk), "by": by.pk}
    )


def make_snapshot(study: Study, by: User | None) -> Snapshot:
    """Compute and store; the same scores, metrics, plan and code give back the snapshot there is."""
    inputs = gather(study)
    found = known_snapshot(study, inputs)
    return found or store_snapshot(study, inputs, document_text(compute(inputs)), by)


def known_snapshot(study: Study, inputs: Inputs) -> Snapshot | None:
    return study.snapshots.filter(inputs_hash=inputs.digest(code_version())).first()


@transaction.atomic
def store_snapshot(study: Study, inputs: Inputs, statistics: str, by: User | None) -> Snapshot:
    """Write the snapshot and its entry in the study's chain; harmless when it is there already."""
    require_unblinded(study)
    made, created = Snapshot.objects.get_or_create(
        study=study,
        inputs_hash=inputs.digest(code_version()),
        defaults={
            "statistics": statistics,
            "tables": inputs.tables(),
            "chain_head": head(study.chain),
            "simulated": inputs.facts.simulated,
        },
    )
    if created:
        data = {"inputs": made.inputs_hash, "statistics": hashlib.sha256(statistics.encode()).hexdigest()}
        record(study.chain, by.handle if by else PROGRAM, "snapshot.make", f"snapshot:{made.pk}", data)
    return made


def export_snapshot(snapshot: Snapshot, by: User) -> bytes:
    """The zip of a snapshot; every export is an entry of the study's chain with the hash of what left."""
    inputs = inputs_of(snapshot.statistics, snapshot.tables)
    content = build_zip(snapshot.statistics, inputs, snapshot.chain_head)
    with transaction.atomic():
        data = {"sha256": hashlib.sha256(content).hexdigest()}
        record(snapshot.study.chain, by.handle, "snapshot.export", f"snapshot:{snapshot.pk}", data)
    return content


def deposit_snapshot(snapshot: Snapshot, deposit: Deposit, by: User) -> bytes:
    """The zip of a snapshot for a repository; recorded like an export, with the terms that were chosen."""
    inputs = inputs_of(snapshot.statistics, snapshot.tables)
    export = export_files(snapshot.statistics, inputs, snapshot.chain_head)
    content = pack(deposit_files(export, deposit, inputs.facts, source_terms(snapshot.study)))
    with transaction.atomic():
        data = {"sha256": hashlib.sha256(content).hexdigest(), "licence": deposit.licence.title}
        record(snapshot.study.chain, by.handle, "snapshot.deposit", f"snapshot:{snapshot.pk}", data)
    return content
