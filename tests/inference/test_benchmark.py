"""The benchmark from its command: a pool in, the four tables with figures and montages out."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from inference.benchmark import latency, steps
from inference.benchmark.arms import ARMS, Bench
from inference.benchmark.paper import TABLE7
from inference.benchmark.run import Options, known_patients
from inference.command import main
from inference.methods.register import WEIGHTS, card_patients, training_patients
from inference.metrics.features import BACKBONE_FILE
from tests.inference.pool_factory import make_pool

QUALITY = {"psnr_mean", "psnr_sd", "ssim_mean", "nmse_mean", "fid_med", "kid", "n_slices", "n_patients"}
METHODS = {"degraded", "fitted_baseline", "tv_recon", "pix2pix", "restormer", "diffusion_unet", "diffusion_unet_mean8"}


@pytest.fixture(scope="module")
def made(pool: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One whole benchmark, its costly counts made small."""
    out = tmp_path_factory.mktemp("out")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(latency, "SIZE", 64)
        patch.setattr(steps, "SHORT", (("dpm-solver++", 3), ("ddpm", 2), ("ddpm", 3)))
        patch.setattr(steps, "TABLE7", {3: TABLE7[200]})
        for key in ("diffusion_unet", "diffusion_unet_w2", "diffusion_unet_mean8"):
            patch.setitem(ARMS[key].settings, "steps", 2)  # type: ignore[arg-type]
        arguments = ["benchmark", "--cases", str(pool), "--out", str(out), "--repeats", "3", "--per-patient", "1"]
        assert main([*arguments, "--step-slices", "3"]) == 0
    return out


@pytest.fixture(scope="module")
def tables(made: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((made / "tables.json").read_text())
    return loaded


def test_tables_3_and_4_hold_every_method_with_its_counts(tables: dict[str, Any]) -> None:
    assert set(tables["table3"]) >= METHODS
    assert set(tables["table4"]) == {"CT", "MR", "US"}
    for modality, arms in tables["table4"].items():
        assert set(arms) >= METHODS, modality
        assert all(row["n_patients"] == 3 and row["n_slices"] == 3 for row in arms.values())
    every = [*tables["table3"].values(), *(row for arms in tables["table4"].values() for row in arms.values())]
    assert all(set(row) == QUALITY | {"few_patients", "fid_med_ci", "fid_med_marked"} for row in every)
    row = tables["table3"]["restormer"]
    assert row["n_patients"] == 9 and row["psnr_sd"] > 0 and row["fid_med_marked"]
    assert row["psnr_mean"] == pytest.approx(
        sum(tables["table4"][m]["restormer"]["psnr_mean"] for m in ("CT", "MR", "US")) / 3
    )


def test_ct_carries_its_ceiling(tables: dict[str, Any]) -> None:
    assert set(tables["ct_ceiling"]) == {"conditional_mean_db", "one_sample_db"}
    assert tables["ct_ceiling"]["conditional_mean_db"] == pytest.approx(6.02, abs=0.01)
    assert tables["ct_ceiling"]["one_sample_db"] == pytest.approx(3.01, abs=0.01)


def test_every_pair_is_compared_within_its_family(tables: dict[str, Any]) -> None:
    rows = tables["comparisons"]
    assert len(rows) == 6 == rows[0]["family"]
    for row in rows:
        assert row["p_adjusted"] == pytest.approx(min(1.0, 6 * row["p"])) and row["n_patients"] == 9
        assert row["ci"][0] < row["mean_difference"] < row["ci"][1]


def test_table_6_states_how_it_was_timed(tables: dict[str, Any]) -> None:
    assert set(tables["table6"]) == {"tv_recon", "pix2pix", "restormer", "diffusion_unet", "diffusion_unet_w2"}
    for row in tables["table6"].values():
        assert set(row) >= {"median_ms", "p95_ms", "processor_median_ms", "repeats", "size", "network_calls"}
        assert 0 < row["median_ms"] <= row["p95_ms"] and row["too_few_repeats"] and row["batch"] == 1
        assert row["device"].startswith("CPU") and row["precision"] == "float32"
    assert "2 steps" in tables["table6"]["diffusion_unet"]["sampler"]
    assert {"classic", "welch"} == set(tables["latency_anova"])
    assert tables["latency_anova"]["classic"]["df_num"] == 3


def test_table_7_has_fidelity_and_distance_for_every_number_of_steps(tables: dict[str, Any]) -> None:
    assert [(r["sampler"], r["steps"]) for r in tables["table7"]] == [("dpm-solver++", 3), ("ddpm", 2), ("ddpm", 3)]
    for row in tables["table7"]:
        assert set(row) >= {"psnr_mean", "fid_med", "kid", "n_slices", "n_patients", "sampler", "steps", "largest_side"}
        assert row["n_slices"] == 3 and row["seeds"] == 2 and row["fid_med_marked"]
        assert set(row["psnr_by_modality"]) == {"CT", "MR", "US"} and row["psnr_sd_over_seeds"] > 0
    assert [row["paper_psnr"] for row in tables["table7"]] == [None, None, 39.2]  # the paper's sampler and steps only


def test_frozen_physics_and_the_weights_stand_in_the_report(made: Path, tables: dict[str, Any]) -> None:
    assert tables["stated"]["physics"]["CT"]["photons_per_mm"] == 1.2e6 and tables["stated"]["physics_version"]
    assert tables["stated"]["levels"]["CT"] == "25 % dose CT"
    text = (made / "benchmark.md").read_text()
    for words in (
        "photons per mm 1200000",
        "electronic noise counts 10",
        "dynamic range db 60",
        "snr region",
        "Ceiling",
        "k space retrospective from magnitude",
        "real acceleration 6.222",
    ):
        assert words in text, words
    assert "CPU-trained" in text and "158.4" in text and "8-bit display images are no ground truth" in text


def test_figures_and_montages_can_be_opened(made: Path) -> None:
    for modality in ("CT", "MR", "US"):
        with Image.open(made / f"montage_{modality}.png") as image:
            assert image.width > 900
    for name in ("table4.svg", "table6.svg", "table7.svg"):
        assert (made / name).read_text().startswith("<?xml")
    with (made / "slices.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 9 * len(ARMS)


def test_a_second_run_makes_no_image_again(
    pool: Path, made: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for key in ("diffusion_unet", "diffusion_unet_w2", "diffusion_unet_mean8"):
        monkeypatch.setitem(ARMS[key].settings, "steps", 2)  # type: ignore[arg-type]
    monkeypatch.setattr(Bench, "method", lambda *_: pytest.fail("an image was made again"))
    before = json.loads((made / "tables.json").read_text())["table3"]
    arguments = ["benchmark", "--cases", str(pool), "--out", str(made), "--per-patient", "1", "--tables", "3"]
    assert main(arguments) == 0
    assert json.loads((made / "tables.json").read_text())["table3"] == before
    assert "## Table 3" in capsys.readouterr().out


def test_patients_of_the_weights_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    known = sorted(training_patients("restormer"))[0]
    folder = make_pool(tmp_path / "pool")
    text = (folder / "manifest.csv").read_text().splitlines()
    rows = [line.replace(line.split(",")[4 - 1], known) if i else line for i, line in enumerate(text)]
    (folder / "manifest.csv").write_text("\n".join(rows) + "\n")
    arguments = ["benchmark", "--cases", str(folder), "--out", str(tmp_path / "out"), "--tables", "3"]
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert "No case is left" in error and "in the training or validation list of the weights" in error


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["--tables", "5"], "There is no table 5: choose from 3, 4, 6 and 7"),
        (["--tables", "three"], "write for example 3,4"),
        (["--repeats", "1"], "--repeats of 2 or more"),
        (["--per-patient", "-1"], "--per-patient can't be negative"),
        (["--size", "paper"], "No paper-size weights are shipped"),
        (["--device", "cuda"], "No CUDA device is at hand"),
        (["--cases", "nowhere"], "There is nothing at nowhere"),
        (["--weights", "nowhere"], "are missing: train"),
    ],
)
def test_bad_input_says_what_to_do(
    pool: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: list[str], words: str
) -> None:
    assert main(["benchmark", "--cases", str(pool), "--out", str(tmp_path), "--tables", "3", *changes]) == 2
    assert words in capsys.readouterr().err


def test_patients_of_the_feature_network_are_refused_too(tmp_path: Path) -> None:
    for name in ("pix2pix", "restormer", "diffusion_unet"):
        card = {"training_patients": [f"{name}-patient"], "validation_patients": []}
        (tmp_path / f"{name}.json").write_text(json.dumps(card))
    own = {"pix2pix-patient", "restormer-patient", "diffusion_unet-patient"}
    options = Options(tmp_path, tmp_path, weights=tmp_path)
    assert known_patients(options) == own | card_patients(WEIGHTS / BACKBONE_FILE)


def test_the_shipped_networks_share_one_split() -> None:
    known = known_patients(Options(Path(), Path()))
    assert known == training_patients("restormer") == card_patients(WEIGHTS / BACKBONE_FILE)


def test_weights_without_a_card_are_not_trusted(tmp_path: Path) -> None:
    (tmp_path / "restormer.safetensors").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match="nobody knows whom it was trained on"):
        card_patients(tmp_path / "restormer.safetensors")
