"""Figures of Oko Amadi et al. 2025 (IJDHPC 2(2), 57-62), printed beside ours and never a target."""

from __future__ import annotations

from collections.abc import Mapping

# PSNR dB, SSIM, NMSE x1e-3, FID-Med of Table 3, overall.
TABLE3: Mapping[str, tuple[float, float, float, float]] = {
    "tv_recon": (34.7, 0.842, 6.1, 158.4),
    "pix2pix": (37.2, 0.883, 4.3, 94.7),
    "restormer": (38.1, 0.896, 3.9, 81.3),
    "diffusion_unet": (42.5, 0.931, 2.1, 48.6),
}
# PSNR dB of Table 4.
TABLE4: Mapping[str, Mapping[str, float]] = {
    "CT": {"tv_recon": 35.9, "pix2pix": 38.0, "restormer": 39.3, "diffusion_unet": 43.8},
    "MR": {"tv_recon": 33.8, "pix2pix": 36.5, "restormer": 37.4, "diffusion_unet": 41.2},
    "US": {"tv_recon": 34.2, "pix2pix": 36.9, "restormer": 37.7, "diffusion_unet": 42.5},
}
# Milliseconds per 512 x 512 slice on an A100, Table 6.
TABLE6: Mapping[str, float] = {"tv_recon": 410.0, "pix2pix": 48.0, "restormer": 65.0, "diffusion_unet": 120.0}
# PSNR dB against the number of diffusion steps, Table 7.
TABLE7: Mapping[int, float] = {200: 39.2, 400: 40.6, 600: 41.4, 800: 42.0, 1000: 42.5}
ALPHA = 0.0125  # the paper's adjusted level, .05 / 4
