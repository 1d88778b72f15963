"""The fitted baseline: a Gaussian blur and one monotone grey curve per modality, fitted on validation patients.

It is what a careful person gets without any reconstruction method. Ultrasound shows why it is needed: noise before
the logarithm lifts every dark pixel, and a curve alone takes that back.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.optimize import isotonic_regression

from inference.data.preprocessing import MODALITIES, clip_physical, intensity_map
from inference.methods.base import Measurement
from inference.methods.register import WEIGHTS
from inference.training.pairs import RatedCase

BASELINE_FILE = "fitted_baseline.json"
SIGMAS = (0.0, 0.3, 0.45, 0.6, 0.8, 1.0, 1.3, 1.7, 2.2, 3.0, 4.0)
BINS = 256


@dataclass(frozen=True)
class Baseline:
    """``sigma``: pixels. ``grey``, ``curve``: knots of the monotone map, both in network units."""

    sigma: float
    grey: list[float]
    curve: list[float]
    patients: int
    slices: int

    def __call__(self, measurement: Measurement) -> NDArray[np.float32]:
        """(rows, cols) in physical units."""
        scale = intensity_map(measurement.modality, measurement.degraded)
        blurred = _blurred(scale.normalise(measurement.degraded), self.sigma)
        mapped = np.interp(blurred, self.grey, self.curve).astype(np.float32)
        return clip_physical(scale.denormalise(mapped), measurement.modality)


def _blurred(image: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    return np.asarray(ndimage.gaussian_filter(image, sigma, mode="nearest") if sigma else image, np.float32)


def fit(cases: Sequence[RatedCase]) -> Baseline:
    """The blur and curve with the least squared error over the cases of one modality."""
    maps = [intensity_map(c.measurement.modality, c.measurement.degraded) for c in cases]
    inputs = [m.normalise(c.measurement.degraded) for m, c in zip(maps, cases, strict=True)]
    targets = np.concatenate([m.normalise(c.reference).ravel() for m, c in zip(maps, cases, strict=True)])
    fitted = []
    for sigma in SIGMAS:
        blurred = np.concatenate([_blurred(image, sigma).ravel() for image in inputs])
        grey, curve = _monotone(blurred, targets)
        error = float(np.mean((np.interp(blurred, grey, curve) - targets) ** 2))
        fitted.append((error, sigma, grey, curve))
    _, sigma, grey, curve = min(fitted, key=lambda row: row[0])
    patients = len({c.patient for c in cases})
    return Baseline(sigma, [round(v, 5) for v in grey], [round(v, 5) for v in curve], patients, len(cases))


def _monotone(grey: NDArray[np.float32], target: NDArray[np.float32]) -> tuple[list[float], list[float]]:
    """Knots of the least-squares non-decreasing curve through equally filled bins."""
    order = np.argsort(grey, kind="stable")
    parts = np.array_split(order, min(BINS, grey.size))
    centres = np.array([grey[p].mean(dtype=np.float64) for p in parts])
    means = np.array([target[p].mean(dtype=np.float64) for p in parts])
    weights = np.array([p.size for p in parts], float)
    curve = isotonic_regression(means, weights=weights).x
    kept = np.concatenate([[True], np.diff(centres) > 1e-6])
    return [float(v) for v in centres[kept]], [float(v) for v in np.asarray(curve)[kept]]


def fit_all(cases: Sequence[RatedCase]) -> dict[str, Baseline]:
    """One baseline per modality of the cases."""
    by_modality = {m: [c for c in cases if c.measurement.modality == m] for m in MODALITIES}
    return {m: fit(found) for m, found in by_modality.items() if found}


def write_baselines(path: Path, baselines: dict[str, Baseline]) -> None:
    path.write_text(json.dumps({m: asdict(b) for m, b in baselines.items()}) + "\n")


def read_baselines(path: Path = WEIGHTS / BASELINE_FILE) -> dict[str, Baseline]:
    """The shipped baselines; FileNotFoundError says how to make them."""
    if not path.is_file():
        raise FileNotFoundError(f"{path.name} is missing: make it with `python -m inference fit-baseline`.")
    return {m: Baseline(**values) for m, values in json.loads(path.read_text()).items()}
