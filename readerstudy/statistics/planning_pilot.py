"""Variance components from the scores of a pilot, by the moments of the Obuchowski-Rockette analysis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from readerstudy.statistics.estimate import FloatArray
from readerstudy.statistics.intervals import Clusters
from readerstudy.statistics.mrmc import case_covariance, reader_means
from readerstudy.statistics.planning_model import PlanningError, VarianceComponents
from readerstudy.statistics.table import ScoreTable

FEWEST_SLICES = 5


@dataclass(frozen=True)
class Pilot:
    """What a table of scores says about planning.

    ``components`` take slices as independent; ``design_effect`` is how many of the pilot's slices counted as one,
    1 where it has one slice per patient. ``mean_score`` is the mean of the arm means, in points.
    """

    components: VarianceComponents
    design_effect: float
    mean_score: float
    lowest: int
    highest: int
    slices: int
    readers: int
    arms: int


@dataclass(frozen=True)
class _Moments:
    """Per independent slice: covariances of Obuchowski and Rockette, and the variances between readers."""

    var: float
    cov1: float
    cov2: float
    cov3: float


def estimate(table: ScoreTable) -> Pilot:
    """Components of first readings; gaps are left out, readers without a score in some arm too.

    Raises PlanningError where arms, readers, slices or patients are too few, or the scores don't vary.
    """
    cube = table.cube()
    complete = np.isfinite(cube).any(axis=0).all(axis=0)
    cube = cube[:, :, complete]
    seen = np.asarray(np.isfinite(cube).any(axis=(1, 2)), dtype=np.bool_) if complete.any() else np.zeros(0, np.bool_)
    slices, arms, readers = int(seen.sum()), len(table.arms), int(complete.sum())
    _refuse_small(slices, arms, readers)
    cube = cube[seen]
    flat = cube.reshape(slices, arms * readers)
    components = _components(flat, arms, readers, Clusters.of_units(slices))
    if components.slice + components.error + components.slice_arm + components.slice_reader <= 0:
        raise PlanningError("The pilot's scores do not vary over slices: nothing can be planned from them; use others.")
    scores = cube[np.isfinite(cube)]
    return Pilot(
        components=components,
        design_effect=_design_effect(flat, arms, readers, components, table.clusters().take(seen)),
        mean_score=float(reader_means(flat).mean()),
        lowest=int(np.floor(scores.min())),
        highest=int(np.ceil(scores.max())),
        slices=slices,
        readers=readers,
        arms=arms,
    )


def _refuse_small(slices: int, arms: int, readers: int) -> None:
    if arms < 2:
        raise PlanningError("The pilot has one arm; a comparison needs scores of at least 2: add the other arm.")
    if readers < 2:
        raise PlanningError(
            f"The pilot has {readers} reader{'' if readers == 1 else 's'} with scores in every arm; "
            "at least 2 are needed: add readers."
        )
    if slices < FEWEST_SLICES:
        raise PlanningError(
            f"The pilot has {slices} slice{'' if slices == 1 else 's'} with scores; "
            f"at least {FEWEST_SLICES} are needed: add slices or use a preset."
        )


def _moments(flat: FloatArray, arms: int, readers: int, clusters: Clusters) -> _Moments:
    """Averages of the covariance of the reader means, times the number of slices."""
    covariance = case_covariance(flat, clusters).reshape(arms, readers, arms, readers) * len(flat)
    same_arm = np.eye(arms, dtype=np.bool_)[:, None, :, None]
    same_reader = np.eye(readers, dtype=np.bool_)[None, :, None, :]

    def mean(mask: object) -> float:
        return float(covariance[np.broadcast_to(np.asarray(mask), covariance.shape)].mean())

    return _Moments(
        mean(same_arm & same_reader), mean(~same_arm & same_reader), mean(same_arm & ~same_reader),
        mean(~same_arm & ~same_reader),
    )  # fmt: skip


def _components(flat: FloatArray, arms: int, readers: int, clusters: Clusters) -> VarianceComponents:
    n, moments = len(flat), _moments(flat, arms, readers, clusters)
    means = reader_means(flat).reshape(arms, readers)
    of_readers = means.mean(axis=0)
    residual = means - means.mean(axis=1)[:, None] - of_readers[None, :] + means.mean()
    interaction = float((residual**2).sum()) / ((arms - 1) * (readers - 1))
    between = arms * float(of_readers.var(ddof=1))
    rest = (moments.var - moments.cov1 - moments.cov2 + moments.cov3) / n
    return VarianceComponents.from_obuchowski_rockette(
        reader=(between - interaction) / arms - (moments.cov1 - moments.cov3) / n,
        reader_arm=interaction - rest,
        var=moments.var / n,
        cov1=moments.cov1 / n,
        cov2=moments.cov2 / n,
        cov3=moments.cov3 / n,
        cases=n,
    )


def _design_effect(
    flat: FloatArray, arms: int, readers: int, components: VarianceComponents, clusters: Clusters
) -> float:
    """Variance of a difference over patients against the one over independent slices, at least 1."""
    if clusters.count == len(flat):
        return 1.0
    reason = clusters.too_few()
    if reason is not None:
        raise PlanningError(f"The pilot has too few {reason}: use a preset or a pilot with more patients.")
    clustered = _components(flat, arms, readers, clusters)
    independent = components.slice_arm + components.error / readers
    if independent <= 0:
        return 1.0
    return max(1.0, (clustered.slice_arm + clustered.error / readers) / independent)
