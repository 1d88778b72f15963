"""Train one method from the pool and ship it: weights, model card and curves."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from inference.data.pool import read_manifest
from inference.data.preprocessing import SMALLEST_SIDE
from inference.data.split import split_pool
from inference.methods.acceleration import device_name
from inference.methods.checkpoints import save_weights
from inference.methods.register import WEIGHTS
from inference.metrics.features import BACKBONE_FILE, Backbone, load_backbone, principal_components
from inference.progress import ProgressBar
from inference.training.curves import curves_svg
from inference.training.frames import draw_frames
from inference.training.identity import identity, pool_digest, require_same
from inference.training.loop import Trainer
from inference.training.pairs import Pair, build_pairs, grouped, rated_cases
from inference.training.presets import Preset, preset
from inference.training.recipes import RECIPES
from inference.training.start import begin_with, read_start


def train(
    method: str,
    preset_name: str,
    pool: Path,
    out: Path,
    *,
    device: str,
    steps: int | None = None,
    batch: int | None = None,
    matrix: int | None = None,
    minutes: float | None = None,
    start: Path | None = None,
    seed: int = 0,
    compiled: bool = False,
) -> Path:
    """Train (or resume) ``method`` in ``out``; writes ``out/METHOD.safetensors`` and its training record.

    ``steps``, ``batch`` and ``matrix`` (one for all modalities) replace the preset's, ``minutes`` end the training
    sooner. ``compiled``: a minute more before the first step, faster ones then. ``start``: weights of the same network
    to begin with; whom they know is known to the new ones, too, and neither tested on nor, if trained on, validated on.
    """
    settings = _settings(method, preset_name, steps, batch, matrix)
    bar = ProgressBar()
    slices = read_manifest(pool)
    split = split_pool(slices)
    known = read_start(start, method)
    left_out = known.left_out(split)
    same = identity(method, preset_name, settings, seed, pool_digest(slices, split), known.sha256)
    require_same(out / method / "last.pt", same)
    pairs, _ = build_pairs(pool, out, settings, bar)
    labels = sorted({pair.label for pair in pairs})
    cases = rated_cases(pool, "validation", settings.validation, left_out["validation"], settings.matrix)
    torch.manual_seed(seed)
    recipe = RECIPES[method](settings, device, labels)
    if start is not None:
        begin_with(recipe.network, start)
    backbone = load_backbone(device) if (WEIGHTS / BACKBONE_FILE).is_file() and method != "fid_med" else None
    trainer = Trainer(recipe, settings, pairs, cases, out / method, seed, backbone, minutes, same)
    if compiled:
        recipe.compile()
    weights = trainer.run(bar)
    if isinstance(recipe.network, Backbone):
        weights |= _fitted_pca(recipe.network, weights, pairs, device)
    record = {
        "method": method,
        "preset": preset_name,
        "training_slices": len(pairs),
        "started_from": known.origin,
        "earlier": known.as_json(),
        "split": split.as_json(),
        "left_out": left_out,
    }
    return _stored(out / f"{method}.safetensors", weights, trainer, record)


def _stored(path: Path, weights: dict[str, Tensor], trainer: Trainer, record: dict[str, Any]) -> Path:
    """Weights, their training record and its curves, side by side; the path of the weights."""
    save_weights(path, weights, trainer.recipe.config)
    path.with_suffix(".training.json").write_text(json.dumps(record | _course(trainer), indent=1) + "\n")
    title = f"{record['method']}, preset {record['preset']}, {trainer.state.step} steps"
    path.with_suffix(".svg").write_text(curves_svg(title, trainer.state.history))
    return path


def _settings(method: str, preset_name: str, steps: int | None, batch: int | None, matrix: int | None) -> Preset:
    chosen = preset(method, preset_name)
    if any(given is not None and given < 1 for given in (steps, batch)):
        raise ValueError("--steps and --batch must be 1 or more: leave them out to take the preset's.")
    if matrix is not None and matrix != 0 and matrix < SMALLEST_SIDE:
        raise ValueError(f"--matrix must be 0 or {SMALLEST_SIDE} or more: leave it out to take the preset's.")
    sides = chosen.matrix if matrix is None else (matrix, matrix, matrix)
    return replace(chosen, steps=steps or chosen.steps, batch=batch or chosen.batch, matrix=sides)


def _course(trainer: Trainer) -> dict[str, Any]:
    """What was trained, how and on what, and how it went, as its record says it."""
    state, settings, recipe = trainer.state, trainer.preset, trainer.recipe
    return {
        "network": recipe.config,
        "batch": settings.batch,
        "crop": settings.crop,
        "matrix": settings.matrix,
        "learning_rate": settings.learning_rate,
        "labels": recipe.labels,
        "device": device_name(recipe.device),
        "torch": torch.__version__,
        "steps": state.step,
        "seconds": round(state.seconds),
        "cpu_seconds": round(state.cpu_seconds),
        "best_validation_gain": state.best_gain if np.isfinite(state.best_gain) else None,
        "chosen_by": trainer.chosen_by,
        "history": state.history,
    }


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
