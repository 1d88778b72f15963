"""The training loop: seeded per step, resumable after a kill, validated on EMA weights, stopped early."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inference.metrics.features import Backbone, features
from inference.metrics.frechet import kid
from inference.training.ahead import Ahead
from inference.training.ema import EMA
from inference.training.evaluation import gains, restore
from inference.training.pairs import Pair, RatedCase, grouped, steps_per_epoch
from inference.training.presets import Preset
from inference.training.recipes import Images, Recipe

KID_MINIMUM = 64  # validation slices from which KID, logged always, picks the checkpoint instead of PSNR
REPORT_EVERY = 20  # steps between two waits for a GPU
SAVE_SECONDS = 20.0  # of training, at most, that a kill can cost
Report = Callable[[int, int, str], None]


@dataclass
class State:
    """Everything besides tensors that a resumed training needs."""

    step: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    best_gain: float = -math.inf
    best_kid: float = math.inf
    without_better: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


class Trainer:
    """Trains a recipe on pairs; ``folder`` keeps ``last.pt`` and ``history.json``."""

    def __init__(
        self,
        recipe: Recipe,
        preset: Preset,
        pairs: list[Pair],
        cases: Sequence[RatedCase],
        folder: Path,
        seed: int = 0,
        backbone: Backbone | None = None,
        minutes: float | None = None,
        identity: Mapping[str, str] | None = None,
    ) -> None:
        """``minutes``: of training at most; the learning rate then falls with the time where that is further on.

        ``identity`` is kept with the checkpoint, for ``require_same`` to compare before a training goes on from it.
        """
        self.recipe, self.preset, self.pairs, self.cases = recipe, preset, grouped(pairs), cases
        self.folder, self.seed, self.backbone, self.minutes = folder, seed, backbone, minutes
        self.identity = dict(identity or {})
        epoch = steps_per_epoch(self.pairs, preset.batch)
        self.steps = preset.steps or preset.epochs * epoch
        self.validate_every = epoch if preset.epochs else preset.validate_every
        self.ema = EMA(recipe.network, preset.ema)
        self.state = State()
        self.best: dict[str, Tensor] | None = None
        if (folder / "last.pt").is_file():
            self._restore()

    @property
    def chosen_by(self) -> str:
        """What picked the weights, in words for the card; both validation figures stand in the history."""
        if not any("gain" in row for row in self.state.history):
            return "the last step (no images to validate)"
        if len(self.cases) >= KID_MINIMUM and self.backbone is not None:
            return f"the smallest KID on {len(self.cases)} validation slices"
        return f"the largest PSNR on {len(self.cases)} validation slices (KID needs {KID_MINIMUM})"

    def run(self, report: Report, stop_at: int | None = None) -> dict[str, Tensor]:
        """Train to the end (or to ``stop_at``, as a kill would); the EMA weights of the best validation."""
        started = time.monotonic() - self.state.seconds
        cpu_started = time.process_time() - self.state.cpu_seconds
        saved, last = self.state.seconds, min(self.steps, stop_at or self.steps)
        on_gpu = torch.device(self.recipe.device).type == "cuda"
        with Ahead(lambda step: self.recipe.images(self.pairs, self.seed, step), last, 3 if on_gpu else 0) as batches:
            while self.state.step < last and self._share < 1.0 and self.state.without_better < self.preset.patience:
                loss = self._one_step(batches(self.state.step))
                self.state.seconds = time.monotonic() - started
                self.state.cpu_seconds = time.process_time() - cpu_started
                if self.state.step % self.validate_every == 0 or self._share >= 1.0:
                    self._validate(float(loss))
                if self.state.seconds - saved > SAVE_SECONDS:
                    self._save()
                    saved = self.state.seconds
                if self.state.step % REPORT_EVERY == 0 or self._share >= 1.0 or not on_gpu:
                    what = f"loss {float(loss):.4f}, best gain {self.state.best_gain:+.2f} dB"
                    report(self.state.step, self.steps, what)
        self._save()
        return self.best if self.best is not None else self._weights()

    @property
    def _share(self) -> float:
        """Of the training that is done, by steps or by time."""
        steps = self.state.step / self.steps
        return steps if self.minutes is None else max(steps, self.state.seconds / (60.0 * self.minutes))

    def _one_step(self, images: Images) -> Tensor:
        state, preset = self.state, self.preset
        rate = preset.learning_rate * 0.5 * (1.0 + math.cos(math.pi * min(1.0, self._share)))
        for optimiser in self.recipe.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = rate
        torch.manual_seed(self.seed * 1_000_003 + state.step)  # a resumed step draws what it would have drawn
        for module in self.recipe.modules().values():
            module.train()
        loss = self.recipe.step(images)
        self.ema.update(self.recipe.network)
        state.step += 1
        return loss

    def _weights(self) -> dict[str, Tensor]:
        return {name: value.detach().clone() for name, value in self.ema.network.state_dict().items()}

    def _validate(self, loss: float) -> None:
        state = self.state
        row = {"step": float(state.step), "loss": loss, "seconds": state.seconds}
        method = self.recipe.method(self.ema.network)
        if method is None or not self.cases:
            self.best = self._weights()
            state.history.append(row)
            return
        images = restore(method, self.cases)
        of_modalities = {modality: g.gain for modality, g in gains(self.cases, images).items()}
        gain = float(np.mean(list(of_modalities.values())))
        better = gain > state.best_gain
        state.without_better = 0 if better else state.without_better + 1
        state.best_gain = max(gain, state.best_gain)
        row |= {"gain": gain, **{f"gain {modality}": value for modality, value in of_modalities.items()}}
        if self.backbone is not None and len(self.cases) > 1:
            row["kid"] = self._kid(images)
        if "kid" in row and len(self.cases) >= KID_MINIMUM:
            better = row["kid"] < state.best_kid
            state.best_kid = min(row["kid"], state.best_kid)
        if better or self.best is None:
            self.best = self._weights()
        state.history.append(row)

    def _kid(self, images: Sequence[NDArray[np.float32]]) -> float:
        made: list[NDArray[np.float32]] = []
        real: list[NDArray[np.float32]] = []
        for case, image in zip(self.cases, images, strict=True):
            measured = case.measurement
            for target, pixels in ((made, image), (real, case.reference)):
                target.append(features([pixels], measured.modality, measured.data_range, self.backbone)[0])
        return kid(np.stack(real), np.stack(made))

    def _save(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        content = {
            "identity": self.identity,
            "modules": {k: m.state_dict() for k, m in self.recipe.modules().items()},
            "optimisers": [o.state_dict() for o in self.recipe.optimisers],
            "ema": self.ema.network.state_dict(),
            "updates": self.ema.updates,
            "best": self.best,
            "state": asdict(self.state),
        }
        partial = self.folder / "last.partial"
        torch.save(content, partial)
        partial.replace(self.folder / "last.pt")
        (self.folder / "history.json").write_text(json.dumps(self.state.history, indent=1) + "\n")

    def _restore(self) -> None:
        content = torch.load(self.folder / "last.pt", map_location=self.recipe.device, weights_only=True)
        for name, module in self.recipe.modules().items():
            module.load_state_dict(content["modules"][name])
        for optimiser, state in zip(self.recipe.optimisers, content["optimisers"], strict=True):
            optimiser.load_state_dict(state)
        self.ema.network.load_state_dict(content["ema"])
        self.ema.updates = content["updates"]
        self.best = content["best"]
        self.state = State(**content["state"])
