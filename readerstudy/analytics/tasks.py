"""The worker's side of a snapshot."""

from __future__ import annotations

from readerstudy.accounts.models import User
from readerstudy.analytics.actions import known_snapshot, store_snapshot
from readerstudy.analytics.compute import compute, document_text
from readerstudy.analytics.gathering import gather
from readerstudy.analytics.queries import NotAnalysable, StudyBlinded
from readerstudy.jobs.claims import Claim, JobFailure
from readerstudy.studies.models import Study


def snapshot(claim: Claim) -> None:
    """Job handler: payload ``{"study": id}``, and ``"by"`` where a person asked."""
    study = Study.objects.get(pk=claim.payload["study"])
    by = User.objects.filter(pk__in=[claim.payload.get("by")]).first()
    try:
        inputs = gather(study)
    except (StudyBlinded, NotAnalysable) as error:
        raise JobFailure(str(error)) from error
    if known_snapshot(study, inputs):
        return
    claim.heartbeat()
    statistics = document_text(compute(inputs))
    with claim.fenced():
        store_snapshot(study, inputs, statistics, by)
