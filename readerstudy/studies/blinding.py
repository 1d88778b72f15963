"""Nobody reads a case that they have seen unblinded, and nobody sees a case unblinded while they read it."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import QuerySet

from readerstudy.accounts.models import User
from readerstudy.cases.blinding import LookRefused
from readerstudy.cases.models import Case
from readerstudy.studies.models import Reader, Study, StudySlice

BLINDED = (Study.State.OPEN, Study.State.CLOSED, Study.State.LOCKED)


def require_not_reading(cases: Sequence[Case], user: User) -> None:
    """Refuse a look at cases that the person reads in a study between opening and unblinding."""
    rows = StudySlice.objects.filter(
        slice__case__in=[case.pk for case in cases], study__state__in=BLINDED,
        study__readers__membership__user=user, study__readers__state=Reader.State.ACTIVE,
    )  # fmt: skip
    found = rows.order_by("slice__case__pseudonym").values_list("slice__case__pseudonym", "study__title").first()
    if found is not None:
        case, title = found
        raise LookRefused(
            f"You are a reader of case {case} in the study \u201c{title}\u201d, which is not unblinded yet: "
            "leave the case to a colleague who does not read it."
        )


def drawn_cases(study: Study) -> QuerySet[Case]:
    """The cases that the study shows; an extension's are known while it is a draft."""
    shown = study.extends if study.state == Study.State.DRAFT and study.extends else study
    return Case.objects.filter(pk__in=StudySlice.objects.filter(study=shown).values("slice__case"))
