"""Power by simulated studies, without any formula of power: the check of the closed form."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from readerstudy.statistics.estimate import FloatArray
from readerstudy.statistics.planning_model import Aim, VarianceComponents

CELLS = 2_000_000


def simulated_differences(
    components: VarianceComponents, readers: int, slices: int, studies: int, generator: np.random.Generator
) -> FloatArray:
    """Differences (studies, slices, readers) of two arms of equal mean, from normal scores of both arms."""
    shape = (studies, slices, 2, readers)

    def effect(variance: float, *axes: int) -> FloatArray:
        size = tuple(n if axis in axes else 1 for axis, n in enumerate(shape))
        return np.asarray(math.sqrt(variance) * generator.standard_normal(size))

    scores = effect(components.error, 0, 1, 2, 3)
    for variance, axes in (
        (components.slice, (0, 1)),
        (components.reader, (0, 3)),
        (components.slice_arm, (0, 1, 2)),
        (components.reader_arm, (0, 2, 3)),
        (components.slice_reader, (0, 1, 3)),
    ):
        scores += effect(variance, *axes)
    return np.asarray(scores[:, :, 1] - scores[:, :, 0])


def analysed(differences: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Mean, standard error and Hillis' df (studies,) of each study, as ``mrmc.crossed_mean`` computes them."""
    n, readers = differences.shape[1:]
    means = differences.mean(axis=1)
    centred = differences - means[:, None]
    squares = (centred**2).sum(axis=(1, 2))
    shared = ((centred.sum(axis=2) ** 2).sum(axis=1) - squares) / (readers * (readers - 1) * n * (n - 1))
    between, shared = means.var(axis=1, ddof=1), np.maximum(shared, 0.0)
    total = between + readers * shared
    return means.mean(axis=1), np.sqrt(total / readers), np.minimum((readers - 1) * (total / between) ** 2, 1e9)


def simulated_power(
    components: VarianceComponents, aims: Sequence[Aim], readers: int, slices: int, studies: int, seed: int
) -> FloatArray:
    """Share of simulated studies (aims,) in which the multi-reader analysis shows each aim; the same studies for all.

    The aims' design effects are not simulated.
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    shown = np.zeros(len(aims))
    step = max(1, CELLS // (2 * slices * readers))
    for start in range(0, studies, step):
        size = min(step, studies - start)
        mean, error, df = analysed(simulated_differences(components, readers, slices, size, generator))
        for index, aim in enumerate(aims):
            reach, value = stats.t.isf(aim.critical_level, df) * error, mean + aim.effect
            shown[index] += float(_rejects(aim, value, reach).sum())
    return shown / studies


def _rejects(aim: Aim, value: FloatArray, reach: FloatArray) -> FloatArray:
    if aim.kind == "superiority":
        return np.asarray(np.abs(value) > reach)
    worse = value + aim.margin > reach
    return np.asarray(worse if aim.kind == "non-inferiority" else worse & (aim.margin - value > reach))
