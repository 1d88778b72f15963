"""Pix2Pix (Isola et al. 2017): a U-Net generator of 8 levels and a 70x70 patch discriminator.

``spread`` adds the generator's output (without tanh) to its input image, in units of each modality's usual
residual, and ``detail`` shows it the image's detail in the same units: deviations that let a short training start from
the measurement. The ``paper`` preset leaves them off.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from inference.methods.image_to_image import ImageToImage, added_residual, with_detail

MULTIPLIERS = (1, 2, 4, 8, 8, 8, 8, 8)
DROPOUT_UPS = 3  # innermost up-sampling layers that drop out, the source of the generator's noise in training


@dataclass(frozen=True)
class GeneratorConfig:
    """``features``: width of the outermost level (64 in the paper). ``norm``: "batch" (the paper) or "instance".

    Batch statistics of mixed modalities differ from the running ones of evaluation; an instance's own do not.
    """

    in_channels: int = 4
    out_channels: int = 1
    features: int = 64
    dropout: float = 0.5
    norm: str = "batch"
    spread: tuple[float, float, float] | None = None
    detail: bool = False


def initialise(module: nn.Module) -> None:
    """Convolutions from N(0, 0.02), batch norm scales from N(1, 0.02), as in the paper."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d | nn.InstanceNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


def _norm(kind: str, channels: int) -> nn.Module:
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    if kind == "instance":
        return nn.InstanceNorm2d(channels, affine=True)
    raise ValueError(f"There is no norm {kind!r}: choose batch or instance.")


def _down(inputs: int, outputs: int, level: int, kind: str) -> nn.Sequential:
    outermost, innermost = level == 0, level == len(MULTIPLIERS) - 1
    norm = not (outermost or innermost)  # a batch norm over a 1x1 map would erase it
    layers: list[nn.Module] = [] if outermost else [nn.LeakyReLU(0.2)]
    layers.append(nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=False))
    if norm:
        layers.append(_norm(kind, outputs))
    return nn.Sequential(*layers)


def _up(inputs: int, outputs: int, level: int, dropout: float, kind: str) -> nn.Sequential:
    outermost = level == 0
    layers: list[nn.Module] = [
        nn.ReLU(),
        nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=outermost),
    ]
    if not outermost:
        layers.append(_norm(kind, outputs))
    if dropout and len(MULTIPLIERS) - 1 - DROPOUT_UPS <= level < len(MULTIPLIERS) - 1:
        layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers)


class UNetGenerator(nn.Module):
    """(B, in, rows, cols) to (B, out, rows, cols); rows and columns are multiples of 256."""

    spread: Tensor | None

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        widths = [config.features * m for m in MULTIPLIERS]
        inputs = [config.in_channels + config.detail, *widths[:-1]]
        outputs = [config.out_channels, *widths[:-1]]
        levels = range(len(widths))
        innermost = len(widths) - 1
        self.downs = nn.ModuleList(_down(inputs[i], widths[i], i, config.norm) for i in levels)
        self.ups = nn.ModuleList(
            _up(widths[i] * (1 if i == innermost else 2), outputs[i], i, config.dropout, config.norm) for i in levels
        )
        self.register_buffer("spread", None if config.spread is None else torch.tensor(config.spread), persistent=False)
        self.apply(initialise)

    def forward(self, x: Tensor) -> Tensor:
        maps = []
        y = with_detail(x, self.spread) if self.config.detail and self.spread is not None else x
        y = y.to(self.downs[0][0].weight.dtype)  # type: ignore[index]
        for down in self.downs:
            y = down(y)
            maps.append(y)
        y = self.ups[-1](maps[-1])
        for level in range(len(maps) - 2, -1, -1):
            y = self.ups[level](torch.cat([maps[level], y], dim=1))
        y = y.to(x.dtype)
        if self.spread is not None:
            return added_residual(x, y, self.spread)
        return torch.tanh(y)


def generator_config(values: Mapping[str, Any]) -> GeneratorConfig:
    """A configuration from JSON, where tuples arrive as lists."""
    arguments: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    return GeneratorConfig(**arguments)


class PatchDiscriminator(nn.Module):
    """Scores overlapping 70x70 patches of (condition, image) as real or made."""

    def __init__(self, in_channels: int = 5, features: int = 64) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(in_channels, features, 4, 2, 1), nn.LeakyReLU(0.2)]
        for inputs, outputs, stride in ((1, 2, 2), (2, 4, 2), (4, 8, 1)):
            layers += [
                nn.Conv2d(features * inputs, features * outputs, 4, stride, 1, bias=False),
                nn.BatchNorm2d(features * outputs),
                nn.LeakyReLU(0.2),
            ]
        layers.append(nn.Conv2d(features * 8, 1, 4, 1, 1))
        self.layers = nn.Sequential(*layers)
        self.apply(initialise)

    def forward(self, condition: Tensor, image: Tensor) -> Tensor:
        return self.layers(torch.cat([condition, image], dim=1))  # type: ignore[no-any-return]


class Pix2Pix(ImageToImage):
    """The generator in evaluation mode (running statistics, no dropout), so that results are repeatable."""

    key = "pix2pix"
    name = "Pix2Pix"
    multiple = 256

    def build(self, config: Mapping[str, Any]) -> nn.Module:
        return UNetGenerator(generator_config(config))
