"""Diffusion-UNet: a conditional epsilon-network with FiLM time embedding, and the method that samples it.

Levels at 2, 4, 8 and 16x (the input is pixel-unshuffled once), self-attention at 16x, zero-initialised last
convolutions. The condition is concatenated with an indicator plane that says whether there is one.

``linear_skip``: the network models the residual x_0 - measurement. Its output is added, in units of its
posterior deviation, to the posterior mean that a Gaussian prior N(measurement, spread^2) gives for x_0 after
seeing x_t; epsilon follows from that estimate. ``spread`` is fixed per modality, because the residuals differ
tenfold. An untrained network then already returns about the measurement, which is what makes a short training
possible. Without a condition the network sees the residual only, so guidance weighs what the image adds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from inference.data.preprocessing import RESIDUAL_RMS, IntensityMap
from inference.methods.acceleration import Accelerated, precision_on, prepared
from inference.methods.base import Measurement
from inference.methods.batching import (
    NetworkSlice,
    batch_size_for,
    in_batches,
    network_slice,
    normalised,
    physical,
    stacked,
)
from inference.methods.checkpoints import load_into, read_weights
from inference.methods.data_consistency import DataConsistency, data_consistency_of
from inference.methods.register import file_sha256, weights_path
from inference.methods.samplers import SAMPLERS, batched_noise
from inference.methods.schedule import Schedule


@dataclass(frozen=True)
class DiffusionConfig:
    """``spread``: assumed deviation of x_0 about the measurement per modality, in network units."""

    features: int = 64
    multipliers: tuple[int, int, int, int] = (1, 2, 2, 3)
    blocks: int = 2
    heads: int = 4
    modalities: int = 3
    linear_skip: bool = True
    spread: tuple[float, float, float] = RESIDUAL_RMS


def group_norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(math.gcd(8, channels), channels)


def zeroed(layer: nn.Conv2d) -> nn.Conv2d:
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def sinusoidal_embedding(t: Tensor, dim: int) -> Tensor:
    """(B,) timesteps to (B, dim) sines and cosines of geometrically spaced frequencies."""
    half = dim // 2
    frequencies = torch.exp(-math.log(10_000.0) * torch.arange(half, device=t.device) / half)
    angles = t.float()[:, None] * frequencies[None]
    return torch.cat([angles.cos(), angles.sin()], dim=1)


class ResidualBlock(nn.Module):
    """Two convolutions; the embedding scales and shifts (FiLM) the second normalisation."""

    def __init__(self, inputs: int, outputs: int, embedding: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = group_norm(inputs), nn.Conv2d(inputs, outputs, 3, padding=1)
        self.film = nn.Linear(embedding, 2 * outputs)
        self.norm2, self.conv2 = group_norm(outputs), zeroed(nn.Conv2d(outputs, outputs, 3, padding=1))
        self.skip: nn.Module = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        y = self.conv1(F.silu(self.norm1(x)))
        scale, shift = self.film(F.silu(embedding))[:, :, None, None].chunk(2, dim=1)
        y = self.conv2(F.silu(self.norm2(y) * (1.0 + scale) + shift))
        return self.skip(x) + y  # type: ignore[no-any-return]


class SelfAttention(nn.Module):
    """Multi-head attention over all pixels of a map."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm, self.qkv = group_norm(channels), nn.Conv2d(channels, 3 * channels, 1)
        self.project_out = zeroed(nn.Conv2d(channels, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, rows, cols = x.shape
        qkv = self.qkv(self.norm(x)).reshape(batch, 3, self.heads, channels // self.heads, rows * cols)
        q, k, v = qkv.transpose(-2, -1).unbind(dim=1)
        y = F.scaled_dot_product_attention(q, k, v).transpose(-2, -1)
        return x + self.project_out(y.reshape(batch, channels, rows, cols))  # type: ignore[no-any-return]


class DiffusionUNet(nn.Module):
    """epsilon(x_t, t, condition): (B, 1, rows, cols) with rows and columns multiples of 16."""

    alpha_bar: Tensor
    spread: Tensor

    def __init__(self, config: DiffusionConfig) -> None:
        super().__init__()
        self.config = config
        table = torch.from_numpy(Schedule().alpha_bar).float()
        self.register_buffer("alpha_bar", table, persistent=False)
        self.register_buffer("spread", torch.tensor(config.spread), persistent=False)
        widths = [config.features * m for m in config.multipliers]
        embedding = 4 * config.features
        self.time = nn.Sequential(nn.Linear(config.features, embedding), nn.SiLU(), nn.Linear(embedding, embedding))
        self.modality = nn.Linear(config.modalities, embedding, bias=False)
        self.stem = nn.Conv2d(3 * 4, widths[0], 3, padding=1)
        self._build_levels(widths, embedding)
        self.norm = group_norm(widths[0])
        self.head = zeroed(nn.Conv2d(widths[0], 4, 3, padding=1))

    def _build_levels(self, widths: list[int], embedding: int) -> None:
        blocks, last = self.config.blocks, len(widths) - 1
        inputs = [widths[0], *widths[:-1]]
        self.encoder = nn.ModuleList(
            nn.ModuleList(ResidualBlock(inputs[i] if b == 0 else w, w, embedding) for b in range(blocks))
            for i, w in enumerate(widths)
        )
        self.downs = nn.ModuleList(nn.Conv2d(w, w, 3, stride=2, padding=1) for w in widths[:-1])
        self.attention = SelfAttention(widths[last], self.config.heads)
        self.middle1 = ResidualBlock(widths[last], widths[last], embedding)
        self.middle_attention = SelfAttention(widths[last], self.config.heads)
        self.middle2 = ResidualBlock(widths[last], widths[last], embedding)
        self.decoder = nn.ModuleList(
            nn.ModuleList(ResidualBlock(2 * w if b == 0 else w, w, embedding) for b in range(blocks)) for w in widths
        )
        self.ups = nn.ModuleList(nn.Conv2d(widths[i + 1], widths[i], 3, padding=1) for i in range(last))

    def _body(self, x: Tensor, embedding: Tensor) -> Tensor:
        y = self.stem(F.pixel_unshuffle(x, 2).to(self.stem.weight.dtype))
        skips: list[Tensor] = []
        last = len(self.encoder) - 1
        for level, blocks in enumerate(self.encoder):
            for block in blocks:  # type: ignore[attr-defined]
                y = block(y, embedding)
            skips.append(y)
            if level < last:
                y = self.downs[level](y)
        y = self.middle1(self.attention(y), embedding)
        y = self.middle2(self.middle_attention(y), embedding)
        for level in range(last, -1, -1):
            y = torch.cat([y, skips[level]], dim=1)
            for block in self.decoder[level]:  # type: ignore[attr-defined]
                y = block(y, embedding)
            if level > 0:
                y = self.ups[level - 1](F.interpolate(y, scale_factor=2.0, mode="nearest"))
        return F.pixel_shuffle(self.head(F.silu(self.norm(y))).to(x.dtype), 2)

    def skip_coefficients(self, t: Tensor, modality: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of x_t about alpha_t times the measurement: alpha_t, deviation of the signal and of the noise."""
        alpha = self.alpha_bar[t][:, None, None, None].sqrt()
        spread = (modality @ self.spread)[:, None, None, None]
        return alpha, alpha * spread, (1.0 - alpha**2).sqrt()

    def forward(self, x: Tensor, t: Tensor, condition: Tensor, present: Tensor, modality: Tensor) -> Tensor:
        """``t`` (B,) integers; ``present`` (B,) one or zero; ``modality`` (B, 3) one-hot."""
        kind = self.stem.weight.dtype
        time = sinusoidal_embedding(t, self.config.features).to(kind)
        embedding = self.time(time) + self.modality(modality.to(kind))
        plane = present[:, None, None, None].expand_as(x)
        if not self.config.linear_skip:
            return self._body(torch.cat([x, condition * plane, plane], dim=1), embedding)
        alpha, signal, sigma = self.skip_coefficients(t, modality)
        total = torch.hypot(signal, sigma)
        rest = (x - alpha * condition) / total
        output = self._body(torch.cat([rest, condition * plane, plane], dim=1), embedding)
        return (sigma * rest - signal * output) / total


def diffusion_config(values: Mapping[str, Any]) -> DiffusionConfig:
    """A configuration from JSON, where tuples arrive as lists."""
    arguments: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    return DiffusionConfig(**arguments)


@dataclass(frozen=True)
class Draw:
    """One sample to draw of one slice."""

    slice: NetworkSlice
    seed: int
    consistency: DataConsistency | None


class DiffusionUNetMethod:
    """Samples the network with classifier-free guidance: epsilon_u + w (epsilon_c - epsilon_u)."""

    key = "diffusion_unet"
    name = "Diffusion-UNet"
    version = "1"
    precision: str

    def __init__(self, settings: Mapping[str, Any], device: str, weights: Path | None = None) -> None:
        path = weights or weights_path(self.key)
        assert path is not None  # the register names a file for this method
        config, state = read_weights(path)
        self.network = DiffusionUNet(diffusion_config(config))
        load_into(self.network, state, device)
        prepared(self.network, device)
        self._configure(settings, device, precision_on(device))
        self.weights_hash = file_sha256(path)

    @classmethod
    def of_network(cls, network: DiffusionUNet, settings: Mapping[str, Any], device: str) -> DiffusionUNetMethod:
        """The method around a network in memory, as it is (validation during training)."""
        method = cls.__new__(cls)
        method.network, method.weights_hash = network, ""
        method._configure(settings, device, "float32", in_training=True)
        return method

    def _configure(self, settings: Mapping[str, Any], device: str, precision: str, in_training: bool = False) -> None:
        self.settings, self.device, self.batch_size = settings, device, batch_size_for(device)
        self.precision, self.schedule = precision, Schedule()
        self._plain_pass = Accelerated(self._plain, device, as_written=in_training)
        self._guided_pass = Accelerated(self._with_guidance, device, as_written=in_training)
        table = [(t, self.schedule.alpha(t), self.schedule.sigma(t)) for t in range(self.schedule.steps)]
        self._rows = torch.tensor(table, device=device)  # on the device, so that no step waits for a copy
        self.samples: int = settings["samples"]
        self.timesteps = self.schedule.trailing(settings["steps"], settings["start"])
        guided = sum(self._guided(t) for t in self.timesteps)
        self.network_calls = self.samples * (len(self.timesteps) + guided)
        self.sampler = f"{settings['sampler']}, {len(self.timesteps)} steps, guidance {settings['guidance']:g}"

    def _guided(self, t: int) -> bool:
        low, high = self.settings["guidance_low"], self.settings["guidance_high"]
        return bool(self.settings["guidance"] != 1.0 and low <= t <= high)

    def reconstruct(self, measurements: Sequence[Measurement], seeds: Sequence[int]) -> list[NDArray[np.float32]]:
        """One sample (or the mean of ``samples``) per slice."""
        return [_mean(draws) for draws in self._drawn(measurements, seeds)]

    def reconstruct_with_deviation(
        self, measurements: Sequence[Measurement], seeds: Sequence[int]
    ) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Mean and standard deviation (n - 1) over the draws of each slice, in physical units."""
        if self.samples < 2:
            raise ValueError("One draw has no deviation: set samples to 2 or more.")
        return [
            (_mean(draws), draws.std(axis=0, ddof=1, dtype=np.float64).astype(np.float32))
            for draws in self._drawn(measurements, seeds)
        ]

    def _drawn(self, measurements: Sequence[Measurement], seeds: Sequence[int]) -> list[NDArray[np.float32]]:
        """Per slice its draws (samples, rows, cols); draws of one slice and of several share batches."""
        draws = [draw for m, seed in zip(measurements, seeds, strict=True) for draw in self._draws_of(m, seed)]
        images = in_batches(self, draws, lambda draw: draw.slice.padded.shape, self._sample)
        return [np.stack(images[start : start + self.samples]) for start in range(0, len(images), self.samples)]

    def _draws_of(self, measurement: Measurement, seed: int) -> list[Draw]:
        prepared = network_slice(measurement, 16)
        consistency = data_consistency_of(measurement, self.device) if self.settings["data_consistency"] else None
        return [Draw(prepared, seed + 7919 * number, consistency) for number in range(self.samples)]

    @torch.inference_mode()
    def _sample(self, draws: Sequence[Draw]) -> list[NDArray[np.float32]]:
        """One image per draw; the noise and the data consistency are each draw's own."""
        stack = stacked([draw.slice for draw in draws], self.device)
        condition, modality = normalised(stack.images, stack.scales), stack.modalities
        noise = batched_noise((1, *condition.shape[1:]), [draw.seed for draw in draws], self.device)

        def denoise(x: Tensor, t: int) -> Tensor:
            x0 = self._estimate(x, t, condition, modality)
            for image, draw in zip(x0[:, 0], draws, strict=True):
                if draw.consistency is not None:
                    inside = draw.slice.inside
                    image[inside] = self._consistent(image[inside], draw.consistency, draw.slice.scale)
            return x0

        first = self.timesteps[0]
        x = self.schedule.sigma(first) * noise()
        if self.settings["start"] < self.schedule.steps:
            x = x + self.schedule.alpha(first) * condition
        samples = SAMPLERS[self.settings["sampler"]](x, self.timesteps, self.schedule, denoise, noise)
        images = physical(samples, stack.scales, modality)[:, 0].cpu().numpy()
        return [np.ascontiguousarray(image[draw.slice.inside]) for draw, image in zip(draws, images, strict=True)]

    def _estimate(self, x: Tensor, t: int, condition: Tensor, modality: Tensor) -> Tensor:
        """The estimate of x_0, guided where the settings say so, clipped to the data range."""
        run = self._guided_pass if self._guided(t) else self._plain_pass
        return run(x, self._rows[t].expand(len(x), -1), condition, modality)[0]

    def _plain(self, x: Tensor, rows: Tensor, condition: Tensor, modality: Tensor) -> tuple[Tensor]:
        present = torch.ones(len(x), device=x.device)
        return (_clean(x, self.network(x, rows[:, 0].long(), condition, present, modality), rows),)

    def _with_guidance(self, x: Tensor, rows: Tensor, condition: Tensor, modality: Tensor) -> tuple[Tensor]:
        """With and without the condition in one pass of twice the size."""
        present = torch.ones(2 * len(x), device=x.device)
        present[len(x) :] = 0.0
        inputs = [torch.cat([values] * 2) for values in (x, rows[:, 0].long(), condition)]
        given, free = self.network(*inputs, present, torch.cat([modality] * 2)).chunk(2)
        return (_clean(x, free + self.settings["guidance"] * (given - free), rows),)

    @staticmethod
    def _consistent(x0: Tensor, consistency: DataConsistency, scale: IntensityMap) -> Tensor:
        magnitude = scale.low + 0.5 * (x0 + 1.0) * (scale.high - scale.low)
        restored = consistency(magnitude)
        return 2.0 * (restored - scale.low) / (scale.high - scale.low) - 1.0


def _clean(x: Tensor, epsilon: Tensor, rows: Tensor) -> Tensor:
    """x_0 from x_t and its noise, within [-1, 1]; ``rows`` (B, 3) hold t, alpha and sigma."""
    _, alpha, sigma = rows[:, :, None, None, None].unbind(1)
    return ((x - sigma * epsilon) / alpha).clamp(-1.0, 1.0)


def _mean(draws: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(draws.mean(axis=0, dtype=np.float64), np.float32)
