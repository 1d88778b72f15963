"""Classifier-free guidance: its formula, its clipping and its interval."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
import torch

from inference.methods.base import load_method
from inference.methods.diffusion_unet import DiffusionUNet, DiffusionUNetMethod
from inference.physics.degrade import degrade


def test_guidance_weighs_what_the_condition_adds(monkeypatch: pytest.MonkeyPatch) -> None:
    """epsilon_u + w (epsilon_c - epsilon_u): 0.1 without and 0.3 with the condition, at every timestep."""

    def noise(self: Any, x: Any, t: Any, condition: Any, present: Any, modality: Any) -> Any:
        return (0.1 + 0.2 * present)[:, None, None, None].expand_as(x)

    monkeypatch.setattr(DiffusionUNet, "forward", noise)
    x = torch.full((2, 1, 16, 16), 0.5)
    modality = torch.eye(3)[:2]
    for weight, epsilon in ((0.0, 0.1), (1.0, 0.3), (2.0, 0.5), (4.0, 0.9)):
        method = cast(DiffusionUNetMethod, load_method("diffusion_unet", {"guidance": weight}))
        schedule = method.schedule
        found = method._estimate(x, 300, x, modality)
        expected = (0.5 - schedule.sigma(300) * epsilon) / schedule.alpha(300)
        assert found.shape == x.shape and torch.allclose(found, torch.full_like(x, expected), atol=1e-6)
        assert method._estimate(100 * x, 300, x, modality).unique().tolist() == [1.0], "clipped to the data range"


def test_guidance_acts_inside_its_interval_only(monkeypatch: pytest.MonkeyPatch) -> None:
    method = load_method("diffusion_unet", {"steps": 10, "guidance": 2.0, "guidance_low": 200, "guidance_high": 700})
    passes: list[tuple[int, int]] = []
    forward = DiffusionUNet.forward

    def counted(self: Any, x: Any, t: Any, *rest: Any) -> Any:
        passes.append((int(t[0]), len(x)))
        return forward(self, x, t, *rest)

    monkeypatch.setattr(DiffusionUNet, "forward", counted)
    method.reconstruct([degrade(np.full((32, 32), 40.0, np.float32), "CT", 0.25, seed=1, data_range=2924.0)], [1])
    assert len(passes) == 10 and dict(passes) == {t: 2 if 200 <= t <= 700 else 1 for t, _ in passes}
