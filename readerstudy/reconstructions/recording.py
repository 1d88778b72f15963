"""Writing what became of a run's slices, so that the counts stored with the run are right at every commit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction
from django.db.models import Count, Q

from readerstudy.cases.models import Slice
from readerstudy.reconstructions.models import Reconstruction, Run


@contextmanager
def counted(run: Run) -> Iterator[None]:
    """Write, change or delete reconstructions of the run inside, and its counts follow in the same transaction.

    The run's row is locked first: a job that writes other slices of it waits until this count is committed.
    """
    with transaction.atomic():
        Run.objects.select_for_update().get(pk=run.pk)
        yield
        rows = Reconstruction.objects.filter(run=run)
        found = rows.aggregate(made=Count("pk", filter=~Q(pixels="")), failed=Count("pk", filter=Q(pixels="")))
        slices = Slice.objects.filter(case=run.measurement.case_id).count()
        Run.objects.filter(pk=run.pk).update(missing=slices - found["made"], failed=found["failed"])
