"""Who may see results, whether they exist yet, and the snapshot and its job."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.http import Http404

from readerstudy.accounts.models import User
from readerstudy.analytics.deposit import SourceTerms
from readerstudy.analytics.models import Snapshot
from readerstudy.cases.models import Source
from readerstudy.jobs.models import Job
from readerstudy.jobs.queries import with_prefix
from readerstudy.studies.models import Study
from readerstudy.studies.queries import ANALYST, study_for


class StudyBlinded(PermissionError):
    """Nothing per arm exists before unblinding."""


class NotAnalysable(ValueError):
    """Why a study has no statistics, in one sentence."""


def analyst_study(user: User | AnonymousUser, pk: UUID | str) -> Study:
    """The study for its analysts and coordinators; everyone else gets a 404."""
    return study_for(user, pk, ANALYST)[0]


def require_unblinded(study: Study) -> None:
    if study.state != Study.State.UNBLINDED:
        raise StudyBlinded(
            f"This study is {study.state}: its results exist only after the lock, "
            "once a second coordinator has unblinded it."
        )


def latest_snapshot(study: Study) -> Snapshot | None:
    return study.snapshots.order_by("-made_at").first()


def unblinded_study(user: User | AnonymousUser, pk: UUID | str) -> tuple[Study, Snapshot]:
    """Study and numbers for its analysts and coordinators, or 404: before unblinding there is nothing to fetch."""
    study = analyst_study(user, pk)
    snapshot = latest_snapshot(study) if study.state == Study.State.UNBLINDED else None
    if snapshot is None:
        raise Http404
    return study, snapshot


def pending_job(study: Study) -> Job | None:
    """The study's snapshot job that is waiting or running."""
    states = [Job.State.QUEUED, Job.State.RUNNING]
    return with_prefix(f"snapshot:{study.pk}:").filter(state__in=states).first()


def failed_job(study: Study) -> Job | None:
    """The study's last snapshot job, if it failed."""
    last = with_prefix(f"snapshot:{study.pk}:").order_by("-created_at").first()
    return last if last and last.state == Job.State.FAILED else None


def source_terms(study: Study) -> list[SourceTerms]:
    """The sources of the study's images, with the licence that each states."""
    used = Source.objects.filter(pk__in=study.slices.values("slice__case__source"))
    return [SourceTerms(source.name, source.licence) for source in used.order_by("name")]
