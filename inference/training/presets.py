"""Training presets: ``light`` finishes on one CPU thread, ``small`` wants a GPU, ``paper`` is Table 2."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Preset:
    """``steps`` or, when 0, ``epochs`` of the slices. ``patience``: validations without a better PSNR.

    ``crop`` 0: whole frames at the network's own input size (the FID-Med network).
    """

    batch: int
    crop: int
    learning_rate: float
    network: Mapping[str, object]
    steps: int = 0
    epochs: int = 0
    ema: float = 0.999
    validate_every: int = 200
    patience: int = 15
    mixed_precision: bool = False
    betas: tuple[float, float] = (0.9, 0.999)
    realisations: int = 2
    display_limit: int = 150
    options: Mapping[str, float] = field(default_factory=dict)


_RESTORMER_SMALL = {"dim": 24, "blocks": [2, 3, 3, 4], "refinement": 2}
_RESTORMER_PAPER = {"dim": 48, "blocks": [4, 6, 6, 8], "refinement": 4}


def _paper(crop: int, network: Mapping[str, object], **options: float) -> Preset:
    return Preset(
        batch=8,
        crop=crop,
        learning_rate=2e-4,
        network=network,
        epochs=200,
        mixed_precision=True,
        display_limit=10_000,
        realisations=4,
        options=options,
    )


PRESETS: dict[str, dict[str, Preset]] = {
    "pix2pix": {
        "light": Preset(4, 256, 1e-3, {"features": 12, "residual": True, "dropout": 0.0}, steps=450,
                        mixed_precision=True, options={"l1": 100.0, "discriminator": 16, "balanced": 1.0}),
        "small": Preset(16, 256, 2e-4, {"features": 16}, steps=20_000, mixed_precision=True,
                        betas=(0.5, 0.999), options={"l1": 100.0, "discriminator": 64}),
        "paper": _paper(256, {"features": 64}, l1=100.0, discriminator=64),
    },
    "restormer": {
        "light": Preset(8, 64, 1e-3, {"dim": 16, "blocks": [1, 1, 1, 2], "refinement": 1}, steps=300,
                        validate_every=100, mixed_precision=True),
        "small": Preset(16, 128, 3e-4, _RESTORMER_SMALL, steps=30_000, mixed_precision=True),
        "paper": _paper(128, _RESTORMER_PAPER),
    },
    "diffusion_unet": {
        "light": Preset(8, 96, 8e-4, {"features": 32, "blocks": 1}, steps=4000, validate_every=1000,
                        mixed_precision=True,
                        options={"condition_dropout": 0.1, "unit_weight": 1.0}),
        "small": Preset(32, 128, 2e-4, {"features": 64, "blocks": 2}, steps=40_000, mixed_precision=True,
                        options={"condition_dropout": 0.1, "unit_weight": 1.0}),
        "paper": _paper(256, {"features": 128, "blocks": 2, "linear_skip": False},
                        condition_dropout=0.1, unit_weight=0.0, perceptual=0.1),
    },
    "fid_med": {
        "light": Preset(12, 0, 2e-3, {"multiplier": 0.25}, steps=1300, validate_every=650,
                        mixed_precision=True),
        "small": Preset(64, 0, 1e-3, {"multiplier": 0.5}, steps=8000, mixed_precision=True),
        "paper": Preset(64, 0, 1e-3, {"multiplier": 1.0}, epochs=200, mixed_precision=True),
    },
}  # fmt: skip


def preset(method: str, name: str) -> Preset:
    """The preset of a trainable method; ValueError names what there is."""
    if method not in PRESETS:
        raise ValueError(f"There is nothing to train for {method!r}: choose one of {', '.join(PRESETS)}.")
    if name not in PRESETS[method]:
        raise ValueError(f"There is no preset {name!r}: choose one of {', '.join(PRESETS[method])}.")
    return PRESETS[method][name]
