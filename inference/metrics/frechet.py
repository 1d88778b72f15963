"""Frechet distance and kernel distance between sets of features, with a patient bootstrap. NumPy only.

Frechet: Dowson and Landau 1982 (as FID, Heusel et al. 2017), accumulated in float64. KID: unbiased squared
MMD with the cubic polynomial kernel (Binkowski et al. 2018).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.metrics.bootstrap import patient_draws

MINIMUM_PATIENTS = 6
SLICES_PER_DIMENSION = 10

Features = NDArray[np.floating]


@dataclass(frozen=True)
class FidMed:
    """FID-Med of one arm with a 95 % patient-bootstrap interval; ``marked``: why n is too small, or ""."""

    value: float
    ci_low: float
    ci_high: float
    kid: float
    n: int
    n_patients: int
    marked: str


def frechet_distance(a: Features, b: Features) -> float:
    """|mean difference|^2 + trace(A + B - 2 (A B)^1/2) of two samples (n, d)."""
    x, y = _pair(a, b)
    difference = x.mean(axis=0) - y.mean(axis=0)
    cov_x, cov_y = (np.atleast_2d(np.cov(s, rowvar=False)) for s in (x, y))
    # trace((A B)^1/2) from the symmetric A^1/2 B A^1/2, whose eigenvalues are real and not negative.
    values, vectors = np.linalg.eigh(cov_x)
    root = (vectors * np.sqrt(np.clip(values, 0.0, None))) @ vectors.T
    inner = np.linalg.eigvalsh(root @ cov_y @ root)
    cross = float(np.sqrt(np.clip(inner, 0.0, None)).sum())
    distance = float(difference @ difference + np.trace(cov_x) + np.trace(cov_y) - 2.0 * cross)
    return max(0.0, distance)


def kid(a: Features, b: Features) -> float:
    """Unbiased squared maximum mean discrepancy under (x.y / d + 1)^3; may be slightly negative."""
    x, y = _pair(a, b)
    d = x.shape[1]
    n, m = len(x), len(y)
    within_x, within_y, between = ((p @ q.T / d + 1.0) ** 3 for p, q in ((x, x), (y, y), (x, y)))
    return float(
        (within_x.sum() - np.trace(within_x)) / (n * (n - 1))
        + (within_y.sum() - np.trace(within_y)) / (m * (m - 1))
        - 2.0 * between.mean()
    )


def fid_med(
    features_reference: Features,
    features_arm: Features,
    patients: Sequence[str],
    dimensions: int = 32,
    draws: int = 200,
    seed: int = 0,
    *,
    allow_small: bool = False,
) -> FidMed:
    """Frechet distance in the first ``dimensions`` columns (projected features); row i of both sets is one
    slice.

    ``patients`` names the patient of each row: whole patients are drawn with replacement, together for both
    sets. Raises ValueError for sets whose covariance can't have full rank (no more slices than dimensions) or that
    show one patient only, unless ``allow_small``; the result is marked then.
    """
    x, y = _pair(features_reference, features_arm)
    if len(x) != len(y) or len(x) != len(patients):
        raise ValueError(
            f"FID-Med compares the same slices: pass as many images ({len(y)}) and patients "
            f"({len(patients)}) as references ({len(x)})."
        )
    x, y = x[:, :dimensions], y[:, :dimensions]
    n_patients = len(set(patients))
    if not allow_small and (len(x) <= x.shape[1] or n_patients < 2):
        raise ValueError(
            f"{len(x)} slices of {n_patients} patients are too few for FID-Med in {x.shape[1]} dimensions: give more "
            f"than {x.shape[1]} slices of two patients or more, or allow small sets and read the mark."
        )
    samples = [frechet_distance(x[rows], y[rows]) for rows in patient_draws(patients, draws, seed)]
    low, high = np.percentile(samples, [2.5, 97.5]) if samples else (np.nan, np.nan)
    value = frechet_distance(x, y)
    return FidMed(
        value, float(low), float(high), kid(x, y), len(x), n_patients, _marked(len(x), n_patients, x.shape[1])
    )


def _marked(n: int, n_patients: int, dimensions: int) -> str:
    wanted = SLICES_PER_DIMENSION * dimensions
    if n < wanted:
        return f"{n} slices are too few for {dimensions} dimensions (at least {wanted} needed)"
    if n_patients < MINIMUM_PATIENTS:
        return f"{n_patients} patients are too few for an interval (at least {MINIMUM_PATIENTS} needed)"
    return ""


def _pair(a: Features, b: Features) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        raise ValueError("Feature sets must be (n, d) arrays of equal width: compute both with the same network.")
    if min(len(x), len(y)) < 2:
        raise ValueError("A feature distance needs at least two images on each side: add slices.")
    return x, y
