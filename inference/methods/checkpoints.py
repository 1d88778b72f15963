"""Shipped weights: fp16 safetensors whose metadata carry the network's configuration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn


def save_weights(path: Path, state: Mapping[str, Tensor], config: Mapping[str, object]) -> None:
    """Write a state dict as fp16 (integers stay) with ``config`` in the file's metadata."""
    halves = {
        name: (value.half() if value.is_floating_point() else value).detach().cpu().contiguous()
        for name, value in state.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    save_file(halves, partial, metadata={"config": json.dumps(dict(config), sort_keys=True)})
    partial.replace(path)


def read_weights(path: Path) -> tuple[dict[str, object], dict[str, Tensor]]:
    """The configuration and the fp32 state dict; FileNotFoundError says how to make the file."""
    if not path.is_file():
        raise FileNotFoundError(
            f"The weights {path.name} are missing: train them with `python -m inference train {path.stem}`."
        )
    with safe_open(path, framework="pt") as stream:
        config = json.loads((stream.metadata() or {}).get("config", "{}"))
        state = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118 - not a mapping
    return config, {n: v.float() if v.dtype == torch.float16 else v for n, v in state.items()}


def load_into(network: nn.Module, state: Mapping[str, Tensor], device: str) -> None:
    """Load a state dict strictly, move to ``device`` and switch to evaluation without gradients."""
    network.load_state_dict(dict(state), strict=True)
    network.to(device).eval().requires_grad_(False)
