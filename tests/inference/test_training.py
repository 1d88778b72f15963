"""The training loop: EMA, resumption, determinism, its clock, curves and names."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch

from inference.command import main
from inference.methods.checkpoints import read_weights, save_weights
from inference.training.ahead import Ahead
from inference.training.curves import curves_svg
from inference.training.ema import EMA
from inference.training.pairs import Pair, grouped
from inference.training.presets import preset
from tests.inference.training_factory import TINY, silent, trainer


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
    assert main(["train", "restormer", "--data", str(tmp_path), "--out", str(tmp_path), "--batch", "0"]) == 2
    assert "--steps and --batch must be 1 or more" in capsys.readouterr().err
