"""How much memory a run took: kept with it, and shown."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from django.test import Client
from django.urls import reverse

from readerstudy.reconstructions import batches
from readerstudy.reconstructions.models import Run
from tests.factories import make_case, make_user
from tests.reconstructions.working import Fake, little_work, work

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    little_work(monkeypatch)


def test_the_most_memory_of_any_batch_is_kept_with_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    peaks = iter([300, 900, 500])
    monkeypatch.setattr(batches, "peak_memory", lambda device: next(peaks))
    rows = work(make_case("US", slices=3), Fake(batch_size=1), monkeypatch)
    assert rows[0].run.peak_memory_mib is not None
    assert Run.objects.get().peak_memory_mib == 900


def test_the_memory_of_a_cpu_worker_is_that_of_its_process() -> None:
    taken = batches.peak_memory("cpu")
    assert 50 < taken < 100_000, "MiB"
    held_down = np.ones(2**26, np.uint8)  # 64 MiB
    assert batches.peak_memory("cpu") >= taken and held_down.any()


def test_the_memory_on_a_gpu_is_counted_from_each_batch(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.DEVICE = "cuda"
    resets: list[int] = []
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda: resets.append(1))
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: 2**20 * 5 + 1)
    rows = work(make_case("US", slices=4), Fake(batch_size=2), monkeypatch)
    assert len(resets) == 2
    run = Run.objects.get(pk=rows[0].run.pk)
    assert (run.peak_memory_mib, run.device) == (6, "cuda")


def test_the_runs_page_states_it(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = work(make_case("US", slices=1), Fake(), monkeypatch)
    client.force_login(make_user(may_coordinate=True))
    page = reverse("reconstructions:detail", args=[rows[0].run.pk])
    peak = Run.objects.get().peak_memory_mib
    assert f"{peak} MiB, the whole worker" in client.get(page).content.decode()
    Run.objects.update(device="cuda", peak_memory_mib=812)
    assert "812 MiB on the GPU, in its largest batch" in client.get(page).content.decode()
