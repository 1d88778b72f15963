"""Small studies as rows, without running any method or opening any browser."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import numpy as np
from django.db import transaction
from django.utils import timezone

from readerstudy.accounts.models import User
from readerstudy.audit.actions import record
from readerstudy.cases import store
from readerstudy.cases.models import Case, Patient, Slice, Source
from readerstudy.reading.models import Answer, Score
from readerstudy.reconstructions.models import Measurement, Reconstruction, Run
from readerstudy.schedules.models import Pane, Presentation, Schedule, Session
from readerstudy.studies.models import Arm, Criterion, Membership, Reader, Study, StudyImage, StudySlice

ARMS = {
    "tv_recon": "TV-Recon",
    "pix2pix": "Pix2Pix",
    "restormer": "Restormer",
    "diffusion_unet": "Diffusion-UNet",
}
TEXTS = {"1": "useless", "2": "poor", "3": "usable", "4": "good", "5": "excellent"}
MODALITIES = ("CT", "MR", "US")


@dataclass(frozen=True)
class Shape:
    """How large a study is, and what is odd about it."""

    state: str = "unblinded"
    slices: int = 12
    readers: int = 3
    simulated: bool = True
    repeats: int = 2
    unread: int = 1
    refused: int = 1
    criteria: tuple[str, ...] = ("quality",)
    equal: bool = False
    plan: dict[str, Any] = field(default_factory=dict)


def make_user(name: str) -> User:
    return User.objects.create_user(name, password=None)


@transaction.atomic
def make_study(shape: Shape = Shape()) -> Study:
    """A study with arms, slices, images with features, schedules and scores; two slices per patient."""
    now = timezone.now()
    study = Study.objects.create(
        title="Reading of four methods", state=shape.state, protocol={"study": {}}, protocol_hash="a" * 64,
        plan={"primary_criterion": "quality", "correction": "bonferroni", **shape.plan}, plan_hash="b" * 64,
        unblinded_at=now if shape.state == "unblinded" else None,
    )  # fmt: skip
    arms = [
        Arm.objects.create(study=study, position=i, key=key, title=title, method=key, levels={"CT": 0.25})
        for i, (key, title) in enumerate(ARMS.items())
    ]
    for i, key in enumerate(shape.criteria):
        Criterion.objects.create(study=study, position=i, key=key, title=key.title(), question="?", texts=TEXTS)
    slices = _slices(study, shape.slices)
    runs = {row.pk: _images(row, arms) for row in slices}
    for number in range(1, shape.readers + 1):
        _reading(study, number, arms, slices, runs, shape)
    return study


def add_member(study: Study, role: str, name: str = "") -> User:
    user = make_user(name or f"{role}-{uuid4().hex[:6]}")
    Membership.objects.create(study=study, user=user, role=role)
    return user


def _slices(study: Study, number: int) -> list[StudySlice]:
    source = Source.objects.create(name=f"source {uuid4().hex[:6]}")
    rows = []
    for position in range(1, number + 1):
        modality, index = MODALITIES[((position - 1) // 2) % 3], (position - 1) % 2
        if index == 0:
            tag = uuid4().hex
            patient = Patient.objects.create(pseudonym=f"P-{tag[:6]}", key=tag * 2)
            case = Case.objects.create(
                pseudonym=f"{modality}-{tag[:6]}", patient=patient, source=source, key=tag * 2,
                modality=modality, rows=8, columns=8, slope=1, intercept=0,
                data_range=255, window_center=128, window_width=256,
            )  # fmt: skip
        window = {"window_center": 128, "window_width": 256}
        made = Slice.objects.create(case=case, index=index, pixels="0" * 64, body_share=1, **window)
        rows.append(StudySlice.objects.create(study=study, position=position, slice=made, **window))
    return rows


def _images(row: StudySlice, arms: list[Arm]) -> dict[int, Run]:
    """One reconstruction per arm and the reference, with features nearer to it for each later arm."""
    generator = np.random.default_rng(row.position)
    reference = generator.normal(size=6)
    measurement = Measurement.objects.get_or_create(case=row.slice.case, level=0.25, physics="1", defaults={"seed": 0})[
        0
    ]
    _reconstruct(row, measurement, "reference", reference, None)
    runs = {}
    for rank, arm in enumerate(arms):
        features = reference + generator.normal(scale=1.2 - 0.25 * rank, size=6)
        made = _reconstruct(row, measurement, arm.method, features, 30 + 2.0 * rank + generator.normal())
        StudyImage.objects.create(arm=arm, study_slice=row, reconstruction=made, pixels=made.pixels)
        runs[arm.pk] = made.run
    return runs


def _reconstruct(
    row: StudySlice, measurement: Measurement, method: str, features: Any, psnr: float | None
) -> Reconstruction:
    run = Run.objects.get_or_create(
        measurement=measurement, method=method,
        defaults={"version": "1", "settings_hash": "c" * 64, "device": "cpu", "network_calls": 1},
    )[0]  # fmt: skip
    return Reconstruction.objects.create(
        run=run, slice=row.slice, pixels="d" * 64, features=store.put(features.astype("<f4").tobytes()),
        psnr=psnr, ssim=None if psnr is None else psnr / 50, nmse=None if psnr is None else 1 / psnr**2,
        feature_distance=0.1, latency_ms=100.0 + row.position + len(method),
    )  # fmt: skip


def _reading(
    study: Study,
    number: int,
    arms: list[Arm],
    slices: list[StudySlice],
    runs: dict[int, dict[int, Run]],
    shape: Shape,
) -> None:
    """One reader's schedule: every slice in every arm, some again, some refused or left out."""
    membership = Membership.objects.create(study=study, user=make_user(f"reader-{uuid4().hex[:8]}"), role="reader")
    reader = Reader.objects.create(study=study, membership=membership, number=number, simulated=shape.simulated)
    schedule = Schedule.objects.create(study=study, number=number, reader=reader, token=uuid4().hex)
    cells = [(row, arm, Presentation.Kind.MAIN) for arm in arms for row in slices]
    cells += [(row, arms[0], Presentation.Kind.REPEAT) for row in slices[: shape.repeats]]
    session = Session.objects.create(schedule=schedule, number=1, token=uuid4().hex)
    for position, (row, arm, kind) in enumerate(cells):
        shown = Presentation.objects.create(
            id=uuid4().hex, session=session, position=position, kind=kind, study_slice=row
        )
        Pane.objects.create(presentation=shown, arm=arm, run=runs[row.pk][arm.pk])
        if number == 1 and position < shape.unread:
            continue
        refuse = number == 1 and position < shape.unread + shape.refused
        for criterion in study.criteria.all():
            value = 3 if shape.equal else _value(row, arm, number, criterion)
            _score(study, shown, criterion, None if refuse else value)


def _value(row: StudySlice, arm: Arm, reader: int, criterion: Criterion) -> int:
    generator = np.random.default_rng([row.position, arm.position, reader, criterion.position])
    return int(np.clip(np.rint(2.4 + 0.6 * arm.position + generator.normal(scale=0.7)), 1, 5))


def _score(study: Study, shown: Presentation, criterion: Criterion, value: int | None) -> None:
    entry = record(study.chain, "u-test", "score", f"presentation:{shown.pk}", {"value": value})
    answer = Answer.objects.create(key=uuid4(), presentation=shown, digest="e" * 64, entry=entry)
    Score.objects.create(
        presentation=shown, criterion=criterion, value=value, cannot_judge="" if value else "motion",
        answer=answer, elapsed_ms=4000 + 100 * shown.position,
    )  # fmt: skip
