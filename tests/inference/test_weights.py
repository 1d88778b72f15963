"""What is shipped: size, cards, hashes, and patients that were never trained on."""

from __future__ import annotations

import hashlib
import json

import pytest

from inference.data.split import HELD_OUT, source_ids
from inference.methods.register import METHODS, WEIGHTS, training_patients, weights_path, weights_sha256
from inference.metrics.features import BACKBONE_FILE

FILES = sorted({e.weights for e in METHODS.values() if e.weights} | {BACKBONE_FILE})


def test_all_weights_together_are_small() -> None:
    assert sorted(p.name for p in WEIGHTS.glob("*.safetensors")) == FILES
    assert sum((WEIGHTS / name).stat().st_size for name in FILES) <= 36 * 2**20


@pytest.mark.parametrize("name", FILES)
def test_card_agrees_with_its_file(name: str) -> None:
    card = json.loads((WEIGHTS / name).with_suffix(".json").read_text())
    text = (WEIGHTS / name).with_suffix(".md").read_text()
    assert card["sha256"] == hashlib.sha256((WEIGHTS / name).read_bytes()).hexdigest()
    assert card["sha256"] in text and card["file"] == name
    assert card["bytes"] == (WEIGHTS / name).stat().st_size
    seen = set(card["training_patients"]) | set(card["validation_patients"])
    assert seen and not seen & set(card["test_patients"])
    assert not seen & source_ids(HELD_OUT)
    assert "CPU-trained" in text if card["device"].startswith("CPU") else "Trained on" in text


def test_cards_print_the_gain_per_modality_with_n() -> None:
    for entry in METHODS.values():
        if entry.weights is None:
            continue
        card = json.loads((WEIGHTS / entry.weights).with_suffix(".json").read_text())
        for variant in card["gain"].values():
            assert set(variant) == {"CT", "MR", "US"}
            assert all(g["patients"] >= 1 and "gain" in g and "gain_sd" in g for g in variant.values())


def test_the_feature_network_knows_held_out_modalities() -> None:
    accuracy = json.loads((WEIGHTS / BACKBONE_FILE).with_suffix(".json").read_text())["held_out_accuracy"]
    assert {"CT", "MR", "US", "all"} < set(accuracy)
    assert accuracy["all"]["modality"] > 0.9 and accuracy["all"]["images"] >= 40
    assert accuracy["all of an anatomy trained on"]["modality"] > 0.95


def test_register_knows_hash_and_patients() -> None:
    assert weights_path("tv_recon") is None and weights_sha256("degraded") == ""
    assert training_patients("tv_recon") == frozenset()
    assert len(weights_sha256("restormer")) == 64
    patients = training_patients("restormer")
    assert patients and not patients & source_ids(HELD_OUT)


def test_no_image_of_the_pool_is_shipped() -> None:
    files = [p for p in WEIGHTS.iterdir() if p.is_file()]
    assert {p.suffix for p in files} <= {".safetensors", ".md", ".json", ".svg"}
    for curves in (p for p in files if p.suffix == ".svg"):
        text = curves.read_text()
        assert "<image" not in text and "data:" not in text, "curves are lines, not pictures"


@pytest.mark.parametrize(("modality", "least"), [("CT", 2.0), ("MR", 1.5), ("US", 0.0)])
def test_the_shipped_restormer_gains_on_held_out_patients(modality: str, least: float) -> None:
    """Below these gains the shipped weights are no longer worth shipping; ultrasound has no promise but a gain."""
    card = json.loads((WEIGHTS / "restormer.json").read_text())
    for figures in card["gain"].values():
        assert figures[modality]["gain"] >= least and figures[modality]["gain"] > 0.0
        assert figures[modality]["gain"] == pytest.approx(
            figures[modality]["psnr"] - figures[modality]["degraded_psnr"]
        )
        assert figures[modality]["patients"] >= 2
