"""Requests and the worker's job: once per slice, failures recorded, mates kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from inference.data.dicom_types import patient_source_id
from readerstudy.cases import store
from readerstudy.cases.keys import source_hash
from readerstudy.cases.models import Case
from readerstudy.jobs.claims import claim, finish
from readerstudy.jobs.models import Job
from readerstudy.reconstructions import actions, tasks
from readerstudy.reconstructions.models import Measurement, Reconstruction, Run
from tests.factories import LEVELS, SIDE, make_case, make_user

pytestmark = pytest.mark.django_db


class Doubling:
    """A method that adds one, or fails on the slice it is told to."""

    key, name, version, weights_hash, precision, sampler, network_calls = "degraded", "D", "1", "", "float32", "", 1
    bad: float | None = None

    def reconstruct(self, measurements: Any, seeds: Any) -> list[Any]:
        images = [m.degraded + 1 for m in measurements]
        if self.bad is not None and any(float(m.degraded[0, 0]) == self.bad for m in measurements):
            raise ValueError("this slice is too dark")
        return images


@pytest.fixture
def method(monkeypatch: pytest.MonkeyPatch) -> Doubling:
    """No weights, no torch: the physics and the metrics' network are tested in tests/inference."""
    made = Doubling()
    monkeypatch.setattr(tasks, "_load", lambda run: made)
    monkeypatch.setattr(tasks, "_measure", _measure)
    monkeypatch.setattr(tasks, "feature_network", lambda: "f" * 64)
    monkeypatch.setattr(tasks, "_features", lambda images, case: np.zeros((len(images), 32), np.float32))
    return made


def _measure(run: Run, row: Any) -> Any:
    from inference.methods.base import Measurement as Measured

    image = tasks._reference(run.measurement.case, row)
    return Measured(image, run.measurement.case.modality, None, 0.25, 2924.0, 1, None, None, {})


@pytest.fixture
def case() -> Case:
    return make_case("US", slices=3)


def request(case: Case) -> Run:
    return actions.request_runs([case], ["degraded"], LEVELS, make_user(may_coordinate=True))[0]


def work() -> int:
    """What a worker does: claim until nothing is left."""
    number = 0
    while held := claim("cpu", ""):
        tasks.reconstruct(held)
        finish(held)
        number += 1
    return number


def test_a_run_is_requested_once(case: Case) -> None:
    first = request(case)
    assert request(case) == first
    assert Job.objects.filter(kind="reconstruct").count() == 1
    assert Measurement.objects.count() == 1


def test_a_job_has_at_most_sixteen_slices() -> None:
    request(make_case("US", slices=35))
    assert sorted(job.total for job in Job.objects.all()) == [3, 16, 16]


def test_the_worker_records_pixels_and_metrics(case: Case, method: Doubling) -> None:
    run = request(case)
    assert work() == 1
    rows = Reconstruction.objects.filter(run=run)
    assert rows.count() == 3
    for row in rows:
        pixels = np.frombuffer(store.get(row.pixels), "<u2").reshape(SIDE, SIDE)
        reference = np.frombuffer(store.get(row.slice.pixels), "<u2").reshape(SIDE, SIDE)
        assert np.array_equal(pixels, np.minimum(reference + 1, 255))
        assert row.psnr is not None and 40 < row.psnr < 60
        assert row.nmse is not None and row.ssim is not None


def test_a_failed_slice_is_recorded_and_its_mates_are_kept(case: Case, method: Doubling) -> None:
    second = case.slices.get(index=1)
    pixels = np.full((SIDE, SIDE), 7, "<u2")
    second.pixels = store.put(pixels.tobytes())
    second.save()
    method.bad = 7.0
    run = request(case)
    work()
    rows = {row.slice.index: row for row in Reconstruction.objects.filter(run=run)}
    assert rows[1].failure == "ValueError: this slice is too dark"
    assert rows[1].pixels == ""
    assert rows[0].pixels and rows[2].pixels


def test_a_failed_slice_can_be_tried_again(case: Case, method: Doubling) -> None:
    test_a_failed_slice_is_recorded_and_its_mates_are_kept(case, method)
    method.bad = None
    run = Run.objects.get(method="degraded")
    assert actions.retry_run(run, make_user(may_coordinate=True)) == 1
    assert actions.retry_run(run, make_user(may_coordinate=True)) == 0
    work()
    assert not Reconstruction.objects.filter(run=run, pixels="").exists()
    assert Reconstruction.objects.filter(run=run).count() == 3


def test_a_repeated_job_is_harmless(case: Case, method: Doubling) -> None:
    run = request(case)
    work()
    before = list(Reconstruction.objects.filter(run=run).order_by("pk").values("pk", "pixels", "created_at"))
    Job.objects.update(state=Job.State.QUEUED, attempts=0)
    assert work() == 1
    assert list(Reconstruction.objects.filter(run=run).order_by("pk").values("pk", "pixels", "created_at")) == before


@pytest.mark.parametrize(
    ("method_key", "levels", "sentence"),
    [
        ("magic", LEVELS, "There is no method 'magic'"),
        ("degraded", {}, "Give a level for US"),
        ("degraded", {"US": 900.0}, "must be between"),
    ],
)
def test_a_bad_request_is_said_in_a_sentence(
    case: Case, method_key: str, levels: dict[str, float], sentence: str
) -> None:
    with pytest.raises(actions.RunError, match=sentence):
        actions.request_runs([case], [method_key], levels, None)


def test_a_patient_of_the_training_list_is_refused(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    case.source_ids = [source_hash(patient_source_id("patient-17"))]
    case.save()
    monkeypatch.setattr(actions, "training_patients", lambda key: frozenset({"patient-17"}))
    with pytest.raises(actions.RunError, match="not held out"):
        request(case)


def test_a_quarantined_case_is_refused(case: Case) -> None:
    case.state = Case.State.QUARANTINED
    case.save()
    with pytest.raises(actions.RunError, match="release it first"):
        request(case)
