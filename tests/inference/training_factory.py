"""Tiny presets and trainers for the tests of the training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from inference.metrics.features import Backbone
from inference.training.loop import Trainer
from inference.training.pairs import Pair, RatedCase
from inference.training.presets import Preset
from inference.training.recipes import RECIPES

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


def trainer(
    method: str,
    pairs: list[Pair],
    folder: Path,
    cases: Sequence[RatedCase] = (),
    backbone: Backbone | None = None,
    **changes: object,
) -> Trainer:
    """A trainer of a tiny network, the same whenever it is made."""
    settings = replace(TINY[method], **changes)  # type: ignore[arg-type]
    torch.manual_seed(0)
    recipe = RECIPES[method](settings, "cpu", sorted({p.label for p in pairs}))
    return Trainer(recipe, settings, pairs, cases, folder, backbone=backbone)
