"""Training presets: ``small`` takes one GPU minutes (or a CPU a night), ``paper`` is Table 2 of the paper."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from inference.data.preprocessing import RESIDUAL_RMS

Matrix = tuple[int, int, int]
AS_THEY_ARE: Matrix = (0, 0, 0)


@dataclass(frozen=True)
class Preset:
    """How a network is trained. ``patience``: validations without a better PSNR.

    ``steps`` are made in all or, when 0, as many as ``epochs`` take. With ``epochs`` an epoch passes every training
    slice once (in one of its realisations, as the paper rotates and flips anew whenever a slice comes), each modality
    as often as it has slices, and ends with a validation, so that ``patience`` counts epochs. Without them slices are
    drawn by ``shares`` and validated every ``validate_every`` steps.

    ``matrix``: the longer side that references of CT, MR and US are resampled to before they are degraded, 0 to keep
    them as they are. ``crop``: (rows, columns); None: whole frames at the network's own input size (the FID-Med
    network). Small crops are as wide as a slice: undersampling artefacts run along the rows, and a row holds all.
    ``realisations``: degradations of every slice of CT, MR and US, ``display_realisations`` at most of a display-only
    one, of which ``display_limit`` per modality are taken. ``shares``: of CT, MR and US in the batches.
    ``validation``: slices per validation patient.
    """

    batch: int
    crop: tuple[int, int] | None
    learning_rate: float
    network: Mapping[str, object]
    steps: int = 0
    epochs: int = 0
    ema: float = 0.999
    validate_every: int = 200
    patience: int = 15
    mixed_precision: bool = False
    betas: tuple[float, float] = (0.9, 0.999)
    realisations: tuple[int, int, int] = (4, 4, 4)
    display_realisations: int = 2
    display_limit: int = 150
    shares: tuple[int, int, int] = (1, 1, 1)
    validation: int = 5
    matrix: Matrix = AS_THEY_ARE
    options: Mapping[str, float] = field(default_factory=dict)


_SPREAD = list(RESIDUAL_RMS)
_RESTORMER_SMALL = {"dim": 24, "blocks": [2, 2, 3, 3], "refinement": 2, "spread": _SPREAD, "detail": True}
_RESTORMER_PAPER = {"dim": 48, "blocks": [4, 6, 6, 8], "refinement": 4}
_DIFFUSION_SMALL = {"features": 64, "blocks": 1, "spread": _SPREAD}
_PIX2PIX_SMALL = {"features": 16, "dropout": 0.0, "norm": "instance", "spread": _SPREAD, "detail": True}


_PAPER_MATRIX: Matrix = (512, 256, 512)


def _paper(crop: tuple[int, int], network: Mapping[str, object], **options: float) -> Preset:
    return Preset(
        batch=8,
        crop=crop,
        learning_rate=2e-4,
        network=network,
        epochs=200,
        mixed_precision=True,
        display_limit=10_000,
        validation=10_000,
        matrix=_PAPER_MATRIX,
        options=options,
    )


_GPU = Preset(32, (128, 256), 5e-4, {}, validate_every=500, patience=60, mixed_precision=True,
              realisations=(4, 10, 10))  # fmt: skip


PRESETS: dict[str, dict[str, Preset]] = {
    "pix2pix": {
        "small": replace(_GPU, batch=16, crop=(256, 256), network=_PIX2PIX_SMALL, steps=8000, validate_every=2000,
                         betas=(0.5, 0.999), shares=(14, 1, 1),
                         options={"l1": 1000.0, "discriminator": 32, "balanced": 1.0}),
        "paper": _paper((256, 256), {"features": 64}, l1=100.0, discriminator=64),
    },
    "restormer": {
        "small": replace(_GPU, batch=16, learning_rate=8e-4, network=_RESTORMER_SMALL, steps=2600,
                         options={"balanced": 1.0, "squared": 1.0}),
        "paper": _paper((128, 128), _RESTORMER_PAPER),
    },
    "diffusion_unet": {
        "small": replace(_GPU, network=_DIFFUSION_SMALL, steps=4250,
                         options={"condition_dropout": 0.1, "unit_weight": 1.0, "time_power": 2.0}),
        "paper": _paper((256, 256), {"features": 128, "blocks": 2, "linear_skip": False},
                        condition_dropout=0.1, unit_weight=0.0, perceptual=0.1),
    },
    "fid_med": {
        "small": Preset(12, None, 1e-3, {"multiplier": 0.5}, steps=2000, validate_every=650,
                        mixed_precision=True),
        "paper": Preset(64, None, 1e-3, {"multiplier": 1.0}, epochs=200, mixed_precision=True, matrix=_PAPER_MATRIX),
    },
}  # fmt: skip


def preset(method: str, name: str) -> Preset:
    """The preset of a trainable method; ValueError names what there is."""
    if method not in PRESETS:
        raise ValueError(f"There is nothing to train for {method!r}: choose one of {', '.join(PRESETS)}.")
    if name not in PRESETS[method]:
        raise ValueError(f"There is no preset {name!r}: choose one of {', '.join(PRESETS[method])}.")
    return PRESETS[method][name]
