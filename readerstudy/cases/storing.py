"""From a series in memory to rows: numbered pseudonyms, slices with their hashes, nothing of a person."""

from __future__ import annotations

from dataclasses import dataclass, replace

from django.db import transaction
from django.db.models import IntegerField, Max, Model
from django.db.models.functions import Cast, Substr

from inference.data.dicom_types import SeriesImage
from readerstudy.accounts.models import User
from readerstudy.audit.actions import INSTALLATION, record
from readerstudy.audit.models import Chain
from readerstudy.cases import keys, store
from readerstudy.cases.describe import Description, describe
from readerstudy.cases.models import Case, Patient, Slice, Source

PROGRAM = "program"
KEEP = frozenset({"patient", "device", "acquisition"})
DEVICE_FACTS = frozenset({"Manufacturer", "ManufacturerModelName"})
ACQUISITION_NOTES = ("gantry tilt",)
BURNED_IN = "Text may be burned into the pixels: look at every image, then release or withdraw the case."
FACE = "A whole head can show a face: look at every image, then release or withdraw the case."


@dataclass(frozen=True)
class Stored:
    """A case and whether this call made it; ``False`` means that the installation had it already."""

    case: Case
    created: bool


def actor(by: User | None) -> str:
    """How the audit names who acted: a person's handle, or the program itself."""
    return by.handle if by else PROGRAM


def store_series(
    image: SeriesImage,
    *,
    source: Source,
    by: User | None,
    quarantine: bool,
    reason: str,
    phantom: bool = False,
    keep: frozenset[str] = KEEP,
) -> Stored:
    """Make one case of a series, or find the case that it is already.

    ``keep`` names the facts that may be stored beside pixels and geometry: ``patient`` (age band, sex), ``device``
    (maker and model) and ``acquisition``; the others are dropped here, before anything is written.
    Pixels first, each durable before a row names it; then one transaction with its audit entry.
    Raises ValueError with one sentence where the series can't be a case.
    """
    image = without_facts(image, keep)
    description = describe(image.pixels, image.slope, image.intercept, image.modality, image.anatomy)
    hashes = [store.put_slice(plane) for plane in image.pixels]
    with transaction.atomic():
        # One writer at a time, so that no two imports take one number; the audit waits for this row anyway.
        Chain.objects.get_or_create(name=INSTALLATION)
        Chain.objects.select_for_update().get(name=INSTALLATION)
        if known := _known_case(image, hashes):
            return Stored(known, False)
        case = _create_case(image, description, hashes, source=source, phantom=phantom)
        _create_slices(case, image, description, hashes)
        _set_first_state(case, image, quarantine, reason)
        record(
            INSTALLATION, actor(by), "case.import", f"case:{case.pk}",
            {
                "case": case.pseudonym, "patient": case.patient.pseudonym, "source": source.name,
                "state": case.state, "reason": case.state_reason, "pixels": hashes,
            },
        )  # fmt: skip
    return Stored(case, True)


def without_facts(image: SeriesImage, keep: frozenset[str]) -> SeriesImage:
    """The series with only those facts of patient, device and acquisition that may be kept."""
    device = {
        name: value
        for name, value in image.device.items()
        if ("device" if name in DEVICE_FACTS else "acquisition") in keep
    }
    notes = image.notes
    if "acquisition" not in keep:
        notes = tuple(note for note in notes if not note.startswith(ACQUISITION_NOTES))
    patient = (image.age_band, image.sex) if "patient" in keep else ("", "")
    return replace(image, device=device, notes=notes, age_band=patient[0], sex=patient[1])


def _known_case(image: SeriesImage, hashes: list[str]) -> Case | None:
    """The same series, or the same pixels under another series' name."""
    known = Case.objects.filter(key=keys.series_key(image.series_key, hashes)).first()
    if known:
        return known
    for candidate in Case.objects.filter(slices__pixels=hashes[0]).distinct():
        if list(candidate.slices.order_by("index").values_list("pixels", flat=True)) == hashes:
            return candidate
    return None


def _create_case(
    image: SeriesImage, description: Description, hashes: list[str], *, source: Source, phantom: bool
) -> Case:
    spacing = image.pixel_spacing or (None, None)
    _, rows, columns = image.pixels.shape
    return Case.objects.create(
        pseudonym=_next_pseudonym(Case, image.modality),
        patient=_patient(image),
        source=source,
        key=keys.series_key(image.series_key, hashes),
        modality=image.modality,
        anatomy=image.anatomy,
        plane=image.plane,
        rows=rows,
        columns=columns,
        slope=image.slope,
        intercept=image.intercept,
        data_range=description.data_range,
        row_spacing=spacing[0],
        column_spacing=spacing[1],
        slice_spacing=image.slice_spacing,
        window_center=description.window.center,
        window_width=description.window.width,
        phantom=phantom,
        source_ids=sorted({keys.source_hash(source_id) for source_id in image.source_ids}),
        acquisition=dict(image.device),
        notes=list(image.notes),
    )


def _create_slices(case: Case, image: SeriesImage, description: Description, hashes: list[str]) -> None:
    count = len(hashes)
    # A cine loop has no outer slices, and a volume of two would have nothing else.
    volume = image.modality != "US" and count > 2
    positions = image.positions if len(image.positions) == count else (None,) * count
    Slice.objects.bulk_create(
        Slice(
            case=case,
            index=index,
            pixels=name,
            position=position,
            body_share=part.body_share,
            edge=volume and index in (0, count - 1),
            window_center=part.window.center,
            window_width=part.window.width,
        )
        for index, (name, position, part) in enumerate(zip(hashes, positions, description.slices, strict=True))
    )


def _set_first_state(case: Case, image: SeriesImage, quarantine: bool, reason: str) -> None:
    risk = BURNED_IN if image.burned_in_risk else FACE if image.face_risk else ""
    if not risk:
        return
    case.state = Case.State.QUARANTINED if quarantine else Case.State.READY
    case.state_reason = risk if quarantine else reason
    case.save(update_fields=["state", "state_reason"])


def _patient(image: SeriesImage) -> Patient:
    """The patient by the keyed hash; what an earlier series left blank is filled in."""
    patient = Patient.objects.filter(key=keys.patient_key(image.patient_key)).first()
    if patient is None:
        return Patient.objects.create(
            pseudonym=_next_pseudonym(Patient, "P"),
            key=keys.patient_key(image.patient_key),
            age_band=image.age_band,
            sex=image.sex,
        )
    patient.age_band = patient.age_band or image.age_band
    patient.sex = patient.sex or image.sex
    patient.save(update_fields=["age_band", "sex"])
    return patient


def _next_pseudonym(model: type[Model], prefix: str) -> str:
    """The next free number; only called under the lock of ``store_series``."""
    rows = model._default_manager.filter(pseudonym__startswith=f"{prefix}-")
    number = Cast(Substr("pseudonym", len(prefix) + 2), IntegerField())
    last: int | None = rows.aggregate(last=Max(number))["last"]
    return f"{prefix}-{(last or 0) + 1:04d}"
