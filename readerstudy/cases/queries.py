"""Reads of cases: who may see which, lists with counts, pixels and physical values of a slice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ValidationError
from django.db.models import Count, F, Q, QuerySet
from django.http import Http404
from django.utils import timezone
from numpy.typing import NDArray

from inference.data.grid import from_stored
from readerstudy.accounts.models import User
from readerstudy.cases import store
from readerstudy.cases.models import Case, Import, Modality, Slice, Source


def require_coordinator(user: User | AnonymousUser) -> User:
    """The person if they may coordinate; everyone else learns nothing (404)."""
    if not isinstance(user, User) or not user.may_coordinate:
        raise Http404
    return user


def case_for(user: User | AnonymousUser, pk: UUID | str) -> Case:
    """The case if the person may coordinate; everyone else learns nothing (404)."""
    require_coordinator(user)
    try:
        return Case.objects.select_related("patient", "source").get(pk=pk)
    except (Case.DoesNotExist, ValidationError, ValueError) as error:
        raise Http404 from error


def slice_for(user: User | AnonymousUser, pk: UUID | str, index: int) -> Slice:
    """One slice of a case that the person may see."""
    found = Slice.objects.select_related("case").filter(case=case_for(user, pk), index=index).first()
    if found is None:
        raise Http404
    return found


def import_for(user: User | AnonymousUser, pk: UUID | str) -> Import:
    """An import if the person may coordinate; everyone else learns nothing (404)."""
    require_coordinator(user)
    try:
        return Import.objects.select_related("source", "started_by").get(pk=pk)
    except (Import.DoesNotExist, ValidationError, ValueError) as error:
        raise Http404 from error


def source_for(user: User | AnonymousUser, pk: int) -> Source:
    """A source if the person may coordinate; everyone else learns nothing (404)."""
    require_coordinator(user)
    found = Source.objects.filter(pk=pk).first()
    if found is None:
        raise Http404
    return found


def case_list(modality: str = "", state: str = "", source: str = "") -> QuerySet[Case]:
    """Cases with patient and source, optionally of one modality, one state and one source (its number)."""
    cases = Case.objects.select_related("patient", "source").order_by("pseudonym")
    if modality:
        cases = cases.filter(modality=modality)
    if source:
        # Eighteen digits: a longer number is none that a database can hold.
        cases = cases.filter(source=int(source)) if source.isdecimal() and len(source) <= 18 else cases.none()
    return cases.filter(state=state) if state else cases


def slice_counts(cases: Iterable[Case]) -> dict[object, int]:
    """Number of slices of each case; asked for one page only, so that a long list stays cheap."""
    rows = Slice.objects.filter(case__in=list(cases)).order_by().values_list("case").annotate(n=Count("pk"))
    return dict(rows)


@dataclass(frozen=True)
class ModalityCount:
    """How many cases, of how many patients, one modality has, and how many of them are not ready."""

    modality: Modality
    cases: int
    patients: int
    quarantined: int


def counts() -> list[ModalityCount]:
    """The figures above the list of cases; withdrawn ones don't count."""
    quarantined = Count("pk", filter=Q(state=Case.State.QUARANTINED))
    rows = (
        Case.objects.exclude(state=Case.State.WITHDRAWN)
        .order_by("modality")
        .values_list("modality")
        .annotate(cases=Count("pk"), patients=Count("patient", distinct=True), quarantined=quarantined)
    )
    found = {row[0]: row[1:] for row in rows}
    return [ModalityCount(modality, *found.get(modality, (0, 0, 0))) for modality in Modality]


@dataclass(frozen=True)
class SourceRow:
    """A source with what came from it; ``days`` until its agreement ends, below 0 where it has, None without an end."""

    source: Source
    cases: int
    imports: int
    days: int | None


def source_rows(sources: Iterable[Source]) -> list[SourceRow]:
    """The sources of one page with their counts."""
    page = list(sources)
    cases = _counted(Case.objects.filter(source__in=page))
    imports = _counted(Import.objects.filter(source__in=page))
    return [SourceRow(row, cases.get(row.pk, 0), imports.get(row.pk, 0), days_left(row)) for row in page]


def days_left(source: Source) -> int | None:
    """Days until the agreement ends (0 on its last day), below 0 where it has ended, None where no end is given."""
    return (source.expires_on - timezone.localdate()).days if source.expires_on else None


def _counted(rows: QuerySet[Any]) -> dict[int, int]:
    return dict(rows.order_by().values_list("source").annotate(n=Count("pk")))


def quarantined() -> QuerySet[Case]:
    """Cases that wait until someone has looked at them, the longest waiting first."""
    cases = Case.objects.filter(state=Case.State.QUARANTINED)
    return cases.select_related("patient", "source").order_by("created_at", "pk")


def quarantined_after(case: Case | None) -> Iterator[Case]:
    """The waiting cases from this one on and then from the first, without itself."""
    if case is None:
        yield from quarantined()
        return
    later = Q(created_at__gt=case.created_at) | Q(created_at=case.created_at, pk__gt=case.pk)
    yield from quarantined().filter(later)
    yield from quarantined().exclude(later).exclude(pk=case.pk)


def first_imports(cases: Iterable[Case]) -> dict[UUID, Import]:
    """The import that each case came in with; asked for one page only."""
    page = [case.pk for case in cases]
    found = Import.objects.filter(files__case__in=page).annotate(of=F("files__case")).order_by("-started_at")
    return {batch.of: batch for batch in found.distinct()}


def pixels(row: Slice) -> NDArray[np.uint16]:
    """Stored numbers of a slice, shape (rows, columns); raises ``PixelsMissing``."""
    return store.get_slice(row.pixels, row.case.rows, row.case.columns)


def values(row: Slice) -> NDArray[np.float32]:
    """Physical values of a slice (HU, magnitude, grey), shape (rows, columns)."""
    return from_stored(pixels(row), row.case.slope, row.case.intercept)
