"""The worker's batches: one load per process, halved where memory runs out, and only a bad slice fails."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from readerstudy.cases.stores import PixelsAway
from readerstudy.jobs.claims import Claim, ShuttingDown, WorkerUnfit, claim, finish
from readerstudy.jobs.models import Job
from readerstudy.reconstructions import batches, tasks
from readerstudy.reconstructions.models import Reconstruction
from tests.factories import make_case
from tests.reconstructions.working import Fake, held, little_work, spoil, work

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    little_work(monkeypatch)


def test_out_of_memory_halves_the_batch_for_the_rest_of_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    method = Fake(room=3)
    rows = work(make_case("US", slices=12), method, monkeypatch)
    assert method.passes == [8, 4, 2, 2, 2, 2, 2, 2]
    assert sorted(rows) == list(range(12)) and all(row.pixels for row in rows.values())
    assert {row.batch_size for row in rows.values()} == {2}
    assert method.batch_size == 8, "the next job begins anew"


def test_a_slice_that_always_fails_costs_none_of_its_mates(monkeypatch: pytest.MonkeyPatch) -> None:
    case, method = make_case("US", slices=10), Fake(batch_size=4)
    spoil(case, 2)
    rows = work(case, method, monkeypatch)
    assert method.passes == [4, 1, 1, 1, 1, 4, 2], "only the batch that failed is tried one by one"
    assert [index for index, row in rows.items() if row.failure] == [2]
    assert rows[2].failure == "ValueError: this slice is too dark" and not rows[2].pixels
    assert (rows[2].run.failed, rows[2].run.missing) == (1, 1)


def test_a_slice_too_large_for_the_device_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    method = Fake(room=0)
    rows = work(make_case("US", slices=2), method, monkeypatch)
    assert method.passes == [2, 1, 1]
    assert {row.failure for row in rows.values()} == {batches.NO_MEMORY}
    assert batches.NO_MEMORY.endswith("then try again.")


def test_an_image_that_can_not_be_one_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    class Undefined(Fake):
        def reconstruct(self, measurements: Any, seeds: Any) -> list[Any]:
            return [m.degraded * (np.nan if m.seed == 1 else 1) for m in measurements]

    rows = work(make_case("US", slices=3), Undefined(), monkeypatch)
    assert [bool(rows[index].pixels) for index in range(3)] == [True, False, True]
    assert rows[1].failure == "The reconstruction holds values that are not numbers."


def test_a_method_that_takes_single_slices_gets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    method = Fake()
    del method.batch_size
    rows = work(make_case("US", slices=3), method, monkeypatch)
    assert method.passes == [1, 1, 1] and {row.batch_size for row in rows.values()} == {1}


def test_a_lost_gpu_ends_the_worker_and_fails_no_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    case, method = make_case("US", slices=3), Fake(batch_size=1)
    spoil(case, 1)
    method.error = torch.AcceleratorError("CUDA error: an illegal memory access was encountered")
    with pytest.raises(WorkerUnfit, match="illegal memory access"):
        work(case, method, monkeypatch)
    assert list(Reconstruction.objects.values_list("slice__index", "failure")) == [(0, "")]


def test_pixels_that_are_away_for_a_while_fail_no_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    case, method = make_case("US", slices=3), Fake(batch_size=1)
    spoil(case, 1)
    method.error = PixelsAway("the bucket does not answer")
    with pytest.raises(PixelsAway):
        work(case, method, monkeypatch)
    assert list(Reconstruction.objects.values_list("slice__index", "failure")) == [(0, "")]


def test_a_worker_that_ends_stops_between_two_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    method = Fake(batch_size=2)
    monkeypatch.setattr(tasks, "_load", lambda run: method)
    taken = held(make_case("US", slices=6))
    beats: list[int] = []
    monkeypatch.setattr(Claim, "heartbeat", lambda self: beats.append(len(method.passes)))
    tasks.reconstruct(taken)
    assert beats == [0, 1, 2] and method.passes == [2, 2, 2]
    other = held(make_case("US", slices=6))
    monkeypatch.undo()
    monkeypatch.setattr(tasks, "_load", lambda run: method)
    other.stopping.set()
    with pytest.raises(ShuttingDown):
        tasks.reconstruct(other)
    assert len(method.passes) == 3, "nothing was begun"


def test_the_methods_time_leaves_out_a_pass_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the method itself halved its batch, the time of the call is no latency."""

    class Halving(Fake):
        def reconstruct(self, measurements: Any, seeds: Any) -> list[Any]:
            if len(self.passes) == 0:
                self.batch_size = 2
            return super().reconstruct(measurements, seeds)

    rows = work(make_case("US", slices=6), Halving(batch_size=4), monkeypatch)
    assert [rows[index].latency_ms is None for index in range(6)] == [True] * 4 + [False] * 2
    assert {row.batch_size for row in rows.values()} == {2}


def test_a_method_is_loaded_once_for_two_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []

    def load(key: str, settings: Any, device: str) -> Fake:
        loaded.append(key)
        return Fake()

    monkeypatch.setattr("inference.methods.base.load_method", load)
    first = held(make_case("US", slices=20))
    assert Job.objects.count() == 2
    second = claim("cpu", "")
    assert second is not None
    for taken in (first, second):
        tasks.reconstruct(taken)
        finish(taken)
    assert loaded == ["degraded"]
    assert Reconstruction.objects.exclude(pixels="").count() == 20
