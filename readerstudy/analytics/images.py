"""The images of an unblinded study, for its analysts: who has opened them, thumbnails, raw pixels, one slice's data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404
from django.urls import reverse

from readerstudy.accounts.models import User
from readerstudy.analytics.inputs import Inputs
from readerstudy.analytics.readings import slice_name
from readerstudy.audit.actions import record
from readerstudy.cases import pictures, store
from readerstudy.cases.actions import record_look
from readerstudy.cases.models import Case, Look
from readerstudy.studies.models import Arm, Study, StudyImage, StudySlice
from readerstudy.studies.queries import preset_windows

REFERENCE = "reference"
THUMBNAIL = 192


def cases_of(study: Study) -> QuerySet[Case]:
    """The cases behind the study's slices."""
    return Case.objects.filter(slices__in=study.slices.values("slice")).distinct()


def opened(study: Study, user: User) -> bool:
    """Whether the person has opened the study's images, which forbids reading its cases for ever."""
    seen = Look.objects.filter(user=user).values("case")
    return not cases_of(study).exclude(pk__in=seen).exists()


@transaction.atomic
def open_images(study: Study, user: User) -> None:
    """Record the look at every case of the study before any image is sent; raises ``LookRefused``."""
    for case in cases_of(study).order_by("pk"):
        record_look(case, user)
    record(study.chain, user.handle, "images.open", f"study:{study.pk}", {})


def slice_at(study: Study, name: str) -> StudySlice:
    """The drawn slice by its name in the study (S001); raises ``Http404``."""
    number = name.removeprefix("S")
    found = None
    if name.startswith("S") and number.isascii() and number.isdecimal() and len(number) < 8:
        found = study.slices.select_related("slice__case").filter(position=int(number)).first()
    if found is None or slice_name(found) != name:
        raise Http404
    return found


def pixels_of(row: StudySlice, arm: str) -> str:
    """The hash of what an arm shows of a slice, or of the slice itself for ``reference``; raises ``Http404``.

    A study whose hidden reference is an arm shows the same pixels under both names.
    """
    image = StudyImage.objects.filter(study_slice=row, arm__key=arm).first()
    if image is not None:
        return image.pixels
    if arm == REFERENCE:
        return row.slice.pixels
    raise Http404


def thumbnail(row: StudySlice, arm: str) -> bytes:
    """PNG in the study's window, equal for all arms; raises ``Http404`` or ``PixelsMissing``."""
    case = row.slice.case
    stored = store.get_slice(pixels_of(row, arm), case.rows, case.columns)
    return pictures.png_of(stored, case, row.window_center, row.window_width, THUMBNAIL)


def slice_data(study: Study, row: StudySlice, inputs: Inputs) -> dict[str, Any]:
    """What the browser needs to show one slice with the reference and every arm side by side."""
    case, name = row.slice.case, slice_name(row)
    arms = [arm for arm in study.arms.all() if arm.key != REFERENCE]
    notes = _notes(name, inputs)
    panes = [REFERENCE, *(arm.key for arm in arms)]
    return {
        "rows": case.rows,
        "columns": case.columns,
        "spacing": case.pixel_spacing,
        "slope": case.slope,
        "intercept": case.intercept,
        "inverted": case.inverted,
        "captions": ["Reference", *(arm.title for arm in arms)],
        "presets": preset_windows(case.modality),
        "slices": [
            {
                "index": row.slice.index,
                "window": {"center": row.window_center, "width": row.window_width},
                "panes": [
                    {
                        "url": reverse("analytics:pixels", args=[study.pk, name, arm]),
                        "note": notes.get(arm, ""),
                    }
                    for arm in panes
                ],
            }
        ],
        "at": 1,
    }


def _notes(name: str, inputs: Inputs) -> dict[str, str]:
    """Mean score and metrics of every arm's image of a slice."""
    found: dict[str, str] = {}
    for line in inputs.images:
        if line.slice == name:
            psnr = "∞" if line.psnr is None else f"{line.psnr:.2f}"
            found[line.arm] = f"PSNR {psnr} dB" + (f" · SSIM {line.ssim:.3f}" if line.ssim is not None else "")
    for arm, scores in scores_of(name, inputs).items():
        given = [float(score) for score in scores.values() if score.isdecimal()]
        if given:
            mean = f"mean score {sum(given) / len(given):.2f}"
            found[arm] = " · ".join(word for word in (mean, found.get(arm, "")) if word)
    return found


def scores_of(name: str, inputs: Inputs) -> dict[str, dict[str, str]]:
    """Arm to reader to first score on the primary criterion, as written in the table."""
    found: dict[str, dict[str, str]] = {}
    for line in inputs.scores_of(inputs.facts.primary_criterion):
        if line.slice == name and not line.repeat:
            found.setdefault(line.arm, {})[line.reader] = line.score
    return found


def titles(study: Study) -> Mapping[str, str]:
    return {REFERENCE: "Reference", **{arm.key: arm.title for arm in Arm.objects.filter(study=study)}}
