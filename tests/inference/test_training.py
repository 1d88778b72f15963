"""The training loop: EMA, resumption, determinism, stopping, cards."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch

from inference.command import main
from inference.data.split import HELD_OUT
from inference.methods.checkpoints import read_weights, save_weights
from inference.training.ahead import Ahead
from inference.training.curves import curves_svg
from inference.training.ema import EMA
from inference.training.loop import Trainer
from inference.training.pairs import Pair, build_pairs, draw_batch, grouped, rated_cases, vary_grey
from inference.training.presets import PRESETS, Preset, preset
from inference.training.recipes import RECIPES
from tests.inference.pool_factory import make_pool

TINY: dict[str, Preset] = {
    "pix2pix": Preset(1, (256, 256), 1e-3, {"features": 2}, steps=4, options={"l1": 100.0, "discriminator": 4}),
    "restormer": Preset(2, (32, 32), 1e-3, {"dim": 8, "blocks": [1, 1, 1, 1], "refinement": 1}, steps=4),
    "diffusion_unet": Preset(
        2,
        (32, 32),
        1e-3,
        {"features": 8, "blocks": 1},
        steps=4,
        options={"condition_dropout": 0.1, "unit_weight": 1.0},
    ),
    "fid_med": Preset(2, None, 1e-3, {"multiplier": 0.1}, steps=4),
}
REALISED = replace(TINY["restormer"], realisations=(2, 2, 2), display_realisations=1, display_limit=10)


def silent(done: int, total: int, what: str) -> None:
    """A progress report that goes nowhere."""


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pool(tmp_path_factory.mktemp("pool"))


@pytest.fixture(scope="module")
def pairs(pool: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Pair]:
    cache = tmp_path_factory.mktemp("cache")
    made, _ = build_pairs(pool, cache, REALISED, silent)
    again, _ = build_pairs(pool, cache, REALISED, silent)
    assert [p.degraded.tobytes() for p in made] == [p.degraded.tobytes() for p in again]
    return made


def trainer(method: str, pairs: list[Pair], folder: Path, **changes: object) -> Trainer:
    settings = replace(TINY[method], **changes)  # type: ignore[arg-type]
    torch.manual_seed(0)
    recipe = RECIPES[method](settings, "cpu", sorted({p.label for p in pairs}))
    return Trainer(recipe, settings, pairs, [], folder)


def test_pairs_hold_no_test_patient(pool: Path, pairs: list[Pair]) -> None:
    cases = rated_cases(pool, "test", 5)
    assert {"nysbu-A002304", "pymskt-knee"} <= {c.patient for c in cases} and cases
    assert {"nysbu-A002304", "pymskt-knee"} <= HELD_OUT
    references = {p.reference.tobytes() for p in pairs}
    assert len(references) == len(pairs)
    assert len(rated_cases(pool, "test", 1)) < len(cases)


def test_batches_depend_on_seed_and_step_only(pairs: list[Pair]) -> None:
    first, same = (draw_batch(grouped(pairs), 6, (48, 40), 1, 5) for _ in range(2))
    other = draw_batch(grouped(pairs), 6, (48, 40), 1, 6)
    assert first.degraded.tobytes() == same.degraded.tobytes() != other.degraded.tobytes()
    assert first.degraded.shape == first.reference.shape == (6, 1, 48, 40)
    assert first.modality.sum(axis=0).tolist() == [2.0, 2.0, 2.0]


@pytest.mark.parametrize("method", sorted(TINY))
def test_resuming_after_a_kill_gives_the_same_weights(method: str, pairs: list[Pair], tmp_path: Path) -> None:
    whole = trainer(method, pairs, tmp_path / "whole").run(silent)
    trainer(method, pairs, tmp_path / "cut").run(silent, stop_at=2)
    resumed = trainer(method, pairs, tmp_path / "cut")
    assert resumed.state.step == 2
    continued = resumed.run(silent)
    for name, value in whole.items():
        assert torch.equal(value, continued[name]), name


def test_batches_may_be_drawn_ahead() -> None:
    asked: list[int] = []

    def draw(step: int) -> int:
        asked.append(step)
        return 10 * step

    with Ahead(draw, 6, 2) as batches:
        assert [batches(step) for step in range(2, 6)] == [20, 30, 40, 50]
    assert sorted(asked) == [2, 3, 4, 5], "each step once, none after the last"
    with Ahead(draw, 6, 0) as batches:
        assert batches(4) == 40 and asked[-1] == 4


def test_a_training_ends_with_its_time(pairs: list[Pair], tmp_path: Path) -> None:
    """The learning rate has fallen to nothing then, however few steps were made."""
    run = trainer("restormer", pairs, tmp_path, steps=100_000)
    run.minutes = 0.02
    run.run(silent)
    assert 0 < run.state.step < 100_000 and run.state.seconds >= 60 * 0.02
    assert run.recipe.optimisers[0].param_groups[0]["lr"] < 0.9 * 1e-3


def test_a_training_may_start_from_weights(pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PRESETS["restormer"], "small", replace(REALISED, validate_every=100))
    command = ["train", "restormer", "--data", str(pool), "--steps", "1", "--batch", "1"]
    assert main([*command, "--out", str(tmp_path / "first")]) == 0
    first = tmp_path / "first" / "restormer.safetensors"
    assert main([*command, "--out", str(tmp_path / "second"), "--start", str(first)]) == 0
    card = json.loads((tmp_path / "second" / "restormer.json").read_text())
    origin = json.loads(first.with_suffix(".json").read_text())["sha256"][:12]
    assert card["started_from"].startswith("1 steps of batch 1 on CPU") and origin in card["started_from"]
    assert "Started from weights" in (tmp_path / "second" / "restormer.md").read_text()
    assert card["evaluated_on"].endswith("float32")


def test_grey_is_varied_as_a_scanner_would() -> None:
    grey = np.linspace(0.0, 255.0, 256, dtype=np.float32)[None]
    varied = [vary_grey(grey, np.random.default_rng(seed))[0] for seed in range(200)]
    assert all((np.diff(v) >= 0).all() and v.min() >= 0 and v.max() <= 255 for v in varied)
    middle = np.array([v[20] for v in varied])
    assert middle.min() == 0 and middle.max() > 80, "dark tissue may be shown far brighter, or not at all"


def test_ema_differs_from_raw_and_is_what_is_saved(pairs: list[Pair], tmp_path: Path) -> None:
    run = trainer("restormer", pairs, tmp_path)
    weights = run.run(silent)
    raw = run.recipe.network.state_dict()
    averaged = run.ema.network.state_dict()
    assert any(not torch.equal(raw[name], averaged[name]) for name in raw)
    assert all(torch.equal(weights[name], averaged[name]) for name in raw)
    save_weights(tmp_path / "w.safetensors", weights, run.recipe.config)
    config, stored = read_weights(tmp_path / "w.safetensors")
    assert config == {"dim": 8, "blocks": [1, 1, 1, 1], "refinement": 1}
    assert all(torch.allclose(stored[n], averaged[n], atol=1e-3) for n in raw)


def test_ema_by_hand() -> None:
    network = torch.nn.BatchNorm1d(1)
    ema = EMA(network, 0.9)
    with torch.no_grad():
        network.weight.fill_(3.0)
    ema.update(network)  # decay min(.9, 1/10)
    assert float(ema.network.weight) == pytest.approx(0.1 * 1.0 + 0.9 * 3.0)


@pytest.mark.parametrize("method", ["pix2pix", "restormer", "fid_med"])
def test_steps_on_one_batch_lower_its_loss(method: str, pairs: list[Pair], tmp_path: Path) -> None:
    run = trainer(method, pairs, tmp_path, learning_rate=3e-3)
    images = run.recipe.images(grouped(pairs), 0, 0)
    losses = [float(run.recipe.step(images)) for _ in range(15)]
    assert losses[-1] < 0.9 * losses[0]


def test_validation_is_logged_and_the_best_is_kept(pool: Path, pairs: list[Pair], tmp_path: Path) -> None:
    settings = replace(TINY["restormer"], steps=30, validate_every=10, learning_rate=3e-3)
    torch.manual_seed(0)
    run = Trainer(
        RECIPES["restormer"](settings, "cpu", []),
        settings,
        pairs,
        rated_cases(pool, "validation", 1),
        tmp_path,
    )
    run.run(silent)
    history = json.loads((tmp_path / "history.json").read_text())
    assert [row["step"] for row in history] == [10.0, 20.0, 30.0]
    assert run.state.best_gain == max(row["gain"] for row in history)


def test_it_stops_early_without_a_better_validation(pool: Path, pairs: list[Pair], tmp_path: Path) -> None:
    settings = replace(TINY["restormer"], steps=50, validate_every=1, learning_rate=0.0, patience=2)
    run = Trainer(
        RECIPES["restormer"](settings, "cpu", []),
        settings,
        pairs,
        rated_cases(pool, "validation", 1),
        tmp_path,
    )
    run.run(silent)
    assert run.state.step == 3


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


def test_curves_show_both_validation_figures_and_mark_the_best() -> None:
    history = [{"step": float(s), "loss": 1.0 / s, "gain": -((s - 20) ** 2), "kid": 0.1 * s} for s in (10, 20, 30)]
    svg = curves_svg("a & b", history)
    root = ElementTree.fromstring(svg)
    names = [element.text for element in root.iter() if element.tag.endswith("text")]
    assert {"loss", "validation gain (dB)", "validation KID", "a & b"} <= set(names)
    gain = list(root.iter("{http://www.w3.org/2000/svg}circle"))[1]
    line = list(root.iter("{http://www.w3.org/2000/svg}polyline"))[3].attrib["points"].split()
    assert f"{gain.attrib['cx']},{gain.attrib['cy']}" == line[1]
    assert ElementTree.fromstring(curves_svg("none", [])) is not None


def test_unknown_names_say_what_there_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="choose one of small, paper"):
        preset("restormer", "huge")
    assert main(["train", "tv_recon", "--data", str(tmp_path), "--out", str(tmp_path)]) == 2
    assert "nothing to train for 'tv_recon'" in capsys.readouterr().err
