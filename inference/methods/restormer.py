"""Restormer (Zamir et al. 2022), written from the paper: transposed attention over channels in a U-shape.

"6-stage" is read as three encoder and three decoder levels around the latent level. ``align`` rounds the
hidden width of the feed-forward network to a multiple of 8. Two deviations of the ``small`` preset: ``spread`` scales
the added residual by what is usual in the slice's modality, ``detail`` shows the network the image's detail, scaled
alike, beside the image.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inference.methods.image_to_image import ImageToImage, added_residual, with_detail


@dataclass(frozen=True)
class RestormerConfig:
    """The published denoising network has dim 48, blocks 4-6-6-8, heads 1-2-4-8 and 4 refinement blocks."""

    in_channels: int = 4
    out_channels: int = 1
    dim: int = 48
    blocks: tuple[int, int, int, int] = (4, 6, 6, 8)
    heads: tuple[int, int, int, int] = (1, 2, 4, 8)
    refinement: int = 4
    expansion: float = 2.66
    align: bool = True
    spread: tuple[float, float, float] | None = None
    detail: bool = False


class BiasFreeLayerNorm(nn.Module):
    """Divides by the standard deviation over channels and scales; neither shifts nor subtracts the mean."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        variance = x.var(dim=1, keepdim=True, correction=0)
        return x * torch.rsqrt(variance + 1e-5) * self.weight[None, :, None, None]


class MDTA(nn.Module):
    """Multi-Dconv head transposed attention: a (channels x channels) map per head, linear in the pixels."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.qkv = nn.Conv2d(dim, 3 * dim, 1, bias=False)
        self.qkv_dconv = nn.Conv2d(3 * dim, 3 * dim, 3, padding=1, groups=3 * dim, bias=False)
        self.project_out = nn.Conv2d(dim, dim, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, rows, cols = x.shape
        qkv = self.qkv_dconv(self.qkv(x)).reshape(batch, 3, self.heads, channels // self.heads, rows * cols)
        q, k, v = qkv.unbind(dim=1)
        q, k = F.normalize(q, dim=-1), F.normalize(k, dim=-1)
        attention = (q @ k.transpose(-2, -1) * self.temperature).softmax(dim=-1)
        y = (attention @ v).reshape(batch, channels, rows, cols)
        return self.project_out(y)  # type: ignore[no-any-return]


class GDFN(nn.Module):
    """Gated-Dconv feed-forward network: one half, through a GELU, gates the other."""

    def __init__(self, dim: int, expansion: float, align: bool) -> None:
        super().__init__()
        hidden = int(dim * expansion)
        if align:
            hidden = max(8, 8 * round(hidden / 8))
        self.project_in = nn.Conv2d(dim, 2 * hidden, 1, bias=False)
        self.dconv = nn.Conv2d(2 * hidden, 2 * hidden, 3, padding=1, groups=2 * hidden, bias=False)
        self.project_out = nn.Conv2d(hidden, dim, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        gate, value = self.dconv(self.project_in(x)).chunk(2, dim=1)
        return self.project_out(F.gelu(gate) * value)  # type: ignore[no-any-return]


class TransformerBlock(nn.Module):
    def __init__(self, dim: int, heads: int, config: RestormerConfig) -> None:
        super().__init__()
        self.norm1 = BiasFreeLayerNorm(dim)
        self.attention = MDTA(dim, heads)
        self.norm2 = BiasFreeLayerNorm(dim)
        self.feed_forward = GDFN(dim, config.expansion, config.align)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x))
        result: Tensor = x + self.feed_forward(self.norm2(x))
        return result


def _blocks(count: int, dim: int, heads: int, config: RestormerConfig) -> nn.Sequential:
    return nn.Sequential(*(TransformerBlock(dim, heads, config) for _ in range(count)))


def _downsample(dim: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(dim, dim // 2, 3, padding=1, bias=False), nn.PixelUnshuffle(2))


def _upsample(dim: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(dim, 2 * dim, 3, padding=1, bias=False), nn.PixelShuffle(2))


class Restormer(nn.Module):
    """(B, in, rows, cols) to (B, out, rows, cols); rows and columns are multiples of 8."""

    spread: Tensor | None

    def __init__(self, config: RestormerConfig) -> None:
        super().__init__()
        self.config = config
        d1, d2, d3, d4 = (config.dim * m for m in (1, 2, 4, 8))
        b1, b2, b3, b4 = config.blocks
        h1, h2, h3, h4 = config.heads
        self.embed = nn.Conv2d(config.in_channels + config.detail, d1, 3, padding=1, bias=False)
        self.encoder1, self.down1 = _blocks(b1, d1, h1, config), _downsample(d1)
        self.encoder2, self.down2 = _blocks(b2, d2, h2, config), _downsample(d2)
        self.encoder3, self.down3 = _blocks(b3, d3, h3, config), _downsample(d3)
        self.latent = _blocks(b4, d4, h4, config)
        self.up3, self.reduce3 = _upsample(d4), nn.Conv2d(2 * d3, d3, 1, bias=False)
        self.decoder3 = _blocks(b3, d3, h3, config)
        self.up2, self.reduce2 = _upsample(d3), nn.Conv2d(2 * d2, d2, 1, bias=False)
        self.decoder2 = _blocks(b2, d2, h2, config)
        self.up1 = _upsample(d2)
        self.decoder1 = _blocks(b1, 2 * d1, h1, config)
        self.refinement = _blocks(config.refinement, 2 * d1, h1, config)
        self.output = nn.Conv2d(2 * d1, config.out_channels, 3, padding=1, bias=False)
        self.register_buffer("spread", None if config.spread is None else torch.tensor(config.spread), persistent=False)
        if config.spread is not None:
            nn.init.zeros_(self.output.weight)  # an untrained network returns the measurement

    def forward(self, x: Tensor) -> Tensor:
        seen = with_detail(x, self.spread) if self.config.detail and self.spread is not None else x
        e1 = self.encoder1(self.embed(seen.to(self.embed.weight.dtype)))
        e2 = self.encoder2(self.down1(e1))
        e3 = self.encoder3(self.down2(e2))
        y = self.latent(self.down3(e3))
        y = self.decoder3(self.reduce3(torch.cat([self.up3(y), e3], dim=1)))
        y = self.decoder2(self.reduce2(torch.cat([self.up2(y), e2], dim=1)))
        y = self.decoder1(torch.cat([self.up1(y), e1], dim=1))
        y = self.output(self.refinement(y)).to(x.dtype)
        if self.spread is not None:
            return added_residual(x, y, self.spread)
        return y + x[:, : self.config.out_channels]  # type: ignore[no-any-return]


def restormer_config(values: Mapping[str, Any]) -> RestormerConfig:
    """A configuration from JSON, where tuples arrive as lists."""
    arguments: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    return RestormerConfig(**arguments)


class RestormerMethod(ImageToImage):
    key = "restormer"
    name = "Restormer"
    multiple = 8

    def build(self, config: Mapping[str, Any]) -> nn.Module:
        return Restormer(restormer_config(config))
