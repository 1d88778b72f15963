"""A worker that does little: the reference stands for the degraded slice, and a method that is told how to fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from readerstudy.cases import store
from readerstudy.cases.models import Case
from readerstudy.jobs.claims import Claim, claim, finish
from readerstudy.reconstructions import actions, tasks
from readerstudy.reconstructions.models import Reconstruction, Run
from tests.factories import LEVELS, SIDE, make_user

BAD = 7


class Fake:
    """Adds one to each slice of a pass; ``room`` slices fit, and a slice of nothing but ``BAD`` never works."""

    key, name, version, weights_hash, precision, sampler, network_calls = "degraded", "F", "1", "", "float32", "", 1

    def __init__(self, room: int = 16, batch_size: int = 8) -> None:
        self.room, self.batch_size = room, batch_size
        self.passes: list[int] = []
        self.after: Callable[[], None] = lambda: None
        self.error: Exception = ValueError("this slice is too dark")

    def reconstruct(self, measurements: Any, seeds: Any) -> list[Any]:
        self.passes.append(len(measurements))
        if len(measurements) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        if any((m.degraded == BAD).all() for m in measurements):
            raise self.error
        self.after()
        return [m.degraded + 1 for m in measurements]


def little_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """No physics, nothing asked of the metrics' network, no method loaded before."""
    tasks._methods.clear()
    monkeypatch.setattr(tasks, "_measure", _measure)
    monkeypatch.setattr(tasks, "feature_network", lambda: "f" * 64)
    monkeypatch.setattr(tasks, "_features", lambda images, case: np.zeros((len(images), 32), np.float32))


def _measure(run: Run, row: Any) -> Any:
    from inference.methods.base import Measurement

    image = tasks._reference(run.measurement.case, row)
    return Measurement(image, run.measurement.case.modality, None, 0.25, 2924.0, row.index, None, None, {})


def spoil(case: Case, *indices: int) -> None:
    """Make these slices the ones that never work."""
    for row in case.slices.filter(index__in=indices):
        row.pixels = store.put(np.full((SIDE, SIDE), BAD, "<u2").tobytes())
        row.save()


def held(case: Case) -> Claim:
    actions.request_runs([case], ["degraded"], LEVELS, make_user(may_coordinate=True))
    taken = claim("cpu", "")
    assert taken is not None
    return taken


def work(case: Case, method: Any, monkeypatch: pytest.MonkeyPatch) -> dict[int, Reconstruction]:
    monkeypatch.setattr(tasks, "_load", lambda run: method)
    taken = held(case)
    tasks.reconstruct(taken)
    finish(taken)
    return {row.slice.index: row for row in Reconstruction.objects.select_related("slice", "run")}
