"""The estimate before a request: counts, what exists, measured and default speeds, workers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from readerstudy.cases.models import Case
from readerstudy.jobs.models import Job, Worker
from readerstudy.reconstructions import actions
from readerstudy.reconstructions.estimates import DEFAULT_MS, DEFAULT_PIXELS, Estimate, estimate_runs, network_calls
from readerstudy.reconstructions.models import Reconstruction, Run
from readerstudy.reconstructions.recording import counted
from tests.factories import SIDE, make_case

pytestmark = pytest.mark.django_db
LADDER = {"CT": [1.0, 0.5, 0.25, 0.1], "MR": [6.0], "US": [-6.0]}
PIXELS = SIDE * SIDE


def estimate(methods: list[str], levels: Any = None, **settings: dict[str, Any]) -> Estimate:
    return estimate_runs(Case.objects.all(), methods, levels or LADDER, settings)


def finish(run: Run, milliseconds: float, slices: int | None = None, *, calls: int = 0, device: str = "cpu") -> None:
    Run.objects.filter(pk=run.pk).update(device=device, network_calls=calls)
    with counted(run):
        for row in run.measurement.case.slices.order_by("index")[:slices]:
            Reconstruction.objects.create(run=run, slice=row, pixels="a" * 64, latency_ms=milliseconds)


def test_runs_and_slices_are_counted() -> None:
    make_case("CT", slices=3), make_case("US", slices=2)
    made = estimate(["reference", "degraded", "tv_recon"])
    assert (made.cases, made.runs, made.slices, made.existing, made.missing) == (2, 2 + 2 * 5, 5 + 2 * 14, 0, 33)


def test_what_exists_is_not_counted_again() -> None:
    case = make_case("CT", slices=3)
    finish(actions.request_runs([case], ["degraded"], {"CT": 0.5}, None)[0], 1.0, slices=2)
    made = estimate(["degraded"])
    assert (made.runs, made.existing, made.slices, made.missing) == (4, 1, 12, 10)
    assert estimate(["degraded"], {"CT": [0.25]}).existing == 0, "another level"


def test_other_settings_are_other_runs() -> None:
    case = make_case("CT")
    actions.request_runs([case], ["tv_recon"], {"CT": 0.25}, None)
    assert estimate(["tv_recon"], {"CT": [0.25]}).existing == 1
    assert estimate(["tv_recon"], {"CT": [0.25]}, tv_recon={"iterations": 5}).existing == 0


def test_without_a_measurement_the_default_counts_by_pixels() -> None:
    make_case("CT", slices=1)
    part = estimate(["restormer"], {"CT": [0.25]}).parts[0]
    assert not part.measured
    assert part.milliseconds == pytest.approx(200 + DEFAULT_MS["restormer"] * PIXELS / DEFAULT_PIXELS)


def test_the_median_of_the_matrix_size_counts() -> None:
    small = make_case("CT", slices=5)
    finish(actions.request_runs([small], ["tv_recon"], {"CT": 0.5}, None)[0], 40.0)
    Reconstruction.objects.filter(slice__index=0).update(latency_ms=9000.0)
    large = make_case("CT", slices=1)
    Case.objects.filter(pk=large.pk).update(rows=2 * SIDE)
    made = estimate_runs(Case.objects.filter(pk=small.pk), ["tv_recon"], {"CT": [0.25]}, {})
    assert made.parts[0].measured and made.parts[0].milliseconds == pytest.approx(40 + 200)
    made = estimate_runs(Case.objects.filter(pk=large.pk), ["tv_recon"], {"CT": [0.25]}, {})
    assert made.parts[0].milliseconds == pytest.approx(80 + 200), "the nearest size, scaled by pixels"


def test_another_device_says_nothing_about_this_one() -> None:
    case = make_case("CT")
    finish(actions.request_runs([case], ["tv_recon"], {"CT": 0.5}, None)[0], 1.0, device="cuda")
    assert not estimate(["tv_recon"], {"CT": [0.25]}).parts[0].measured


def test_steps_samples_and_guidance_multiply_network_calls() -> None:
    assert network_calls("pix2pix", {}) == 1
    assert network_calls("diffusion_unet", {}) == 10
    assert network_calls("diffusion_unet", {"steps": 50, "guidance": 2.0, "samples": 3}) == 300
    case = make_case("CT", slices=1)
    finish(actions.request_runs([case], ["diffusion_unet"], {"CT": 0.5}, None)[0], 100.0, calls=10)
    part = estimate(["diffusion_unet"], {"CT": [0.25]}, diffusion_unet={"steps": 20}).parts[0]
    assert part.milliseconds == pytest.approx(200 + 200)


def test_time_beside_the_method_comes_from_finished_jobs() -> None:
    case = make_case("CT", slices=2)
    run = actions.request_runs([case], ["tv_recon"], {"CT": 0.5}, None)[0]
    finish(run, 100.0)
    now = timezone.now()
    Job.objects.update(state=Job.State.DONE, started_at=now, finished_at=now + timedelta(seconds=1), total=2)
    part = estimate(["tv_recon"], {"CT": [0.25]}).parts[0]
    assert part.milliseconds == pytest.approx(100 + 400), "half a second a slice, a tenth of it the method's"


def test_workers_share_the_time() -> None:
    make_case("CT", slices=4)
    alone = estimate(["restormer"]).seconds
    for pid in (1, 2):
        Worker.objects.create(host="h", pid=pid, queue="cpu,gpu", started_at=timezone.now(), seen_at=timezone.now())
    Worker.objects.create(host="h", pid=3, queue="gpu", started_at=timezone.now(), seen_at=timezone.now())
    made = estimate(["restormer"])
    assert made.workers == 2 and made.seconds == pytest.approx(alone / 2)
