"""The whole way of an outside method: exported inputs, its results, metrics, an arm of an opened study, a score."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse

from readerstudy.cases import store
from readerstudy.cases.models import Case
from readerstudy.conduct.actions import open_study
from readerstudy.conduct.verify import verify_study
from readerstudy.jobs.claims import claim, finish
from readerstudy.reading.actions import start_session
from readerstudy.reading.models import Score
from readerstudy.reconstructions import importing, tasks
from readerstudy.reconstructions.models import Reconstruction
from readerstudy.schedules.models import Schedule
from readerstudy.studies.actions import StudyError, add_member, create_study
from readerstudy.studies.models import StudyImage
from tests.factories import LEVELS, answer, make_case, make_protocol, make_run, make_user
from tests.reconstructions.test_importing import answer as made_elsewhere
from tests.reconstructions.test_importing import bring, sent

pytestmark = pytest.mark.django_db


@pytest.fixture
def cases(tmp_path: Path, settings: Any) -> list[Case]:
    """A case of every modality with the results of TV-Recon."""
    settings.DATA_DIR = tmp_path / "data"
    settings.DATA_DIR.mkdir()
    made = [make_case(modality, slices=2) for modality in ("CT", "MR", "US")]
    for case in made:
        make_run(case, "tv_recon")
    return made


def protocol() -> Any:
    arms = [{"key": key, "title": key, "method": key, "levels": LEVELS} for key in ("tv_recon", "our_unet")]
    return make_protocol(arms=arms, slices={"number": 6}, design={"readers": 1, "reserves": 0})


def measure(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker's job that adds what needs the metrics' network."""
    monkeypatch.setattr(tasks, "feature_network", lambda: "f" * 64)
    monkeypatch.setattr(tasks, "_features", lambda images, case: np.eye(2, 32, dtype=np.float32))
    while held := claim("cpu", ""):
        importing.measure(held)
        finish(held)


def test_a_folder_made_elsewhere_becomes_an_arm_that_is_read(
    cases: list[Case], client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    coordinator, reader = make_user(may_coordinate=True), make_user()
    study = create_study(protocol(), coordinator)
    add_member(study, reader, "reader", coordinator)
    with pytest.raises(StudyError, match=r"6 images are missing, the first is .* by our_unet"):
        open_study(study, coordinator)
    for case in cases:
        for path in sent(case, coordinator, tmp_path / case.pseudonym).values():
            made_elsewhere(path)
        assert bring(tmp_path / case.pseudonym, coordinator).refused == 0
    measure(monkeypatch)
    rows = Reconstruction.objects.filter(run__method="our_unet")
    assert rows.count() == 6 and not rows.filter(features="").exists()
    assert not rows.filter(psnr=None).exists() and not rows.filter(feature_distance=None).exists()

    study = open_study(study, coordinator)
    images = StudyImage.objects.filter(arm__study=study, arm__key="our_unet").select_related("reconstruction__run")
    assert len(images) == 6 and all(image.reconstruction.run.imported for image in images)
    assert {image.pixels for image in images} == set(rows.values_list("pixels", flat=True))
    assert list(verify_study(study)) == []

    session = Schedule.objects.get(study=study, reader__number=1).sessions.order_by("number")[0]
    start_session(reader, session)
    shown = session.presentations.filter(panes__arm__key="our_unet").order_by("position")[0]
    client.force_login(reader)
    frame = client.get(reverse("reading:frame", args=[shown.pk, 0, 0]))
    assert frame.content in {store.get(image.pixels) for image in images}
    for row in session.presentations.filter(position__lte=shown.position).order_by("position"):
        answer(reader, row, 4)
    assert Score.objects.get(presentation=shown).value == 4
