"""Train one method from the pool and ship it: weights, model card and curves."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from inference.methods.acceleration import device_name
from inference.methods.checkpoints import read_weights, save_weights
from inference.methods.register import WEIGHTS
from inference.metrics.features import BACKBONE_FILE, Backbone, load_backbone, principal_components
from inference.progress import ProgressBar
from inference.training.curves import curves_svg
from inference.training.frames import draw_frames
from inference.training.loop import Trainer
from inference.training.pairs import Pair, build_pairs, grouped, rated_cases
from inference.training.presets import preset
from inference.training.recipes import RECIPES


def train(
    method: str,
    preset_name: str,
    pool: Path,
    out: Path,
    *,
    device: str,
    steps: int | None = None,
    batch: int | None = None,
    minutes: float | None = None,
    start: Path | None = None,
    seed: int = 0,
    compiled: bool = False,
) -> Path:
    """Train (or resume) ``method`` in ``out``; writes ``out/METHOD.safetensors`` and its training record.

    ``steps`` and ``batch`` replace the preset's, ``minutes`` end the training sooner. ``compiled``: a minute more
    before the first step, faster ones then. ``start``: weights of the same network to begin with.
    """
    settings = preset(method, preset_name)
    if steps is not None:
        settings = replace(settings, steps=steps, epochs=0)
    if batch is not None:
        settings = replace(settings, batch=batch)
    bar = ProgressBar()
    pairs, split = build_pairs(pool, out, settings, bar)
    labels = sorted({pair.label for pair in pairs})
    cases = rated_cases(pool, "validation", settings.validation)
    torch.manual_seed(seed)
    recipe = RECIPES[method](settings, device, labels)
    if start is not None:
        recipe.network.load_state_dict(read_weights(start)[1])
    backbone = load_backbone(device) if (WEIGHTS / BACKBONE_FILE).is_file() and method != "fid_med" else None
    trainer = Trainer(recipe, settings, pairs, cases, out / method, seed, backbone, minutes)
    if compiled:
        recipe.compile()
    weights = trainer.run(bar)
    if isinstance(recipe.network, Backbone):
        weights |= _fitted_pca(recipe.network, weights, pairs, device)
    path = out / f"{method}.safetensors"
    save_weights(path, weights, recipe.config)
    record = {
        "method": method,
        "preset": preset_name,
        "network": recipe.config,
        "batch": settings.batch,
        "crop": settings.crop,
        "learning_rate": settings.learning_rate,
        "training_slices": len(pairs),
        "labels": labels,
        "device": device_name(device),
        "torch": torch.__version__,
        "started_from": "" if start is None else _origin(start),
        "split": split.as_json(),
    } | _course(trainer)
    path.with_suffix(".training.json").write_text(json.dumps(record, indent=1) + "\n")
    title = f"{method}, preset {preset_name}, {trainer.state.step} steps"
    path.with_suffix(".svg").write_text(curves_svg(title, trainer.state.history))
    return path


def _course(trainer: Trainer) -> dict[str, Any]:
    """How the training went, as its record says it."""
    state = trainer.state
    return {
        "steps": state.step,
        "seconds": round(state.seconds),
        "cpu_seconds": round(state.cpu_seconds),
        "best_validation_gain": state.best_gain if np.isfinite(state.best_gain) else None,
        "chosen_by": trainer.chosen_by,
        "history": state.history,
    }


def _origin(weights: Path) -> str:
    """Of weights to begin with: how they were trained, as their card says, and their hash."""
    card = json.loads(weights.with_suffix(".json").read_text())
    how = f"{card['steps']} steps of batch {card['batch']} on {card['device']} in {card['seconds']} s"
    before = f", and these from weights of {card['started_from']}" if card.get("started_from") else ""
    return f"{how}, SHA-256 {card['sha256'][:12]}{before}"


@torch.no_grad()
def _fitted_pca(network: Backbone, weights: dict[str, Tensor], pairs: list[Pair], device: str) -> dict[str, Tensor]:
    """PCA of the trained features over training references."""
    network.load_state_dict(weights)
    network.eval()
    values, groups = [], grouped(pairs)
    for step in range(64):
        batch = draw_frames(groups, 12, 1, step, vary=False)
        values.append(network(torch.from_numpy(batch.reference).to(device)).cpu().numpy())
    mean, components = principal_components(np.concatenate(values), network.config.dimensions)
    return {"pca_mean": torch.from_numpy(mean), "pca_components": torch.from_numpy(components)}
