"""SD maps: stored by the worker on a stated scale, shown to coordinators alone, exported under a clear name."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse

from readerstudy.cases import queries, store
from readerstudy.cases.models import Case
from readerstudy.reconstructions import comparison, exports, uncertainty
from readerstudy.reconstructions.models import Reconstruction, Run
from tests.factories import SIDE, make_case, make_run, make_user
from tests.reconstructions.test_compare import data_of
from tests.reconstructions.test_exports import exported, raw_arrays
from tests.reconstructions.working import Fake, little_work, work

pytestmark = pytest.mark.django_db
SAMPLES = {"samples": 4}


class Drawing(Fake):
    """Draws three times; the deviation of a pixel is its value over ten."""

    samples = 3

    def reconstruct_with_deviation(self, measurements: Any, seeds: Any) -> list[Any]:
        return [(image, image / 10) for image in self.reconstruct(measurements, seeds)]


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    little_work(monkeypatch)


@pytest.fixture
def uncertain() -> Run:
    """A finished run over four samples."""
    return make_run(make_case("CT", slices=2), "diffusion_unet", settings=SAMPLES)


@pytest.fixture
def coordinator(client: Client) -> Client:
    client.force_login(make_user(may_coordinate=True))
    return client


def stored_map(row: Reconstruction) -> Any:
    return np.frombuffer(store.get(row.uncertainty), "<u2").reshape(SIDE, SIDE)


def test_the_worker_stores_the_map_beside_the_image(little: None, monkeypatch: pytest.MonkeyPatch) -> None:
    method = Drawing(batch_size=8)
    rows = work(make_case("US", slices=3), method, monkeypatch)
    assert method.passes == [2, 1], "three draws of two slices fill a batch of eight"
    for row in rows.values():
        case = row.slice.case
        assert row.uncertainty_step == case.data_range / 65535
        expected = (queries.values(row.slice) + 1) / 10
        assert np.allclose(stored_map(row) * row.uncertainty_step, expected, atol=row.uncertainty_step)
        assert np.allclose(uncertainty.read_map(row, case), expected, atol=row.uncertainty_step)


def test_one_draw_has_no_map(little: None, monkeypatch: pytest.MonkeyPatch) -> None:
    method = Drawing()
    method.samples = 1
    rows = work(make_case("US", slices=1), method, monkeypatch)
    assert (rows[0].uncertainty, rows[0].uncertainty_step) == ("", None)


@pytest.mark.parametrize("wrong", [np.nan, -1.0])
def test_a_map_that_is_none_fails_its_slice(little: None, wrong: float, monkeypatch: pytest.MonkeyPatch) -> None:
    class Wrong(Drawing):
        def reconstruct_with_deviation(self, measurements: Any, seeds: Any) -> list[Any]:
            return [(m.degraded, np.full_like(m.degraded, wrong)) for m in measurements]

    rows = work(make_case("US", slices=1), Wrong(), monkeypatch)
    assert "no standard deviations" in rows[0].failure and not rows[0].pixels


def test_padding_has_no_deviation_and_the_largest_fits() -> None:
    case = make_case("CT", slices=1)
    reference = np.zeros((SIDE, SIDE), np.float32)
    reference[0, 0] = -1024.0
    largest = np.full((SIDE, SIDE), 4095 / 2**0.5, np.float32)  # of two draws at both ends of the range
    kept = uncertainty.keep_map(largest, reference, case)
    row = Reconstruction(**kept)
    found = uncertainty.read_map(row, case)
    assert found[0, 0] == 0
    assert np.allclose(found[1:], largest[1:], atol=kept["uncertainty_step"])


def test_the_comparison_offers_the_map_with_its_scale(coordinator: Client, uncertain: Run) -> None:
    case = uncertain.measurement.case
    make_run(case, "tv_recon")
    coordinator.post(f"/runs/compare/{case.pk}/open/")
    page = coordinator.get(f"/runs/compare/{case.pk}/").content.decode()
    data = data_of(page)
    assert "SD over samples" in page and data["maps"] and data["unit"] == "HU"
    assert sorted(zip(data["samples"], data["captions"], strict=True)) == [
        (1, "Reference"), (1, "TV-Recon, 25 % dose"), (4, "Diffusion-UNet, 25 % dose, samples 4"),
    ]  # fmt: skip
    panes = data["slices"][1]["panes"]
    shown = [pane["deviation"] for pane in panes if "deviation" in pane]
    row = uncertain.reconstructions.get(slice__index=1)
    assert shown == [{"url": f"/runs/pixels/{row.pk}/uncertainty/", "step": row.uncertainty_step}]
    response = coordinator.get(shown[0]["url"])
    assert response.content == store.get(row.uncertainty)
    assert response["Cache-Control"] == "private, no-store"


def test_a_comparison_without_maps_offers_none(coordinator: Client) -> None:
    case = make_case("CT")
    make_run(case, "tv_recon")
    coordinator.post(f"/runs/compare/{case.pk}/open/")
    page = coordinator.get(f"/runs/compare/{case.pk}/").content.decode()
    assert "SD over samples" not in page and not data_of(page)["maps"]


def test_nobody_gets_a_map_before_the_comparison_is_opened_or_where_there_is_none(
    coordinator: Client, uncertain: Run
) -> None:
    case = uncertain.measurement.case
    row = uncertain.reconstructions.all()[0]
    address = reverse("reconstructions:uncertainty", args=[row.pk])
    assert coordinator.get(address).status_code == 409
    for other in (make_user(), None):
        stranger = Client()
        if other:
            stranger.force_login(other)
        assert stranger.get(address).status_code == (404 if other else 302)
    without = make_run(case, "tv_recon").reconstructions.all()[0]
    coordinator.post(f"/runs/compare/{case.pk}/open/")
    assert coordinator.get(reverse("reconstructions:uncertainty", args=[without.pk])).status_code == 404
    store._path(row.uncertainty).unlink()
    assert coordinator.get(address).status_code == 503


def test_the_runs_page_counts_the_maps(coordinator: Client, uncertain: Run) -> None:
    page = coordinator.get(reverse("reconstructions:detail", args=[uncertain.pk])).content.decode()
    assert "2 slices, over 4 samples each" in page
    plain = make_run(uncertain.measurement.case, "tv_recon")
    assert "SD maps" not in coordinator.get(reverse("reconstructions:detail", args=[plain.pk])).content.decode()


@pytest.mark.parametrize("modality", ["CT", "MR", "US"])
def test_the_map_goes_out_beside_its_image(modality: str, tmp_path: Path, settings: Any) -> None:
    settings.DATA_DIR = tmp_path
    run = make_run(make_case(modality), "diffusion_unet", settings=SAMPLES)
    manifest, files = exported(exports.request_reconstructions([run], make_user(may_coordinate=True)))
    rows = run.reconstructions.order_by("slice__index")
    for item, row in zip(manifest["items"], rows, strict=True):
        told = item["uncertainty"]
        assert told["file"].startswith(item["file"].removesuffix(".dcm") + "-standard-deviation.")
        assert hashlib.sha256(files[told["file"]]).hexdigest() == told["sha256"]
        arrays = raw_arrays(told["file"], files[told["file"]])
        assert np.allclose(arrays["standard_deviation"], stored_map(row) * row.uncertainty_step)
        back = np.rint(arrays["standard_deviation"] / arrays["step"]).astype("<u2").tobytes()
        assert hashlib.sha256(back).hexdigest() == told["stored_sha256"] == row.uncertainty
        assert told["samples"] == 4 and told["unit"] == uncertainty.UNITS[modality] and "(n - 1)" in told["what"]


def test_an_export_without_maps_names_none(tmp_path: Path, settings: Any) -> None:
    settings.DATA_DIR = tmp_path
    manifest, files = exported(
        exports.request_reconstructions([make_run(make_case("CT"), "tv_recon")], make_user(may_coordinate=True))
    )
    assert all("uncertainty" not in item for item in manifest["items"])
    assert all(name.endswith(".dcm") for name in files)


def test_a_case_with_several_runs_names_the_samples_of_each(uncertain: Run) -> None:
    case: Case = uncertain.measurement.case
    single = make_run(case, "diffusion_unet")
    data = comparison.side_by_side(case, [single, uncertain])
    assert data["samples"] == [1, 1, 4]
