"""The parts of the benchmark against what is known: baseline, ceiling, agreement of metrics, cases, comparisons."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from inference.benchmark.baseline import Baseline, fit, read_baselines, write_baselines
from inference.benchmark.cases import BenchmarkCase
from inference.benchmark.fidelity_tables import (
    DisagreementError,
    Measured,
    SliceRow,
    check_agreement,
    comparisons,
    ct_ceiling,
    measure,
    patient_means,
    summary,
)
from inference.benchmark.latency import latency_anova
from inference.benchmark.report import markdown
from inference.benchmark.steps import distances
from inference.physics.degrade import degrade
from inference.training.pairs import RatedCase
from tests.inference.pool_factory import grey

METHODS = ("tv_recon", "pix2pix", "restormer", "diffusion_unet")


def case(modality: str = "US", seed: int = 0, patient: str = "A") -> BenchmarkCase:
    image = (grey(seed, (48, 56)) * 200).astype(np.float32)
    reference = image * 5 - 1024 if modality == "CT" else image
    measured = degrade(reference, modality, {"CT": 0.25, "MR": 6.0, "US": -6.0}[modality], seed=seed, data_range=255.0)
    return BenchmarkCase(f"{patient}-{seed}", patient, modality, reference, measured)


def row(arm: str, patient: str, psnr: float, modality: str = "CT") -> SliceRow:
    return SliceRow(arm, f"{patient}{psnr}", patient, modality, psnr, 0.9, 10 ** (-psnr / 10), 1.0, 1.0)


def test_baseline_takes_back_a_monotone_curve_and_blurs_noise() -> None:
    generator = np.random.default_rng(0)
    cases = []
    for seed in range(4):
        reference = (grey(seed, (64, 64)) * 255).astype(np.float32)
        bent = 255 * (reference / 255) ** 0.5 + generator.normal(0, 12, reference.shape)
        measured = degrade(reference, "US", 60.0, seed=seed, data_range=255.0)
        cases.append(RatedCase(f"p{seed}", reference, replace(measured, degraded=bent.astype(np.float32))))
    fitted = fit(cases[:3])
    assert fitted.sigma > 0 and np.all(np.diff(fitted.curve) >= 0) and fitted.patients == 3
    held_out = cases[3]
    before = np.mean((held_out.measurement.degraded - held_out.reference) ** 2)
    assert np.mean((fitted(held_out.measurement) - held_out.reference) ** 2) < 0.05 * before


def test_baselines_are_stored_and_shipped_for_every_modality(tmp_path: Path) -> None:
    shipped = read_baselines()
    assert set(shipped) == {"CT", "MR", "US"} and shipped["US"].patients >= 2
    write_baselines(tmp_path / "b.json", shipped)
    assert read_baselines(tmp_path / "b.json") == shipped
    with pytest.raises(FileNotFoundError, match="fit-baseline"):
        read_baselines(tmp_path / "none.json")


def test_an_identity_baseline_returns_its_input() -> None:
    measured = case("US").measurement
    assert np.allclose(Baseline(0.0, [-1.0, 1.0], [-1.0, 1.0], 1, 1)(measured), measured.degraded, atol=1e-3)


@pytest.mark.parametrize("dose", [0.25, 0.5])
def test_ceiling_of_ct_by_simulation(dose: float) -> None:
    """Target x + n, input x + n + m with the variances of the full and the lower dose; x is known."""
    generator = np.random.default_rng(1)
    own = generator.standard_normal(400_000)
    added = generator.standard_normal(own.size) * np.sqrt(1 / dose - 1)
    mean = dose * (own + added)
    sample = mean + np.sqrt(1 - dose) * generator.standard_normal(own.size)
    gains = [10 * np.log10(np.mean(added**2) / np.mean((own - made) ** 2)) for made in (mean, sample)]
    ceiling = ct_ceiling(dose)
    assert gains == pytest.approx([ceiling["conditional_mean_db"], ceiling["one_sample_db"]], abs=0.05)


@pytest.mark.parametrize("modality", ["CT", "MR", "US"])
def test_psnr_and_nmse_of_an_image_agree_and_a_wrong_one_is_caught(modality: str) -> None:
    found = measure("degraded", [case(modality)], [case(modality).measurement.degraded]).rows[0]
    check_agreement(found)
    for wrong in (replace(found, psnr=found.psnr + 0.001), replace(found, nmse=found.nmse * 1.001)):
        with pytest.raises(DisagreementError, match="disagree"):
            check_agreement(wrong)


def test_a_perfect_image_has_no_finite_psnr_and_agrees() -> None:
    perfect = case("US")
    found = measure("reference", [perfect], [perfect.reference]).rows[0]
    assert found.psnr == float("inf") and found.nmse == 0.0


def test_patients_count_once_however_many_slices_they_have() -> None:
    rows = [row("a", "P", 30.0), row("a", "P", 34.0), row("a", "Q", 40.0)]
    assert patient_means(rows, "psnr") == {"P": 32.0, "Q": 40.0}
    features = np.random.default_rng(0).normal(size=(3, 32)).astype(np.float32)
    made = summary(Measured(rows, features), features, None, draws=5)
    assert made["psnr_mean"] == 36.0 and made["psnr_sd"] == pytest.approx(np.std([32, 40], ddof=1))
    assert made["few_patients"] and made["n_patients"] == 2 and made["fid_med"] == pytest.approx(0.0, abs=1e-6)
    alone = summary(Measured(rows[:1], features[:1]), features[:1], None)
    assert alone["psnr_sd"] is None and alone["fid_med"] is None


def test_seeds_are_no_further_slices() -> None:
    """The same distribution on both sides: KID is 0 on average, however many seeds were drawn."""
    generator = np.random.default_rng(2)
    values = []
    for _ in range(150):
        references, first, second = generator.standard_normal((3, 6, 32)).astype(np.float32)
        found = distances(references, [first, second], ["A", "B"] * 3)
        values.append(float(str(found["kid"])))
        alone = distances(references, [first], ["A", "B"] * 3)
        assert distances(references, [first, first], ["A", "B"] * 3) == alone
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(len(values)) < 0.1


def test_the_mark_of_few_slices_counts_slices_and_not_draws() -> None:
    drawn = np.random.default_rng(0).standard_normal((200, 32)).astype(np.float32)
    assert "200 slices are too few" in str(distances(drawn, [drawn, drawn], [f"P{i % 10}" for i in range(200)]))
    assert distances(drawn[:1], [drawn[:1]], ["A"])["kid"] is None


def test_the_interval_of_fid_med_is_printed_where_the_slices_suffice() -> None:
    stated: dict[str, object] = {"cases": {}, "left_out": {}, "physics_version": None, "physics": {}, "weights": {}}
    for slices, printed in ((320, True), (40, False)):
        features = np.random.default_rng(0).standard_normal((slices, 32)).astype(np.float32)
        rows = [row("restormer", f"P{i % 10}", 30.0 + i % 3) for i in range(slices)]
        made = summary(Measured(rows, features + 0.1), features, None, draws=20)
        ends = made["fid_med_ci"]
        assert isinstance(ends, list)
        text = markdown({"stated": stated, "table3": {"restormer": made}})
        assert (f" ({ends[0]:.3f} to {ends[1]:.3f}) |" in text) is printed
        assert (f"{made['fid_med']:.3f}†" in text) is not printed


def test_comparisons_equal_scipys_paired_t_test() -> None:
    generator = np.random.default_rng(3)
    values = {m: 30 + i + generator.normal(size=8) for i, m in enumerate(METHODS)}
    measured = {
        m: Measured([row(m, f"P{i}", float(x)) for i, x in enumerate(v)], np.zeros((8, 32), np.float32))
        for m, v in values.items()
    }
    rows = comparisons(measured)
    assert len(rows) == 6
    for found in rows:
        expected = stats.ttest_rel(values[str(found["first"])], values[str(found["second"])])
        assert found["t"] == pytest.approx(expected.statistic) and found["p"] == pytest.approx(expected.pvalue)
        interval = expected.confidence_interval(1 - 0.05 / 6)
        assert found["ci"] == pytest.approx([interval.low, interval.high])
    one = {m: Measured([row(m, "P", 30.0)], np.zeros((1, 32), np.float32)) for m in METHODS}
    assert all(r["t"] is None and r["why"] for r in comparisons(one))


def test_latency_is_analysed_with_and_without_equal_variances() -> None:
    generator = np.random.default_rng(0)
    samples = {m: list(generator.normal(10 + i, 1 + i, 30)) for i, m in enumerate(METHODS)}
    found = latency_anova(samples)
    assert found["classic"]["F"] == pytest.approx(stats.f_oneway(*samples.values()).statistic)
    assert found["welch"]["df_denom"] < found["classic"]["df_denom"] == 116
