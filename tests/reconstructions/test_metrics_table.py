"""The table of metrics: patients first, devices apart, sorted by address; and its slices."""

from __future__ import annotations

import pytest
from django.test import Client

from readerstudy.cases.models import Case
from readerstudy.reconstructions.comparison import extreme_slices, kept_table, metrics_table
from readerstudy.reconstructions.models import Reconstruction, Run
from tests.factories import make_case, make_run, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    kept_table.cache_clear()


def put(run: Run, ssim: list[float | None], latency: list[float] | None = None, device: str = "cpu") -> None:
    Run.objects.filter(pk=run.pk).update(device=device)
    for row in run.reconstructions.order_by("slice__index"):
        Reconstruction.objects.filter(pk=row.pk).update(
            ssim=ssim[row.slice.index], latency_ms=(latency or [5.0] * len(ssim))[row.slice.index]
        )


def test_a_patient_counts_once_however_many_slices() -> None:
    many, few = make_case("CT", slices=4), make_case("CT", slices=1)
    put(make_run(many, "tv_recon"), [0.9, 0.9, 0.9, 0.9])
    put(make_run(few, "tv_recon"), [0.5])
    row = metrics_table()[0]
    assert row.ssim.mean == pytest.approx(0.7), "not .82, the mean of slices"
    assert row.ssim.sd == pytest.approx(0.2 * 2**0.5)
    assert (row.patients, row.slices, row.few) == (2, 5, True)


def test_two_cases_of_one_patient_are_one_patient() -> None:
    first, second = make_case("CT", slices=1), make_case("CT", slices=1)
    Case.objects.filter(pk=second.pk).update(patient=first.patient)
    for case in (first, second):
        make_run(case, "tv_recon")
    row = metrics_table()[0]
    assert row.patients == 1 and row.ssim.sd is None


def test_levels_settings_and_modalities_are_rows_of_their_own_and_the_reference_none() -> None:
    make_run(make_case("US"), "tv_recon")
    case = make_case("CT")
    make_run(case, "reference")
    make_run(case, "tv_recon")
    other = make_run(make_case("CT"), "tv_recon")
    Run.objects.filter(pk=other.pk).update(settings_hash="b" * 64, settings={"iterations": 5})
    table = metrics_table()
    assert sorted((row.modality, row.settings) for row in table) == [("CT", ""), ("CT", "iterations 5"), ("US", "")]
    assert len(metrics_table(modality="US")) == 1


def test_latency_is_a_median_and_devices_are_columns(client: Client) -> None:
    put(make_run(make_case("CT", slices=3), "tv_recon"), [0.9] * 3, [1.0, 2.0, 900.0])
    put(make_run(make_case("CT", slices=1), "tv_recon"), [0.9], [7.0], device="cuda")
    row = metrics_table()[0]
    assert row.latency == {"cpu": 2.0, "cuda": 7.0}
    client.force_login(make_user(may_coordinate=True))
    page = client.get("/runs/metrics/").content.decode()
    assert "Median ms, cpu" in page and "Median ms, cuda" in page and "n &lt; 5" in page


def test_failed_slices_and_infinite_psnr_count_for_nothing() -> None:
    run = make_run(make_case("CT", slices=2), "tv_recon")
    first, second = run.reconstructions.all()
    Reconstruction.objects.filter(pk=first.pk).update(pixels="", ssim=None)
    Reconstruction.objects.filter(pk=second.pk).update(psnr=None)
    row = metrics_table()[0]
    assert row.slices == 1 and row.psnr.mean is None and row.psnr.sd is None


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("", ["tv_recon", "pix2pix", "restormer"]),
        ("ssim", ["restormer", "tv_recon", "pix2pix"]),
        ("-ssim", ["pix2pix", "tv_recon", "restormer"]),
        ("title", ["pix2pix", "restormer", "tv_recon"]),
        ("password", ["tv_recon", "pix2pix", "restormer"]),
    ],
)
def test_the_table_is_sorted_by_a_word_of_the_address(client: Client, sort: str, expected: list[str]) -> None:
    case = make_case("CT", slices=1)
    for method, ssim in (("tv_recon", 0.5), ("pix2pix", 0.9), ("restormer", 0.1)):
        make_run(case, method, ssim=ssim)
    assert [row.method for row in metrics_table(sort=sort)] == expected
    client.force_login(make_user(may_coordinate=True))
    assert client.get("/runs/metrics/", {"sort": sort}).status_code == 200


def test_an_undefined_value_stands_last_whichever_way() -> None:
    case = make_case("CT", slices=1)
    make_run(case, "tv_recon")
    perfect = make_run(case, "pix2pix")
    perfect.reconstructions.update(psnr=None)
    for sort in ("psnr", "-psnr"):
        assert [row.method for row in metrics_table(sort=sort)] == ["tv_recon", "pix2pix"]


def test_worst_and_median_slices_lead_to_the_comparison(client: Client) -> None:
    case = make_case("CT", slices=20)
    put(make_run(case, "tv_recon"), [0.01 * (20 - n) for n in range(20)])
    row = metrics_table()[0]
    worst, middle = extreme_slices(row, "ssim")
    assert [one.slice.index for one in worst] == [19, 18, 17, 16, 15, 14, 13, 12]
    assert {9, 10} <= {one.slice.index for one in middle}
    client.force_login(make_user(may_coordinate=True))
    page = client.get("/runs/metrics/", {"row": row.key, "by": "ssim"}).content.decode()
    assert f"/runs/compare/{case.pk}/?slice=20&amp;level=0.25" in page


def test_a_new_reconstruction_is_seen_at_once() -> None:
    case = make_case("CT", slices=1)
    make_run(case, "tv_recon")
    assert len(metrics_table()) == 1
    make_run(case, "pix2pix")
    assert len(metrics_table()) == 2
