"""Freezing what a study shows: the image of every arm of every drawn slice, the reference beside it, the neighbours."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from uuid import UUID

from readerstudy.cases.models import Slice
from readerstudy.reconstructions.models import Reconstruction
from readerstudy.reconstructions.queries import find_reconstructions
from readerstudy.schedules.actions import REFERENCE, Shown, ShownImages
from readerstudy.studies.actions import StudyError
from readerstudy.studies.models import Study, StudyImage, StudySlice
from readerstudy.studies.protocol import Protocol


def freeze_images(study: Study, protocol: Protocol, slices: list[StudySlice]) -> ShownImages:
    """Find and freeze by hash all that the study shows; missing images are named and stop the opening."""
    chosen: dict[tuple[int | None, int], Reconstruction] = {}
    missing: list[str] = []
    rows = [s.slice for s in slices]
    for arm, title, method, levels, settings in _sources(study, protocol):
        found = find_reconstructions(rows, method, levels, settings)
        for row in slices:
            if made := found.get(row.slice_id):
                chosen[arm, row.pk] = made
            else:
                missing.append(f"{row.slice.case.pseudonym} slice {row.slice.index + 1} by {title}")
    neighbours = _neighbours(slices, protocol.display.context_slices)
    shown, lacking = _with_neighbours(chosen, neighbours)
    if all_missing := missing + lacking:
        raise StudyError(
            f"{len(all_missing)} images are missing, the first is {all_missing[0]}: "
            "run the methods on these cases first."
        )
    StudyImage.objects.bulk_create(
        (
            StudyImage(arm_id=arm, study_slice_id=row, reconstruction=made, pixels=made.pixels)
            for (arm, row), made in chosen.items()
        ),
        batch_size=500,
    )
    return shown


def _sources(
    study: Study, protocol: Protocol
) -> Iterable[tuple[int | None, str, str, dict[str, float], dict[str, object]]]:
    """Arm, title, method, levels and settings of all that is shown; the reference only where the protocol needs it."""
    for arm in study.arms.all():
        yield arm.pk, arm.title, arm.method, arm.levels, arm.settings
    if protocol.display.reference == "beside" or protocol.design.fidelity:
        yield REFERENCE, "the reference", "reference", {}, {}


def _neighbours(slices: list[StudySlice], reach: int) -> dict[int, list[tuple[int, Slice]]]:
    """Per study slice the slices of its case up to ``reach`` away, with their offsets."""
    if not reach:
        return {}
    by_case: dict[UUID, list[Slice]] = defaultdict(list)
    for row in Slice.objects.filter(case__in={s.slice.case_id for s in slices}).select_related("case"):
        by_case[row.case_id].append(row)
    return {
        s.pk: [
            (near.index - s.slice.index, near)
            for near in sorted(by_case[s.slice.case_id], key=lambda one: one.index)
            if 0 < abs(near.index - s.slice.index) <= reach
        ]
        for s in slices
    }


def _with_neighbours(
    chosen: dict[tuple[int | None, int], Reconstruction], neighbours: dict[int, list[tuple[int, Slice]]]
) -> tuple[dict[tuple[int | None, int], Shown], list[str]]:
    """Every pane's frames, all of one run; and what that run lacks."""
    runs = {made.run_id for made in chosen.values()} if neighbours else set()
    made_of = {(r.run_id, r.slice_id): r for r in Reconstruction.objects.filter(run__in=runs).exclude(pixels="")}
    shown: dict[tuple[int | None, int], Shown] = {}
    lacking: list[str] = []
    for (arm, row), made in chosen.items():
        frames = [(0, made.pk, made.pixels)]
        for offset, near in neighbours.get(row, ()):
            if beside := made_of.get((made.run_id, near.pk)):
                frames.append((offset, beside.pk, beside.pixels))
            else:
                lacking.append(f"{near.case.pseudonym} slice {near.index + 1} by {made.run.method}")
        shown[arm, row] = Shown(made.run_id, tuple(frames))
    return shown, lacking


def shared_slices(study: Study) -> list[StudySlice]:
    """An extension shows the slices of the study that it extends, with their windows, under the same numbers."""
    drawn = StudySlice.objects.filter(study=study.extends_id).order_by("position")
    return StudySlice.objects.bulk_create(
        StudySlice(
            study=study, position=row.position, slice=row.slice, stratum=row.stratum,
            window_center=row.window_center, window_width=row.window_width,
        )
        for row in drawn.select_related("slice__case__patient")
    )  # fmt: skip
