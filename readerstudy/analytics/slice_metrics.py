"""Image metrics of single slices against the readers' scores of them, per modality."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from readerstudy.analytics.lines import ImageLine
from readerstudy.analytics.summaries import modalities
from readerstudy.statistics.correlation import slice_metric
from readerstudy.statistics.estimate import FloatArray, as_json
from readerstudy.statistics.opinion import unit_means
from readerstudy.statistics.table import ScoreTable

HIGHER_IS_BETTER = {"psnr": True, "ssim": True, "nmse": False, "feature_distance": False}


def slice_metrics(table: ScoreTable, images: Sequence[ImageLine]) -> dict[str, Any]:
    """By modality and metric: within arms, between arms, within slices, and the share of pairs ordered alike."""
    means, clusters = unit_means(table.cube()), table.clusters()
    found: dict[str, Any] = {}
    for modality in modalities(table.modalities):
        own = table.slices_of(modality)
        found[modality] = {
            metric: as_json(
                slice_metric(
                    metric_table(table, images, metric)[own], means[own], table.arms, clusters.take(own), better
                )
            )
            for metric, better in HIGHER_IS_BETTER.items()
        }
    return found


def metric_table(table: ScoreTable, images: Sequence[ImageLine], metric: str) -> FloatArray:
    """The metric as (slices, arms) in the order of the score table, NaN where there is none."""
    values = np.full((len(table.slices), len(table.arms)), np.nan)
    slices = {name: index for index, name in enumerate(table.slices)}
    arms = {name: index for index, name in enumerate(table.arms)}
    for line in images:
        value = getattr(line, metric)
        if value is not None and line.slice in slices and line.arm in arms:
            values[slices[line.slice], arms[line.arm]] = value
    return values
