"""The one number that may be watched while scores come in, if the plan has a stopping rule; every look is recorded."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from django.db import transaction

from readerstudy.accounts.models import User
from readerstudy.audit.actions import record
from readerstudy.reading.models import Score
from readerstudy.schedules.models import Presentation
from readerstudy.statistics.agreement import fleiss_kappa
from readerstudy.statistics.estimate import Undefined
from readerstudy.statistics.intervals import MINIMUM_PATIENTS, Clusters
from readerstudy.studies.actions import StudyError, hold
from readerstudy.studies.models import Study

CATEGORIES = 5


@dataclass(frozen=True)
class Look:
    """Half the width of the 95 % interval of the pooled kappa, never the kappa itself; or why there is none."""

    half_width: float | None
    images: int
    reason: str = ""


@transaction.atomic
def look_at_agreement(study: Study, by: User) -> Look:
    """The half-width over all arms together, and an entry of the chain that says who looked and what was seen."""
    study = hold(study, by)
    if not study.plan.get("stopping_rule"):
        raise StudyError("The plan has no stopping rule: nothing of the scores is looked at before the lock.")
    if study.state not in (Study.State.OPEN, Study.State.CLOSED):
        raise StudyError("The half-width is for an open or closed study: after the lock see the results.")
    if study.protocol["design"]["kind"] == "pairwise":
        raise StudyError("Pairs have no kappa over categories: this stopping rule can't be watched here.")
    look = _look(study)
    record(
        study.chain, by.handle, "study.look", f"study:{study.pk}",
        {"half_width": look.half_width, "images": look.images, "reason": look.reason},
    )  # fmt: skip
    return look


def _look(study: Study) -> Look:
    counts: dict[tuple[int, int], list[int]] = defaultdict(lambda: [0] * CATEGORIES)
    patients: dict[tuple[int, int], str] = {}
    rows = Score.objects.filter(
        criterion__study=study, criterion__key=study.plan["primary_criterion"], value__isnull=False,
        presentation__kind=Presentation.Kind.MAIN, presentation__panes__arm__isnull=False,
    ).values_list(
        "presentation__study_slice", "presentation__panes__arm",
        "presentation__study_slice__slice__case__patient__pseudonym", "value",
    )  # fmt: skip
    for row, arm, patient, value in rows:
        assert value is not None
        counts[row, arm][value - 1] += 1
        patients[row, arm] = patient
    images = sorted(image for image, per_value in counts.items() if sum(per_value) >= 2)
    if not images:
        return Look(None, 0, "no image has scores of two readers yet")
    table = np.array([counts[image] for image in images], dtype=np.float64)
    clusters = Clusters.of_labels([patients[image] for image in images], "patients", MINIMUM_PATIENTS)
    result = fleiss_kappa(table, clusters)
    if isinstance(result, Undefined):
        return Look(None, len(images), result.reason)
    if result.ci_low is None or result.ci_high is None:
        return Look(None, len(images), result.method)
    return Look(round((result.ci_high - result.ci_low) / 2, 4), len(images))
