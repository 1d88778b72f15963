"""What is trained and how one step goes, per method. A recipe owns its networks and optimisers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inference.methods.base import Method
from inference.methods.diffusion_unet import DiffusionUNet, DiffusionUNetMethod, ResidualBlock, diffusion_config
from inference.methods.image_to_image import ImageToImage, network_input
from inference.methods.pix2pix import PatchDiscriminator, Pix2Pix, UNetGenerator, generator_config
from inference.methods.register import validate_settings
from inference.methods.restormer import Restormer, RestormerMethod, TransformerBlock, restormer_config
from inference.metrics.features import Backbone, BackboneConfig, load_backbone
from inference.training.frames import draw_frames
from inference.training.losses import adversarial, epsilon_loss, l1, squared
from inference.training.pairs import Batch, Grouped, draw_batch
from inference.training.presets import Preset

VALIDATION_STEPS = 5  # network calls of the diffusion sampler when it is validated


@dataclass(frozen=True)
class Images:
    """A batch on the device: degraded and reference (B, 1, rows, cols), modality (B, 3), class labels."""

    degraded: Tensor
    reference: Tensor
    modality: Tensor
    labels: list[str]


class Recipe:
    """One network to ship (``network``), perhaps helpers, and their optimisers."""

    network: nn.Module
    config: dict[str, object]

    def __init__(self, preset: Preset, device: str, labels: Sequence[str]) -> None:
        self.preset, self.device, self.labels = preset, device, list(labels)
        self.balanced = preset.options.get("balanced", 0.0) > 0
        self.build()
        for module in self.modules().values():
            module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        fused = torch.device(device).type == "cuda"
        self.optimisers = [
            torch.optim.Adam(module.parameters(), lr=preset.learning_rate, betas=preset.betas, fused=fused)
            for module in self.modules().values()
        ]

    def build(self) -> None:
        raise NotImplementedError

    def modules(self) -> dict[str, nn.Module]:
        """All trained modules by name, the shipped one first."""
        return {"network": self.network}

    def method(self, network: nn.Module) -> Method | None:
        """A method around ``network`` for validation, None where images are not what it makes."""
        raise NotImplementedError

    def compile(self) -> None:
        """Compile the networks in place, those of repeated blocks block by block: blocks of one shape share the code.

        The names of the weights stay, and copies (the EMA) are not compiled.
        """
        torch._dynamo.config.recompile_limit = 64
        for network in self.modules().values():
            parts: list[nn.Module] = [m for m in network.modules() if isinstance(m, TransformerBlock | ResidualBlock)]
            for part in parts or [network]:
                part.compile(dynamic=False)

    def images(self, pairs: Grouped, seed: int, step: int) -> Images:
        """The batch of a step, on the device."""
        batch = self.draw(pairs, seed, step)
        arrays = (batch.degraded, batch.reference, batch.modality)
        degraded, reference, modality = (torch.from_numpy(a).to(self.device) for a in arrays)
        return Images(degraded, reference, modality, batch.labels)

    def draw(self, pairs: Grouped, seed: int, step: int) -> Batch:
        """The batch of a step."""
        settings = self.preset
        assert settings.crop is not None  # a recipe for whole frames draws its own
        return draw_batch(pairs, settings.batch, settings.crop, seed, step, settings.shares, settings.epochs > 0)

    def step(self, images: Images) -> Tensor:
        """One optimisation step; the shipped network's loss, not waited for."""
        values = []
        kind = torch.device(self.device).type
        for index, optimiser in enumerate(self.optimisers):
            with torch.autocast(kind, torch.bfloat16, enabled=self.preset.mixed_precision):
                loss = self.loss(images, index)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_([p for g in optimiser.param_groups for p in g["params"]], 1.0)
            optimiser.step()
            values.append(loss.detach())
        return values[0]

    def loss(self, images: Images, index: int) -> Tensor:
        """The loss of optimiser ``index``."""
        raise NotImplementedError


def _around(method_class: type[ImageToImage], network: nn.Module, device: str) -> Method:
    settings = validate_settings(method_class.key, {})
    return method_class.of_network(network, settings, device)


class Pix2PixRecipe(Recipe):
    def build(self) -> None:
        values: dict[str, Any] = dict(self.preset.network)
        self.network = UNetGenerator(generator_config(values)).to(self.device)
        self.config = values
        features = int(self.preset.options["discriminator"])
        self.discriminator = PatchDiscriminator(features=features).to(self.device)

    def modules(self) -> dict[str, nn.Module]:
        return {"network": self.network, "discriminator": self.discriminator}

    def loss(self, images: Images, index: int) -> Tensor:
        condition = network_input(images.degraded, images.modality)
        if index == 0:
            self.made = self.network(condition)
            verdict = adversarial(self.discriminator(condition, self.made), real=True)
            distance = l1(self.made, images.reference, images.modality, self.balanced)
            return verdict + self.preset.options["l1"] * distance
        real = adversarial(self.discriminator(condition, images.reference), real=True)
        return 0.5 * (real + adversarial(self.discriminator(condition, self.made.detach()), real=False))

    def method(self, network: nn.Module) -> Method | None:
        return _around(Pix2Pix, network, self.device)


class RestormerRecipe(Recipe):
    def build(self) -> None:
        self.network = Restormer(restormer_config(self.preset.network)).to(self.device)
        self.config = dict(self.preset.network)

    def loss(self, images: Images, index: int) -> Tensor:
        made = self.network(network_input(images.degraded, images.modality))
        distance = squared if self.preset.options.get("squared", 0.0) > 0 else l1
        return distance(made, images.reference, images.modality, self.balanced)

    def method(self, network: nn.Module) -> Method | None:
        return _around(RestormerMethod, network, self.device)


class DiffusionRecipe(Recipe):
    network: DiffusionUNet

    def build(self) -> None:
        self.network = DiffusionUNet(diffusion_config(self.preset.network)).to(self.device)
        self.config = dict(self.preset.network)
        perceptual = self.preset.options.get("perceptual", 0.0)
        self.backbone = load_backbone(self.device) if perceptual > 0 else None

    def loss(self, images: Images, index: int) -> Tensor:
        options = self.preset.options
        return epsilon_loss(
            self.network,
            images.reference,
            images.degraded,
            images.modality,
            dropout=options["condition_dropout"],
            unit_weight=options["unit_weight"] > 0,
            time_power=options.get("time_power", 1.0),
            backbone=self.backbone,
            perceptual=options.get("perceptual", 0.0),
        )

    def method(self, network: nn.Module) -> Method | None:
        assert isinstance(network, DiffusionUNet)
        settings = validate_settings("diffusion_unet", {"steps": VALIDATION_STEPS, "guidance": 1.0})
        return DiffusionUNetMethod.of_network(network, settings, self.device)


class BackboneRecipe(Recipe):
    """Classifies modality and anatomy, and tells references from degraded images."""

    network: Backbone

    def build(self) -> None:
        values: dict[str, Any] = {**self.preset.network, "labels": len(self.labels)}
        self.network = Backbone(BackboneConfig(**values)).to(self.device)
        self.config = values

    def draw(self, pairs: Grouped, seed: int, step: int) -> Batch:
        return draw_frames(pairs, self.preset.batch, seed, step, in_epochs=self.preset.epochs > 0)

    def loss(self, images: Images, index: int) -> Tensor:
        values = self.network(torch.cat([images.reference, images.degraded]))
        labels = torch.tensor([self.labels.index(label) for label in images.labels] * 2, device=self.device)
        quality = torch.arange(2, device=self.device).repeat_interleave(len(images.labels))
        return F.cross_entropy(self.network.labels(values), labels) + 0.5 * F.cross_entropy(
            self.network.quality(values), quality
        )

    def method(self, network: nn.Module) -> Method | None:
        return None


RECIPES: Mapping[str, type[Recipe]] = {
    "pix2pix": Pix2PixRecipe,
    "restormer": RestormerRecipe,
    "diffusion_unet": DiffusionRecipe,
    "fid_med": BackboneRecipe,
}
