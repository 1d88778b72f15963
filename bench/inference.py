"""Speed of the physics and the methods on one CPU thread, ours and the alternative interleaved."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from skimage.restoration import denoise_tv_chambolle
from skimage.transform import iradon, radon

from bench.report import Figure, main
from inference.methods.base import Measurement, load_method
from inference.methods.total_variation import tv_denoise
from inference.physics import ct
from inference.physics.degrade import degrade
from inference.progress import ProgressBar

SIZE, VIEWS, REPEATS = 512, 720, 3
SLICE = 256
TV_WEIGHT = 0.1
OUR_ITERATIONS, THEIR_ITERATIONS = 50, 100  # ours ends at the lower energy: 1393.4 against 1395.4


def phantom(size: int) -> np.ndarray:
    """Attenuation-like discs inside the circle, in [0, 1]."""
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    image = 0.5 * (x**2 + y**2 < 0.8)
    for angle in np.arange(8) * np.pi / 4:
        image += 0.06 * ((x - 0.5 * np.cos(angle)) ** 2 + (y - 0.5 * np.sin(angle)) ** 2 < 0.02)
    return np.asarray(image, np.float64)


def seconds(work: Callable[[], object]) -> float:
    start = time.process_time()  # CPU time: other processes of a shared machine must not count
    work()
    return time.process_time() - start


def medians(works: list[Callable[[], object]], repeats: int = REPEATS) -> list[float]:
    """Median CPU seconds of each, run in turn; one unmeasured round warms up."""
    for work in works:
        work()
    rounds = [[seconds(work) for work in works] for _ in range(repeats)]
    return [statistics.median(column) for column in zip(*rounds, strict=True)]


def physics(bar: ProgressBar) -> dict[str, Figure]:
    image = phantom(SIZE)
    angles = np.arange(VIEWS) * (180.0 / VIEWS)
    geometry = ct.Geometry(VIEWS, SIZE, 1.0)
    sinogram = ct.project(image, (1.0, 1.0), geometry)
    theirs = np.ascontiguousarray(sinogram.T)
    bar(0, 3, "timing projection")
    ours_p, skimage_p = medians(
        [
            partial(ct.project, image, (1.0, 1.0), geometry),
            partial(radon, image, theta=angles, circle=True),
        ],
        1,
    )
    bar(1, 3, "timing back-projection")
    ours_b, skimage_b = medians(
        [
            partial(ct.filtered_back_projection, sinogram, (SIZE, SIZE), (1.0, 1.0), geometry),
            partial(iradon, theirs, theta=angles, filter_name="ramp", circle=True),
        ]
    )
    bar(2, 3, "timing total variation")
    noisy = image + np.random.default_rng(0).normal(0, 0.1, image.shape)
    tensor = torch.from_numpy(noisy.astype(np.float32))
    single = noisy.astype(np.float32)
    ours_t, skimage_t = medians(
        [
            partial(tv_denoise, tensor, TV_WEIGHT, OUR_ITERATIONS, 0.0),
            partial(denoise_tv_chambolle, single, weight=TV_WEIGHT, eps=0.0, max_num_iter=THEIR_ITERATIONS),
        ]
    )
    return {
        "projection_vs_skimage": Figure(ours_p, "s", skimage_p, "skimage.transform.radon"),
        "fbp_vs_skimage": Figure(ours_b, "s", skimage_b, "skimage.transform.iradon"),
        "tv_vs_skimage": Figure(ours_t, "s", skimage_t, "skimage denoise_tv_chambolle"),
    }


def measurement(modality: str = "CT") -> Measurement:
    image = (phantom(SLICE) * 1500 - 1024 * (modality == "CT")).astype(np.float32)
    return degrade(image, modality, 0.25 if modality == "CT" else 6.0, seed=0, data_range=2924.0)


def methods(bar: ProgressBar) -> dict[str, Figure]:
    """Seconds per 256x256 slice, batch 1; TV-Recon on MR, its slowest modality."""
    wanted: list[tuple[str, str, dict[str, object], str]] = [
        ("tv_cpu_s", "tv_recon", {}, "MR"),
        ("pix2pix_cpu_s", "pix2pix", {}, "CT"),
        ("restormer_cpu_s", "restormer", {}, "CT"),
        ("diffusion_10_cpu_s", "diffusion_unet", {"steps": 10, "guidance": 2.0}, "CT"),
        ("diffusion_20_cpu_s", "diffusion_unet", {"steps": 20, "guidance": 2.0}, "CT"),
    ]
    figures = {}
    for done, (name, key, settings, modality) in enumerate(wanted):
        bar(done, len(wanted), f"timing {key}")
        method, case = load_method(key, settings), measurement(modality)
        (value,) = medians([partial(method.reconstruct, [case], [0])])
        figures[name] = Figure(value, "s")
    (degradation,) = medians([measurement])
    return figures | {"degrade_ct_cpu_s": Figure(degradation, "s")}


def run() -> dict[str, Figure]:
    """All figures as CPU seconds on one thread."""
    torch.set_num_threads(1)
    bar = ProgressBar()
    return physics(bar) | methods(bar)


if __name__ == "__main__":
    main("inference", run)
