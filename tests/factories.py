"""Small worlds made through the product's own verbs; pixels are 16 x 16."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any
from uuid import uuid4

import numpy as np

from readerstudy.accounts.models import User
from readerstudy.cases import queries, store
from readerstudy.cases.models import Case, Patient, Slice, Source
from readerstudy.conduct.actions import open_study
from readerstudy.reading.actions import Given, record_answer, sign_session, start_session
from readerstudy.reading.queries import SCORED
from readerstudy.reconstructions.actions import physics_hash
from readerstudy.reconstructions.models import Measurement, Reconstruction, Run
from readerstudy.reconstructions.queries import settings_hash
from readerstudy.reconstructions.recording import counted
from readerstudy.reconstructions.uncertainty import keep_map, samples_of
from readerstudy.schedules.models import Presentation, Schedule, Session
from readerstudy.studies import protocol as protocols
from readerstudy.studies.actions import add_member, create_study
from readerstudy.studies.models import Study

PASSWORD = "correct horse battery"
LEVELS = {"CT": 0.25, "MR": 6.0, "US": -6.0}
ARMS = ("tv_recon", "pix2pix", "restormer", "diffusion_unet")
SIDE = 16
TEXTS = {"1": "unusable", "2": "poor", "3": "fair", "4": "good", "5": "excellent"}
_numbers = count(1)


def make_user(name: str = "", **values: Any) -> User:
    user = User(username=name or f"person{next(_numbers)}", **values)
    user.set_password(PASSWORD)
    user.save()
    return user


def make_case(modality: str = "CT", slices: int = 2, pseudonym: str = "") -> Case:
    """A case of its own patient with random pixels in the store."""
    number = next(_numbers)
    source, _ = Source.objects.get_or_create(name="Tests")
    patient = Patient.objects.create(pseudonym=f"P-T{number}", key=uuid4().hex)
    case = Case.objects.create(
        pseudonym=pseudonym or f"{modality}-T{number}", patient=patient, source=source, key=uuid4().hex,
        modality=modality, rows=SIDE, columns=SIDE, slope=1.0, intercept=-1024.0 if modality == "CT" else 0.0,
        data_range=2924.0 if modality == "CT" else 255.0, row_spacing=0.7, column_spacing=0.7,
        window_center=40.0, window_width=400.0,
    )  # fmt: skip
    generator = np.random.default_rng(number)
    for index in range(slices):
        pixels = generator.integers(0, 256, (SIDE, SIDE)).astype("<u2").tobytes()
        Slice.objects.create(
            case=case,
            index=index,
            pixels=store.put(pixels),
            body_share=0.5,
            window_center=40.0,
            window_width=400.0,
        )
    return case


def make_run(case: Case, method: str, *, ssim: float = 0.8, settings: Mapping[str, Any] | None = None) -> Run:
    """A finished run whose pixels differ per method and slice; SD maps too where the settings ask for samples."""
    level = None if method == "reference" else LEVELS[case.modality]
    measurement, _ = Measurement.objects.get_or_create(
        case=case, level=level, physics=physics_hash(), defaults={"seed": 1}
    )
    run = Run.objects.create(
        measurement=measurement, method=method, version="1", settings_hash=settings_hash(method, settings or {}),
        weights_hash=f"weights-{method}", settings=dict(settings or {}),
    )  # fmt: skip
    with counted(run):
        for row in case.slices.all():
            generator = np.random.default_rng([row.pk, *method.encode()])
            pixels = generator.integers(0, 256, (SIDE, SIDE)).astype("<u2").tobytes()
            features = generator.normal(size=32).astype("<f4").tobytes()
            made = Reconstruction.objects.create(
                run=run, slice=row, pixels=store.put(pixels), features=store.put(features), psnr=30.0,
                ssim=ssim, nmse=0.01, latency_ms=5.0,
            )  # fmt: skip
            if samples_of(run) > 1:
                add_map(made, generator)
    return run


def add_map(made: Reconstruction, generator: np.random.Generator) -> None:
    """An SD map beside a reconstruction, up to 20 units."""
    deviation = generator.uniform(0, 20, (SIDE, SIDE)).astype(np.float32)
    kept = keep_map(deviation, queries.values(made.slice), made.slice.case)
    Reconstruction.objects.filter(pk=made.pk).update(**kept)


def make_protocol(**changes: Any) -> protocols.Protocol:
    """Four arms, one criterion; ``changes`` are merged into the sections."""
    data: dict[str, Any] = {
        "study": {"title": "A study", "seed": 7},
        "slices": {"number": 8},
        "arms": [{"key": m, "title": m, "method": m, "levels": LEVELS} for m in ARMS],
        "criteria": [
            {"key": "overall", "title": "Overall", "question": "How good?", "texts": TEXTS},
        ],
        "display": {"check": "off"},
        "design": {"readers": 2, "reserves": 1, "minimum_gap": 2},
        "plan": {"primary_criterion": "overall"},
    }  # fmt: skip
    for section, values in changes.items():
        data[section] = {**data.get(section, {}), **values} if isinstance(values, dict) else values
    return protocols.from_data(data)


@dataclass(frozen=True)
class World:
    """A study with its people."""

    study: Study
    coordinator: User
    second: User
    analyst: User
    readers: list[User]

    def schedule(self, reader: int = 0) -> Schedule:
        return Schedule.objects.get(study=self.study, reader__number=reader + 1)

    def sessions(self, reader: int = 0) -> list[Session]:
        return list(self.schedule(reader).sessions.order_by("number"))

    def presentations(self, reader: int = 0, session: int = 0) -> list[Presentation]:
        return list(self.sessions(reader)[session].presentations.order_by("position"))


def make_draft(**changes: Any) -> World:
    """A draft whose cases have every arm's images."""
    coordinator = make_user(may_coordinate=True)
    second = make_user(may_coordinate=True)
    analyst = make_user()
    protocol = make_protocol(**changes)
    readers = [make_user() for _ in range(protocol.design.readers)]
    for modality in ("CT", "MR", "US"):
        for _ in range(2):
            case = make_case(modality, slices=2)
            for method, settings in {"reference": {}, **{arm.method: arm.settings for arm in protocol.arms}}.items():
                make_run(case, method, settings=settings)
    study = create_study(protocol, coordinator)
    add_member(study, second, "coordinator", coordinator)
    add_member(study, analyst, "analyst", coordinator)
    for reader in readers:
        add_member(study, reader, "reader", coordinator)
    return World(study, coordinator, second, analyst, readers)


def make_open(**changes: Any) -> World:
    world = make_draft(**changes)
    study = open_study(world.study, world.coordinator)
    return World(study, world.coordinator, world.second, world.analyst, world.readers)


def answer(user: User, presentation: Presentation, value: int = 3, **changes: Any) -> None:
    record_answer(user, Given(uuid4(), presentation.pk, {"overall": {"value": value}}, **changes))


def read_session(user: User, session: Session, *, sign: bool = True) -> None:
    """Score every image of a session with 1 + its position modulo 5, and sign."""
    start_session(user, session)
    for row in session.presentations.filter(kind__in=SCORED).order_by("position"):
        answer(user, row, 1 + row.position % 5)
    if sign:
        sign_session(user, session, printed_name="A Reader", meaning="I scored these images.")


def read_all(world: World) -> None:
    for number, user in enumerate(world.readers):
        for session in world.sessions(number):
            read_session(user, session)
