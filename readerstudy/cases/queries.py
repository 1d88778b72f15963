"""Reads of cases: who may see which, lists with counts, pixels and physical values of a slice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ValidationError
from django.db.models import Count, Q, QuerySet
from django.http import Http404
from numpy.typing import NDArray

from inference.data.dicom_types import training_source_ids
from inference.data.grid import from_stored
from readerstudy.accounts.models import User
from readerstudy.cases import store
from readerstudy.cases.keys import fingerprint, source_hash
from readerstudy.cases.models import Case, Import, Modality, Slice


class KeyChanged(Exception):
    """A case was imported under another secret key, so its source can't be recognised any more."""


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


def case_list(modality: str = "", state: str = "") -> QuerySet[Case]:
    """Cases with patient and source, optionally of one modality and one state."""
    cases = Case.objects.select_related("patient", "source").order_by("pseudonym")
    if modality:
        cases = cases.filter(modality=modality)
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


def pixels(row: Slice) -> NDArray[np.uint16]:
    """Stored numbers of a slice, shape (rows, columns); raises ``PixelsMissing``."""
    return store.get_slice(row.pixels, row.case.rows, row.case.columns)


def values(row: Slice) -> NDArray[np.float32]:
    """Physical values of a slice (HU, magnitude, grey), shape (rows, columns)."""
    return from_stored(pixels(row), row.case.slope, row.case.intercept)


def seen_in_training(case: Case, training_patients: Iterable[str]) -> bool:
    """Whether a training list names the case's patient; raises ``KeyChanged`` where that can't be known."""
    known = set(case.source_ids)
    if not all(entry.startswith(f"{fingerprint()}:") for entry in known):
        raise KeyChanged(
            f"Case {case.pseudonym} came in under another secret key: put that key back or import it again."
        )
    names = {name for patient in training_patients for name in training_source_ids(patient)}
    return any(source_hash(name) in known for name in names)
