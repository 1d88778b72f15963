"""Table 6: what one 512 x 512 slice costs, warmed up, synchronised, one slice at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import torch
from scipy import stats
from statsmodels.stats.oneway import anova_oneway

from inference.benchmark.arms import ARMS, METHODS, Bench, Progress
from inference.data.grid import from_stored
from inference.data.phantoms import phantom
from inference.methods import acceleration
from inference.methods.base import Measurement, Method
from inference.physics.degrade import degrade
from inference.physics.levels import LEVELS

SIZE = 512
WARM_UP = 3
TIMED = (*METHODS, "diffusion_unet_w2")  # guidance takes twice the network's work
ENOUGH = 50  # repeats from which a 95th percentile is worth printing


def timed_slice() -> Measurement:
    """A quarter-dose CT slice of a procedural phantom, the same for every method and machine."""
    drawn = phantom("CT", seed=6, size=SIZE, n_slices=1)
    image = from_stored(drawn.pixels[0], drawn.slope, drawn.intercept)
    level = LEVELS["CT"].default
    return degrade(image, "CT", level, seed=6, pixel_spacing=drawn.pixel_spacing, data_range=2924.0)


def table6(
    bench: Bench, repeats: int, progress: Progress
) -> tuple[dict[str, dict[str, object]], dict[str, list[float]]]:
    """The rows, and every latency in ms of the paper's methods.

    A latency is a whole slice's, from the array in memory to the array in memory. On a GPU every method runs as
    ``INFERENCE_ACCELERATION`` says, and once more ``eager``, launch by launch: the same network in the same precision.
    """
    measured = timed_slice()
    rows: dict[str, dict[str, object]] = {}
    samples: dict[str, list[float]] = {}
    wanted = acceleration.mode() if acceleration.on_gpu(bench.device) else ""
    for number, key in enumerate(TIMED):
        bar = partial(_counted, progress, number * repeats, len(TIMED) * repeats, f"timing {key}")
        method, wall, processor = _timed(bench, key, measured, repeats, bar)
        rows[key] = {
            "median_ms": float(np.median(wall)),
            "p95_ms": float(np.percentile(wall, 95)),
            "processor_median_ms": float(np.median(processor)),
            "repeats": repeats,
            "too_few_repeats": repeats < ENOUGH,
            "device": acceleration.device_name(bench.device),
            "precision": method.precision,
            "sampler": method.sampler,
            "network_calls": method.network_calls,
            "batch": 1,
            "size": SIZE,
        }
        if wanted:
            with acceleration.forced("eager"):
                _, eager, _ = _timed(bench, key, measured, max(2, repeats // 5), bar)
            rows[key] |= {"acceleration": wanted, "eager_median_ms": float(np.median(eager))}
        if key in METHODS:
            samples[key] = wall
    return rows, samples


def _timed(
    bench: Bench, key: str, measured: Measurement, repeats: int, bar: Callable[[int], None]
) -> tuple[Method, list[float], list[float]]:
    """The method, and wall and processor times in ms of single slices after a warm-up."""
    method = bench.method(ARMS[key].method, ARMS[key].settings)
    wall, processor = [], []
    for repeat in range(WARM_UP + repeats):
        started, cpu = time.perf_counter(), time.process_time()
        method.reconstruct([measured], [repeat])
        _synchronise(bench.device)
        wall.append(1000.0 * (time.perf_counter() - started))
        processor.append(1000.0 * (time.process_time() - cpu))
        bar(max(0, repeat - WARM_UP) + 1)
    return method, wall[WARM_UP:], processor[WARM_UP:]


def _counted(progress: Progress, before: int, total: int, what: str, done: int) -> None:
    progress(min(total, before + done), total, what)


def _synchronise(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def latency_anova(samples: Mapping[str, Sequence[float]]) -> dict[str, dict[str, float]]:
    """One-way analysis of variance of latency over methods: classic, and Welch's for unequal variances."""
    groups = [np.asarray(samples[key], float) for key in samples]
    classic = stats.f_oneway(*groups)
    welch = anova_oneway(groups, use_var="unequal")
    total = sum(g.size for g in groups)
    return {
        "classic": _anova(classic.statistic, classic.pvalue, len(groups) - 1, total - len(groups)),
        "welch": _anova(welch.statistic, welch.pvalue, welch.df_num, welch.df_denom),
    }


def _anova(f: float, p: float, numerator: float, denominator: float) -> dict[str, float]:
    return {"F": float(f), "p": float(p), "df_num": float(numerator), "df_denom": float(denominator)}
