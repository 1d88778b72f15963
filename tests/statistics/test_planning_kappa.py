"""The planner's half-width of kappa against the product's own kappa, and its components from a pilot."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from readerstudy.statistics.agreement import fleiss_kappa
from readerstudy.statistics.estimate import Estimate, Undefined
from readerstudy.statistics.intervals import Clusters
from readerstudy.statistics.planning import power
from readerstudy.statistics.planning_kappa import Form, half_width_kappa, kappa_saturation, kappas, simulated_counts
from readerstudy.statistics.planning_model import (
    PRESETS,
    Aim,
    VarianceComponents,
)
from readerstudy.statistics.planning_pilot import estimate
from tests.statistics.tables import scores, table

TYPICAL = PRESETS["typical"]


def test_kappa_of_simulated_tables_is_the_product_s() -> None:
    counts = simulated_counts(TYPICAL, Form(), 5, studies=4, slices=40).astype(np.float64)
    for own, value, error in zip(counts, *kappas(counts), strict=True):
        found = fleiss_kappa(own, Clusters.of_units(40))
        assert isinstance(found, Estimate) and found.ci_high is not None
        assert value == pytest.approx(found.value)
        assert float(stats.t.ppf(0.975, 39)) * error == pytest.approx(found.ci_high - found.value)


def test_half_width_of_kappa_falls_to_its_limit() -> None:
    widths = [half_width_kappa(TYPICAL, Form(), 5, slices) for slices in (25, 50, 100, 400, 100_000)]
    assert all(not isinstance(found, Undefined) for found in widths)
    own = [found.half_width for found in widths if not isinstance(found, Undefined)]
    both = [found.with_readers for found in widths if not isinstance(found, Undefined)]
    assert own == sorted(own, reverse=True) and both == sorted(both, reverse=True)
    assert own[1] / own[2] == pytest.approx(math.sqrt(2), rel=0.06) and own[-1] < 0.01
    last = widths[-1]
    assert not isinstance(last, Undefined) and last.with_readers == pytest.approx(last.limit, abs=0.002)
    found = kappa_saturation(TYPICAL, Form(), 5)
    assert not isinstance(found, Undefined) and found.slices is not None and "add readers" in found.sentence


def test_half_width_carried_on_equals_a_larger_simulation() -> None:
    counts = simulated_counts(TYPICAL, Form(), 5, studies=60, slices=1000).astype(np.float64)
    direct = float(stats.t.ppf(0.975, 999)) * float(kappas(counts)[1].mean())
    found = half_width_kappa(TYPICAL, Form(), 5, 1000)
    assert not isinstance(found, Undefined) and found.half_width == pytest.approx(direct, rel=0.05)


def test_kappa_is_undefined_where_every_score_is_the_same() -> None:
    flat = VarianceComponents(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    found = half_width_kappa(flat, Form(mean=4.0), 5, 50)
    assert isinstance(found, Undefined) and "one category" in found.reason
    assert isinstance(kappa_saturation(flat, Form(mean=4.0), 5), Undefined)
    assert power(flat, Aim(0.3), 5, 50).power == 1.0


def test_components_come_back_from_a_large_pilot() -> None:
    truth = {"slice": 0.5, "reader": 0.4, "slice_arm": 0.3, "reader_arm": 0.2, "slice_reader": 0.3, "error": 0.5}
    generator, (n, arms, readers) = np.random.default_rng(2), (400, 3, 60)

    def part(name: str, *size: int) -> np.ndarray:
        return truth[name] * generator.normal(size=size)

    cube = part("slice", n, 1, 1) + part("reader", 1, 1, readers) + part("slice_arm", n, arms, 1)
    cube = cube + part("reader_arm", 1, arms, readers) + part("slice_reader", n, 1, readers)
    found = estimate(table(3 + cube + part("error", n, arms, readers)))
    assert found.components.deviations() == pytest.approx(truth, rel=0.2) and found.design_effect == 1.0
    assert (found.slices, found.arms, found.readers) == (400, 3, 60)


def test_gaps_and_patients_of_a_pilot() -> None:
    cube = scores(4, missing=0.1)
    whole, gaps = estimate(table(scores(4))), estimate(table(cube))
    assert gaps.components.error == pytest.approx(whole.components.error, rel=0.3)
    thrice = np.repeat(scores(4), 3, axis=0)
    found = estimate(table(thrice, patients=tuple(f"P{i // 3}" for i in range(120))))
    assert found.design_effect == pytest.approx(3, rel=0.02)
