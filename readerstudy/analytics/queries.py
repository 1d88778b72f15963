"""What the analysis reads from the database, and only once a study is unblinded."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet

from readerstudy.accounts.models import User
from readerstudy.analytics.distances import set_lines
from readerstudy.analytics.inputs import (
    CANNOT_JUDGE,
    ArmFacts,
    ImageLine,
    Inputs,
    ScoreLine,
    StudyFacts,
)
from readerstudy.analytics.models import Snapshot
from readerstudy.jobs.models import Job
from readerstudy.jobs.queries import with_prefix
from readerstudy.reading.models import Score
from readerstudy.schedules.models import Pane, Presentation
from readerstudy.studies.models import Criterion, Study, StudyImage, StudySlice
from readerstudy.studies.queries import ANALYST, study_for

SEED = 0
DRAWS = 2000


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


def pending_job(study: Study) -> Job | None:
    """The study's snapshot job that is waiting or running."""
    states = [Job.State.QUEUED, Job.State.RUNNING]
    return with_prefix(f"snapshot:{study.pk}:").filter(state__in=states).first()


def failed_job(study: Study) -> Job | None:
    """The study's last snapshot job, if it failed."""
    last = with_prefix(f"snapshot:{study.pk}:").order_by("-created_at").first()
    return last if last and last.state == Job.State.FAILED else None


def gather(study: Study) -> Inputs:
    """Scores, metrics and facts of an unblinded study; reads the features of every image from the store."""
    require_unblinded(study)
    scores = [line for criterion in study.criteria.all() for line in score_rows(study, criterion)]
    images = image_rows(study)
    facts = study_facts(study)
    return Inputs(facts, tuple(scores), tuple(set_lines(study, facts)), tuple(images))


def primary_criterion(study: Study) -> Criterion:
    return study.criteria.get(key=study.plan["primary_criterion"])


def score_rows(study: Study, criterion: Criterion | None = None) -> list[ScoreLine]:
    """One line per planned reading, by arm, slice, reader and repeat; raises ``StudyBlinded``."""
    require_unblinded(study)
    criterion = criterion or primary_criterion(study)
    given = _scores(study, criterion)
    lines: dict[tuple[int, int, int, int], ScoreLine] = {}
    for pane in _panes(study):
        presentation = pane.presentation
        reader = presentation.session.schedule.reader
        assert reader is not None and pane.arm is not None
        key = (
            pane.arm.position, presentation.study_slice.position, reader.number,
            int(presentation.kind == Presentation.Kind.REPEAT),
        )  # fmt: skip
        if key in lines:
            raise NotAnalysable(
                f"{reader.pseudonym} is shown slice {presentation.study_slice.position} of {pane.arm.key} in "
                "pairs or more often than twice: this study needs an analysis that compares pairs."
            )
        lines[key] = _score_line(pane, criterion.key, key, given.get(presentation.pk, ("", None)))
    return [lines[key] for key in sorted(lines)]


def _panes(study: Study) -> QuerySet[Pane]:
    kinds = [Presentation.Kind.MAIN, Presentation.Kind.REPEAT]
    return Pane.objects.filter(
        presentation__session__schedule__study=study,
        presentation__session__schedule__reader__isnull=False,
        presentation__kind__in=kinds,
        arm__isnull=False,
    ).select_related(
        "arm",
        "presentation__session__schedule__reader",
        "presentation__study_slice__slice__case__patient",
    )


def _scores(study: Study, criterion: Criterion) -> dict[str, tuple[str, int | None]]:
    """Presentation to the score as text and the milliseconds it took."""
    rows = Score.objects.filter(criterion=criterion, presentation__session__schedule__study=study)
    return {
        presentation: (CANNOT_JUDGE if refused else str(value), elapsed)
        for presentation, value, refused, elapsed in rows.filter(choice="").values_list(
            "presentation_id", "value", "cannot_judge", "elapsed_ms"
        )
    }


def _score_line(pane: Pane, criterion: str, key: tuple[int, int, int, int], given: tuple[str, int | None]) -> ScoreLine:
    presentation, (score, elapsed) = pane.presentation, given
    case, reader = presentation.study_slice.slice.case, presentation.session.schedule.reader
    assert reader is not None and pane.arm is not None
    return ScoreLine(
        slice=_slice_name(presentation.study_slice),
        arm=pane.arm.key,
        reader=reader.pseudonym,
        score=score,
        patient=case.patient.pseudonym,
        modality=case.modality,
        session=presentation.session.number,
        repeat=key[3],
        criterion=criterion,
        position=presentation.position,
        seconds=None if elapsed is None else elapsed / 1000,
        simulated=int(reader.simulated),
    )


def _slice_name(row: StudySlice) -> str:
    return f"S{row.position:03d}"


def study_images(study: Study) -> QuerySet[StudyImage]:
    """What the arms show of the main slices, in the order of arms and slices."""
    return (
        StudyImage.objects.filter(arm__study=study)
        .select_related("arm", "study_slice__slice__case__patient", "reconstruction__run")
        .order_by("arm__position", "study_slice__position")
    )


def image_rows(study: Study) -> list[ImageLine]:
    """PSNR, SSIM, NMSE, feature distance and latency of every image of the study."""
    require_unblinded(study)
    simulated = int(is_simulated(study))
    lines = []
    for image in study_images(study):
        made, case = image.reconstruction, image.study_slice.slice.case
        assert image.arm is not None
        lines.append(
            ImageLine(
                arm=image.arm.key,
                modality=case.modality,
                patient=case.patient.pseudonym,
                slice=_slice_name(image.study_slice),
                psnr=made.psnr,
                ssim=made.ssim,
                nmse=made.nmse,
                feature_distance=made.feature_distance,
                latency_ms=made.latency_ms,
                device=made.run.device,
                pixels=image.pixels,
                weights=made.run.weights_hash,
                simulated=simulated,
            )
        )
    return lines


def is_simulated(study: Study) -> bool:
    return study.readers.filter(simulated=True).exists()


def study_facts(study: Study) -> StudyFacts:
    """Protocol, plan, arms and readers as the computation needs them."""
    criteria = {criterion.key: criterion.title for criterion in study.criteria.all()}
    texts = primary_criterion(study).texts
    return StudyFacts(
        study=str(study.pk),
        title=study.title,
        protocol_hash=study.protocol_hash,
        plan_hash=study.plan_hash,
        plan=study.plan,
        criteria=criteria,
        categories=sorted(int(category) for category in texts),
        arms=_arm_facts(study),
        readers=[reader.pseudonym for reader in study.readers.all()],
        seed=SEED,
        draws=DRAWS,
        simulated=is_simulated(study),
    )


def _arm_facts(study: Study) -> list[ArmFacts]:
    runs: dict[str, dict[str, set[Any]]] = {}
    for image in study_images(study):
        assert image.arm is not None
        run, kept = image.reconstruction.run, runs.setdefault(image.arm.key, {})
        for name in ("version", "device", "precision", "sampler", "network_calls"):
            kept.setdefault(name, set()).add(getattr(run, name))
    return [
        ArmFacts(
            key=arm.key,
            title=arm.title,
            method=arm.method,
            role=arm.role,
            levels=arm.levels,
            runs={name: sorted(values) for name, values in runs.get(arm.key, {}).items()},
        )
        for arm in study.arms.all()
    ]
