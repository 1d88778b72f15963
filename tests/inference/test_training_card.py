"""The command ``train``: its card, whom weights at the start know, and which checkpoint it goes on from."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from inference.command import main
from inference.data.pool import read_manifest
from inference.data.split import Split, source_ids, split_pool
from inference.methods.register import card_patients
from inference.training.identity import pool_digest
from inference.training.presets import PRESETS, Preset
from inference.training.start import Start
from tests.inference.training_factory import REALISED, TINY

FIRST, SECOND, LAST = (f"cca-{time}X" for time in ("20220101100000", "20220101120000", "20220102100000"))


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Preset:
    settings = replace(REALISED, validate_every=100)
    monkeypatch.setitem(PRESETS, "restormer", {"small": settings, "paper": replace(settings, ema=0.9)})
    return settings


def trained(pool: Path, out: Path, *options: str) -> int:
    return main(
        ["train", "restormer", "--data", str(pool), "--out", str(out), "--steps", "1", "--batch", "1", *options]
    )


def card_of(out: Path) -> dict[str, Any]:
    card: dict[str, Any] = json.loads((out / "restormer.json").read_text())
    return card


def renamed(pool: Path, out: Path, **names: str) -> Path:
    """The pool with other patients, ``names`` by the names of the files' patients; underscores stand for hyphens."""
    copytree(pool, out)
    manifest = out / "manifest.csv"
    text = manifest.read_text()
    for old, new in names.items():
        text = text.replace(f",{old.replace('_', '-')},", f",{new},")
    manifest.write_text(text)
    return out


def test_command_trains_and_writes_a_card(
    pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(PRESETS, "restormer", {"small": replace(TINY["restormer"], steps=1)})
    arguments = ["train", "restormer", "--data", str(pool), "--out", str(tmp_path)]
    assert main(arguments) == 0
    card = json.loads((tmp_path / "restormer.json").read_text())
    assert card["crop"] == [32, 32] and "largest PSNR on 6 validation slices" in card["chosen_by"]
    assert (tmp_path / "restormer.svg").read_text().startswith("<svg")
    assert not set(card["training_patients"]) & set(card["test_patients"])
    assert "A002304" not in card["training_patients"]
    assert card["gain"]["default"]["CT"]["patients"] == 1
    text = capsys.readouterr().out
    assert "CPU-trained" in text and "| default | CT |" in text and "undefined" in text


def test_the_card_counts_the_patients_of_each_part(pool: Path, tmp_path: Path, tiny: Preset) -> None:
    assert trained(pool, tmp_path) == 0
    one = {"training": 1, "validation": 1, "test": 1}
    with_display = one | {"training": 2}
    card, text = card_of(tmp_path), (tmp_path / "restormer.md").read_text()
    assert card["patients"] == {"CT": with_display, "MR": with_display, "US": one}
    assert "| modality | training | validation | test |" in text
    assert "| CT | 2 | 1 | 1 |" in text and "| US | 1 | 1 | 1 |" in text
    assert card["earlier_patients"] == [] and card["left_out_patients"] == {"validation": [], "test": []}
    assert "also know" not in text and "left out" not in text
    assert "shared with other trainings" not in text


def test_the_card_says_what_references_were_resampled_to(
    pool: Path, tmp_path: Path, tiny: Preset, capsys: pytest.CaptureFixture[str]
) -> None:
    assert trained(pool, tmp_path, "--matrix", "48") == 0
    card, text = card_of(tmp_path), (tmp_path / "restormer.md").read_text()
    assert card["matrix"] == [48, 48, 48]
    assert "training pairs of references resampled to a longer side of CT 48, MR 48, US 48 pixels, physics" in text
    whole = tmp_path / "whole"
    assert trained(pool, whole) == 0
    assert card_of(whole)["matrix"] == [0, 0, 0] and "resampled" not in (whole / "restormer.md").read_text()
    assert card_of(whole)["gain"]["default"]["CT"]["degraded_psnr"] != card["gain"]["default"]["CT"]["degraded_psnr"]
    capsys.readouterr()
    assert trained(pool, tmp_path / "small", "--matrix", "31") == 2
    assert "--matrix must be 0 or 32 or more" in capsys.readouterr().err


def test_a_training_may_start_from_weights(pool: Path, tmp_path: Path, tiny: Preset) -> None:
    first = tmp_path / "first" / "restormer.safetensors"
    assert trained(pool, first.parent) == 0
    assert trained(pool, tmp_path / "second", "--start", str(first)) == 0
    card, before = card_of(tmp_path / "second"), card_of(first.parent)
    assert card["started_from"].startswith("1 steps of batch 1 on CPU")
    assert before["sha256"][:12] in card["started_from"]
    assert "Started from weights" in (tmp_path / "second" / "restormer.md").read_text()
    assert card["evaluated_on"].endswith("float32")
    for part in ("training_patients", "validation_patients", "test_patients", "patients", "earlier_patients"):
        assert card[part] == before[part], "the pool is the same, and so is who was for what"


def test_patients_of_the_weights_at_the_start_are_known_for_ever(pool: Path, tmp_path: Path, tiny: Preset) -> None:
    """In the other pool the first one's training patient of ultrasound is for testing, its validation patient gone."""
    other = renamed(pool, tmp_path / "pool", **{SECOND: "cca-20211230100000X", LAST: "cca-20211231100000X"})
    assert FIRST in split_pool(read_manifest(pool)).training and FIRST in split_pool(read_manifest(other)).test
    outs = [tmp_path / name for name in ("first", "second", "third")]
    assert trained(pool, outs[0]) == 0
    for before, out in pairwise(outs):
        assert trained(other, out, "--start", str(before / "restormer.safetensors")) == 0
        assert card_patients(before / "restormer.safetensors") <= card_patients(out / "restormer.safetensors")
        card, text = card_of(out), (out / "restormer.md").read_text()
        assert FIRST in card["training_patients"] and SECOND in card["validation_patients"]
        assert {FIRST, SECOND} <= set(card["earlier_patients"])
        assert card["left_out_patients"] == {"validation": [], "test": [FIRST]}
        assert card["patients"]["US"] == {"training": 1, "validation": 1, "test": 0}
        assert FIRST not in card["test_patients"] and "US" not in card["gain"]["default"]
        assert not card_patients(out / "restormer.safetensors") & source_ids(card["test_patients"])
        assert f"were made with them: {FIRST}." in text
        assert f"The weights it started from also know: {FIRST}" in text


def test_nobody_trained_on_is_validated_on(pool: Path, tmp_path: Path, tiny: Preset) -> None:
    other = renamed(pool, tmp_path / "pool", **{SECOND: "cca-20211230100000X"})
    assert FIRST in split_pool(read_manifest(other)).validation
    assert trained(pool, tmp_path / "first") == 0
    assert trained(other, tmp_path / "second", "--start", str(tmp_path / "first" / "restormer.safetensors")) == 0
    card = card_of(tmp_path / "second")
    assert card["left_out_patients"] == {"validation": [FIRST], "test": []}
    assert "largest PSNR on 4 validation slices" in card["chosen_by"]
    assert FIRST in card["training_patients"] and FIRST not in card["validation_patients"]


def test_a_start_that_knows_everybody_is_refused() -> None:
    split = Split(frozenset("a"), frozenset("b"), frozenset({"nysbu-c", "d"}))
    known = Start(training=source_ids({"nysbu-c"}), validation=frozenset("b"))
    assert known.left_out(split) == {"validation": [], "test": ["nysbu-c"]}
    with pytest.raises(ValueError, match=r"every test patient .* another pool with --data, or leave --start out"):
        Start(training=frozenset("cd")).left_out(split)
    with pytest.raises(ValueError, match="every validation patient"):
        Start(training=frozenset("b")).left_out(split)


def test_a_start_without_its_own_card_is_refused(
    pool: Path, tmp_path: Path, tiny: Preset, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    start = tmp_path / "first" / "restormer.safetensors"
    options = ("--no-card", "--start", str(start))
    assert trained(pool, tmp_path / "second", *options) == 2
    assert "restormer.safetensors are missing" in capsys.readouterr().err
    assert trained(pool, start.parent, "--no-card") == 0
    assert trained(pool, tmp_path / "second", *options) == 2
    assert "has no card restormer.json beside it" in capsys.readouterr().err
    assert main(["card", str(start), "--data", str(pool)]) == 0
    card = start.with_suffix(".json")
    text = card.read_text()
    card.write_text(text.replace('"method": "restormer"', '"method": "pix2pix"'))
    assert trained(pool, tmp_path / "second", *options) == 2
    assert "holds weights of pix2pix: give weights of restormer" in capsys.readouterr().err
    card.write_text(text.replace(card_of(start.parent)["sha256"], "0" * 64))
    assert trained(pool, tmp_path / "second", *options) == 2
    assert "is of other weights" in capsys.readouterr().err
    card.write_text(text)
    monkeypatch.setitem(PRESETS["restormer"], "paper", replace(tiny, network={**tiny.network, "dim": 16}))
    assert trained(pool, tmp_path / "second", *options, "--preset", "paper") == 2
    assert "network of another shape: choose the preset" in capsys.readouterr().err


def test_a_card_is_made_with_the_pool_of_the_training_only(
    pool: Path, tmp_path: Path, tiny: Preset, capsys: pytest.CaptureFixture[str]
) -> None:
    assert trained(pool, tmp_path / "out", "--no-card") == 0
    other = renamed(pool, tmp_path / "pool", **{SECOND: "cca-20211230100000X"})
    assert main(["card", str(tmp_path / "out" / "restormer.safetensors"), "--data", str(other)]) == 2
    assert "pass the pool of its training with --data" in capsys.readouterr().err


def test_only_the_same_training_goes_on_from_a_checkpoint(
    pool: Path, tmp_path: Path, tiny: Preset, capsys: pytest.CaptureFixture[str]
) -> None:
    first, out = tmp_path / "first", tmp_path / "out"
    assert trained(pool, first) == 0
    assert trained(pool, out, "--no-card") == 0
    assert trained(pool, out, "--no-card", "--minutes", "5") == 0, "the same training, with a clock or without"
    before = (out / "restormer" / "last.pt").read_bytes()
    other = renamed(pool, tmp_path / "pool", ct_b="ct-d")
    start = ("--start", str(first / "restormer.safetensors"))
    for options, data, difference in (
        (("--preset", "paper"), pool, "another preset, settings"),
        (("--steps", "2"), pool, "another settings"),
        (("--matrix", "48"), pool, "another settings"),
        (("--seed", "1"), pool, "another seed:"),
        ((), other, "another pool or split of its patients:"),
        (start, pool, "another weights to begin with"),
    ):
        capsys.readouterr()
        assert trained(data, out, "--no-card", *options) == 2
        said = capsys.readouterr().err
        assert difference in said and "give another folder with --out to begin anew." in said
    assert (out / "restormer" / "last.pt").read_bytes() == before


def test_another_split_of_the_same_pool_is_another_training(pool: Path) -> None:
    slices = read_manifest(pool)
    split = split_pool(slices)
    other = split_pool(slices, frozenset())
    digest = pool_digest(slices, split)
    assert digest == pool_digest(reversed(slices), split)
    assert split != other and digest != pool_digest(slices, other) and digest != pool_digest(slices[1:], split)
