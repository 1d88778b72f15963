"""Krippendorff's alpha against his own examples and against the krippendorff package."""

from __future__ import annotations

import krippendorff
import numpy as np
import pytest

from readerstudy.statistics.agreement import codes_of, count_table
from readerstudy.statistics.alpha import LEVELS, Alphas, krippendorff_alphas
from readerstudy.statistics.estimate import Estimate, Undefined
from readerstudy.statistics.intervals import Clusters
from tests.statistics.tables import scores
from tests.statistics.test_agreement import KRIPPENDORFF

FORM = [1, 2, 3, 4, 5]
NAN = float("nan")
THREE_BY_FIFTEEN = np.array(
    [
        [NAN, NAN, NAN, NAN, NAN, 3, 4, 1, 2, 1, 1, 3, 3, NAN, 3],
        [1, NAN, 2, 1, 3, 3, 4, 3, NAN, NAN, NAN, NAN, NAN, NAN, NAN],
        [NAN, NAN, 2, 1, 3, 4, 4, NAN, 2, 1, 1, 3, 3, NAN, 4],
    ]
).T


def alphas(table: np.ndarray, draws: int = 100) -> Alphas:
    table = table[np.isfinite(table).any(axis=1)]
    counts = count_table(codes_of(table, FORM), len(FORM))
    return krippendorff_alphas(counts, FORM, Clusters.of_units(len(table)), 0, draws)


@pytest.mark.parametrize(
    ("table", "printed"),
    [(KRIPPENDORFF, (0.743, 0.815, 0.849)), (THREE_BY_FIFTEEN, (0.691, 0.807, 0.811))],
    ids=["4 x 12", "3 x 15"],
)
def test_published(table: np.ndarray, printed: tuple[float, float, float]) -> None:
    found = alphas(table)
    for value, expected in zip((found.nominal, found.ordinal, found.interval), printed, strict=True):
        assert isinstance(value, Estimate) and round(value.value, 3) == expected


@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_equals_the_package(seed: int, missing: float) -> None:
    table = scores(seed, missing=missing)[:, 1]
    found = alphas(table)
    for level in LEVELS:
        value = getattr(found, level)
        oracle = krippendorff.alpha(table.T, level_of_measurement=level, value_domain=FORM)
        assert isinstance(value, Estimate) and abs(value.value - oracle) < 1e-9
        assert value.ci_low is not None and value.ci_low <= value.value <= (value.ci_high or 0)


def test_bootstrap_equals_looping_the_package() -> None:
    """Cluster of three units, drawn together; the draws are looped through krippendorff."""
    from readerstudy.statistics.alpha import _coincidences
    from readerstudy.statistics.bootstrap import resample_counts

    table = scores(4, slices=30)[:, 0]
    counts = count_table(codes_of(table, FORM), 5)
    clusters = Clusters(np.arange(30) // 3, 10, "patients", 6)
    found = krippendorff_alphas(counts, FORM, clusters, 1, 60).ordinal
    sums = clusters.sums(_coincidences(counts))
    order = np.lexsort(sums.T[::-1])
    (resamples,) = resample_counts(10, 1, 60)
    looped = []
    for draw in resamples:
        rows = [row for place, times in zip(order, draw, strict=True) for row in [place] * int(times)]
        drawn = np.concatenate([table[3 * row : 3 * row + 3] for row in rows])
        looped.append(krippendorff.alpha(drawn.T, level_of_measurement="ordinal", value_domain=FORM))
    assert isinstance(found, Estimate)
    assert (found.ci_low, found.ci_high) == pytest.approx(np.quantile(looped, [0.025, 0.975]), abs=1e-12)


def test_nothing_varies_or_pairs() -> None:
    equal = alphas(np.full((8, 4), 3.0))
    assert isinstance(equal.ordinal, Undefined) and "equal" in equal.ordinal.reason
    single = alphas(scores(1)[:, 0, :1])
    assert isinstance(single.interval, Undefined) and "two scores" in single.interval.reason


def test_below_six_patients_no_interval() -> None:
    table = scores(5)[:, 0]
    counts = count_table(codes_of(table, FORM), 5)
    found = krippendorff_alphas(counts, FORM, Clusters(np.arange(40) % 5, 5, "patients", 6), 0, 50).nominal
    assert isinstance(found, Estimate) and found.ci_low is None and "patients: 5" in found.method
