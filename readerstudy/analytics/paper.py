"""The figures of the paper this product repeats, printed beside ours as "paper" and never as targets.

Oko Amadi et al., Int. J. Digital Health & Patient Care 2(2), 57-62, 2025, Tables 3 to 6.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class PaperFigures:
    """One method: PSNR in dB and NMSE in 1e-3 with their SD, latency in ms per 512 x 512 slice on an A100."""

    mean_score: float
    kappa: float
    psnr: tuple[float, float]
    ssim: tuple[float, float]
    nmse: tuple[float, float]
    fid_med: float
    latency_ms: float


PAPER = {
    "tv_recon": PaperFigures(2.8, 0.72, (34.7, 2.1), (0.842, 0.03), (6.1, 0.8), 158.4, 410),
    "pix2pix": PaperFigures(3.6, 0.78, (37.2, 2.0), (0.883, 0.02), (4.3, 0.6), 94.7, 48),
    "restormer": PaperFigures(3.9, 0.81, (38.1, 1.8), (0.896, 0.02), (3.9, 0.5), 81.3, 65),
    "diffusion_unet": PaperFigures(4.6, 0.84, (42.5, 1.5), (0.931, 0.01), (2.1, 0.4), 48.6, 120),
}


def paper_figures(arm: Mapping[str, Any]) -> PaperFigures | None:
    return PAPER.get(arm["method"]) if arm["role"] == "compared" else None
