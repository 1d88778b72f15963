"""The paper's presets: built in full, trained for a step as the paper does, and counted in epochs."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from inference.training import losses
from inference.training.loop import Trainer
from inference.training.pairs import Pair, grouped, rated_cases, steps_per_epoch
from inference.training.presets import PRESETS, preset
from inference.training.recipes import RECIPES
from inference.training.train import train
from tests.inference.training_factory import silent, trainer

TINY: dict[str, dict[str, Any]] = {
    "pix2pix": {"network": {"features": 2}, "options": {"l1": 100.0, "discriminator": 4}},
    "restormer": {"network": {"dim": 8, "blocks": [1, 1, 1, 1], "refinement": 1}, "crop": (32, 32)},
    "diffusion_unet": {"network": {"features": 8, "blocks": 1, "linear_skip": False}, "crop": (80, 80)},
    "fid_med": {"network": {"multiplier": 0.1}},
}


def test_the_paper_is_its_table_2() -> None:
    for method in ("pix2pix", "restormer", "diffusion_unet"):
        paper = preset(method, "paper")
        assert (paper.batch, paper.learning_rate, paper.betas, paper.ema) == (8, 2e-4, (0.9, 0.999), 0.999)
        assert (paper.epochs, paper.patience, paper.steps, paper.mixed_precision) == (200, 15, 0, True)
        assert paper.matrix == (512, 256, 512)
    assert preset("fid_med", "paper").epochs == 200
    assert preset("diffusion_unet", "paper").options["condition_dropout"] == 0.1


@pytest.mark.parametrize(
    ("method", "millions"), [("pix2pix", 54), ("restormer", 26), ("diffusion_unet", 39), ("fid_med", 22)]
)
def test_the_papers_networks_are_built(method: str, millions: int) -> None:
    recipe = RECIPES[method](preset(method, "paper"), "cpu", ["CT chest", "MR brain", "US carotid"])
    assert round(sum(p.numel() for p in recipe.network.parameters()) / 1e6) == millions


@pytest.mark.parametrize("method", sorted(PRESETS))
def test_a_paper_preset_trains_a_step(method: str, pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of the preset but the size of its network, crop and references."""
    paper = preset(method, "paper")
    assert set(TINY[method]["network"]) <= {*paper.network, "refinement"}
    tiny = replace(paper, **TINY[method] | {"batch": 2, "validation": 1, "matrix": (0, 32, 0)})
    tiny = replace(tiny, options={**paper.options, **tiny.options})
    monkeypatch.setitem(PRESETS, method, {"paper": tiny})
    weights = train(method, "paper", pool, tmp_path, device="cpu", steps=1)
    record = json.loads(weights.with_suffix(".training.json").read_text())
    assert record["steps"] == 1 and math.isfinite(record["history"][0]["loss"])
    assert ("gain" in record["history"][0]) == (method != "fid_med")


def test_the_papers_diffusion_has_its_perceptual_term(pairs: list[Pair], monkeypatch: pytest.MonkeyPatch) -> None:
    paper = replace(preset("diffusion_unet", "paper"), batch=2, **TINY["diffusion_unet"])
    recipe = RECIPES["diffusion_unet"](paper, "cpu", [])
    seen: list[Tensor] = []
    measure = losses.perceptual_l1

    def noted(*arguments: Any) -> Tensor:
        seen.append(measure(*arguments))
        return seen[-1]

    monkeypatch.setattr(losses, "perceptual_l1", noted)
    images = recipe.images(grouped(pairs), 0, 0)
    recipe.step(images)
    assert len(seen) == 1 and float(seen[0].detach()) > 0.0
    network = recipe.network
    network.zero_grad()
    recipe.loss(images, 0)
    seen[-1].backward()  # type: ignore[no-untyped-call]
    assert any(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in network.parameters())


def test_patience_counts_epochs(pool: Path, pairs: list[Pair], tmp_path: Path) -> None:
    """One validation per epoch, an epoch being as many steps as pass every slice once."""
    cases = rated_cases(pool, "validation", 1)
    settings: dict[str, Any] = {"steps": 0, "epochs": 9, "validate_every": 1, "learning_rate": 0.0, "patience": 2}
    run = trainer("restormer", pairs, tmp_path, cases, batch=3, **settings)
    epoch = math.ceil(len({p.slice_number for p in pairs}) / 3)
    assert epoch == steps_per_epoch(grouped(pairs), 3) < math.ceil(len(pairs) / 3)
    assert run.steps == 9 * epoch
    run.run(silent)
    assert [row["step"] for row in run.state.history] == [epoch, 2 * epoch, 3 * epoch]
    assert run.state.step == 3 * epoch, "no better PSNR in two epochs"


def test_fewer_steps_leave_the_paper_its_epochs(pairs: list[Pair], tmp_path: Path) -> None:
    run = trainer("restormer", pairs, tmp_path, steps=2, epochs=200, batch=100)
    assert isinstance(run, Trainer) and run.steps == 2 and run.validate_every == 1
    with torch.no_grad():
        images = run.recipe.images(run.pairs, 0, 0)
    assert len(images.labels) == len({p.slice_number for p in pairs})
