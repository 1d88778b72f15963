"""Exponential moving average of weights and buffers: what is validated, saved and loaded by inference."""

from __future__ import annotations

import copy

import torch
from torch import nn


class EMA:
    """Decay min(decay, (1 + n) / (10 + n)) after n updates: a short training is not held at its start."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.decay = decay
        self.updates = 0

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        torch._foreach_lerp_(list(self.network.parameters()), list(network.parameters()), 1.0 - decay)
        for average, buffer in zip(self.network.buffers(), network.buffers(), strict=True):
            if buffer.is_floating_point():
                average.lerp_(buffer, 1.0 - decay)
            else:
                average.copy_(buffer)
